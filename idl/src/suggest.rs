//! Finds the name that was probably meant.

/// The candidate that differs least from `word`, if it is near enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.is_empty() || word.len() > 100 {
        return None;
    }
    // Of very short names only the case may differ: any two of them are near each other.
    let limit = match word.len() {
        0..3 => 0,
        length => (length / 3).min(4),
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.len().abs_diff(word.len()) > limit || candidate == word {
            continue;
        }
        let distance = distance(&word.to_lowercase(), &candidate.to_lowercase());
        let better = match best {
            None => distance <= limit,
            Some((least, name)) => distance < least || (distance == least && candidate < name),
        };
        if better {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, name)| name)
}

/// Number of letters to insert, delete, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (row[j] + usize::from(x != y))
                .min(row[j + 1] + 1)
                .min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            next[j + 1] = cost;
        }
        before = row;
        row = next;
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["User", "UserId", "Status"];
        assert_eq!(nearest("Usr", names), Some("User"));
        assert_eq!(nearest("user", names), Some("User"));
        assert_eq!(nearest("Sttaus", names), Some("Status"));
        assert_eq!(nearest("Order", names), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
