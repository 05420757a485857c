//! Names and numbers within one body: each once, none reserved, none alike after casing.

use std::collections::BTreeSet;

use crate::codes;
use crate::diagnostic::{Draft, Sink};
use crate::model::Reserved;
use crate::resolve::{Declared, Scope, Shape};
use crate::source::Span;

/// Positions of members that cannot enter the model.
pub(crate) type Bad = BTreeSet<usize>;

/// Checks the names of a body's members.
pub(crate) fn names(
    scope: &Scope<'_>,
    names: &[Span],
    word: &str,
    reserved: &Reserved,
    sink: &mut Sink,
) -> Bad {
    let mut bad = Bad::new();
    let text = |at: usize| names[at].of(scope.text);
    // Equal or alike names have equal keys; sorting keys finds them without a comparison of all with all.
    let mut keys: Vec<(u64, usize)> = (0..names.len()).map(|at| (key(text(at)), at)).collect();
    keys.sort_unstable();
    for group in keys
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|group| group.len() > 1)
    {
        let mut kept: Vec<usize> = Vec::new();
        for (_, at) in group {
            let name = text(*at);
            let place = names[*at].at(scope.file);
            if let Some(first) = kept.iter().find(|first| text(**first) == name) {
                let draft = Draft::new(
                    codes::DUPLICATE_MEMBER,
                    place,
                    format!("the {word} `{name}` is defined twice"),
                );
                let first = names[*first].at(scope.file);
                sink.report(
                    draft
                        .label("defined again")
                        .also(first, "first defined here"),
                );
                bad.insert(*at);
                continue;
            }
            if let Some(first) = kept.iter().find(|first| alike(text(**first), name)) {
                let other = text(*first);
                let draft = Draft::new(
                    codes::CASE_COLLISION,
                    place,
                    format!("the {word}s `{other}` and `{name}` become one name in generated code"),
                );
                let first = names[*first].at(scope.file);
                sink.report(
                    draft
                        .label(format!("`{}` and `{}`", snake(name), pascal(name)))
                        .also(first, "so is this")
                        .help("rename one of them"),
                );
                bad.insert(*at);
            }
            // A hostile body might hold a great many of one key.
            if kept.len() < 8 {
                kept.push(*at);
            }
        }
    }
    if !reserved.names.is_empty() {
        for (at, span) in names.iter().enumerate() {
            let name = span.of(scope.text);
            if reserved
                .names
                .binary_search_by(|other| (**other).cmp(name))
                .is_ok()
            {
                let message = format!("the name `{name}` is reserved");
                let draft = Draft::new(codes::RESERVED_NAME, span.at(scope.file), message);
                sink.report(draft.help("a removed member had it; choose another name"));
                bad.insert(at);
            }
        }
    }
    bad
}

/// Refuses definitions of one package whose names are alike. Constants are written in capitals everywhere, and may be
/// called like a type otherwise.
pub(crate) fn definitions(list: &[Declared<'_>], sink: &mut Sink) {
    let space = |declared: &Declared<'_>| match declared.shape {
        Shape::Const => 1,
        Shape::Annotation => 2,
        _ => 0,
    };
    let mut keys: Vec<_> = list
        .iter()
        .enumerate()
        .map(|(at, declared)| (declared.package, space(declared), key(declared.name), at))
        .collect();
    keys.sort_unstable();
    let same = |a: &(usize, i32, u64, usize), b: &(usize, i32, u64, usize)| {
        (a.0, a.1, a.2) == (b.0, b.1, b.2)
    };
    for group in keys.chunk_by(same) {
        for pair in group.windows(2) {
            let (first, second) = (&list[pair[0].3], &list[pair[1].3]);
            let (other, name) = (first.name, second.name);
            if other == name || !alike(other, name) {
                continue;
            }
            let message =
                format!("the definitions `{other}` and `{name}` become one name in generated code");
            sink.report(
                Draft::new(codes::CASE_COLLISION, second.place, message)
                    .label(format!("`{}` and `{}`", snake(name), pascal(name)))
                    .also(first.place, "so is this")
                    .help("rename one of them"),
            );
        }
    }
}

/// Numbers of a body's members; `None` where one was refused already.
pub(crate) struct Numbers<'a, 't> {
    pub(crate) scope: &'a Scope<'t>,
    /// Of each member the number and the name.
    pub(crate) spans: Vec<(Span, Span)>,
    pub(crate) numbers: &'a [Option<i64>],
    pub(crate) reserved: &'a Reserved,
}

impl Numbers<'_, '_> {
    pub(crate) fn run(&self, bad: &mut Bad, sink: &mut Sink) {
        let numbered = self.numbers.iter().enumerate();
        let mut order: Vec<(i64, usize)> = numbered
            .filter_map(|(at, number)| number.map(|number| (number, at)))
            .collect();
        order.sort_unstable();
        for group in order
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| group.len() > 1)
        {
            for (number, at) in &group[1..] {
                self.duplicate(*number, group[0].1, *at, &order, sink);
                bad.insert(*at);
            }
        }
        self.check_reserved(&order, bad, sink);
    }

    fn duplicate(
        &self,
        number: i64,
        first: usize,
        at: usize,
        order: &[(i64, usize)],
        sink: &mut Sink,
    ) {
        let (span, _) = self.spans[at];
        let (first_span, first_name) = self.spans[first];
        let file = self.scope.file;
        let first_name = first_name.of(self.scope.text);
        let message = format!("the number {number} is used twice");
        let draft = Draft::new(codes::DUPLICATE_ORDINAL, span.at(file), message)
            .label("used again")
            .also(
                first_span.at(file),
                format!("`{first_name}` has it already"),
            );
        let highest = order.last().map_or(0, |(number, _)| *number);
        let reserved = |next: i64| {
            self.reserved
                .ranges
                .iter()
                .find(|(from, to)| (*from..=*to).contains(&next))
        };
        let mut free = highest.checked_add(1);
        // Ranges are sorted, so that one pass steps over all of them.
        while let Some((_, to)) = free.and_then(reserved) {
            free = to.checked_add(1);
        }
        sink.report(draft.help_if(free.map(|free| format!("the next free number is {free}"))));
    }

    /// Both lists are sorted, so that one walk along both is enough.
    fn check_reserved(&self, order: &[(i64, usize)], bad: &mut Bad, sink: &mut Sink) {
        let mut reach: Option<(i64, i64)> = None;
        let mut ranges = self.reserved.ranges.iter().peekable();
        for (number, at) in order {
            while let Some((from, to)) = ranges.next_if(|(from, _)| from <= number) {
                if reach.is_none_or(|(_, end)| *to > end) {
                    reach = Some((*from, *to));
                }
            }
            let Some((from, to)) = reach.filter(|(_, to)| number <= to) else {
                continue;
            };
            let (span, _) = self.spans[*at];
            let message = format!("the number {number} is reserved");
            let range = match (from, to) {
                (from, to) if from == to => format!("`reserved {from}`"),
                (from, i64::MAX) => format!("`reserved {from}..max`"),
                (from, to) => format!("`reserved {from}..{to}`"),
            };
            let draft = Draft::new(codes::RESERVED_NUMBER, span.at(self.scope.file), message);
            sink.report(
                draft
                    .label(format!("by {range}"))
                    .help("take a number that was never used"),
            );
            bad.insert(*at);
        }
    }
}

/// Equal for names that are alike: FNV-1a over the letters without case and underscores.
fn key(name: &str) -> u64 {
    let letters = name.bytes().filter(|b| *b != b'_');
    letters.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether two names become one in the habit of some language.
pub(crate) fn alike(a: &str, b: &str) -> bool {
    snake(a) == snake(b) || pascal(a) == pascal(b)
}

/// The words of `HTTPServer_name2`: HTTP, Server, name2.
fn words(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let mut words = Vec::new();
    let mut start = 0;
    for at in 1..=bytes.len() {
        let ends = at == bytes.len()
            || bytes[at] == b'_'
            || bytes[at - 1] == b'_'
            || (bytes[at].is_ascii_uppercase()
                && (!bytes[at - 1].is_ascii_uppercase()
                    || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase)));
        if ends {
            words.push(&name[start..at]);
            start = at;
        }
    }
    words.retain(|word| *word != "_");
    words
}

fn snake(name: &str) -> String {
    let words: Vec<String> = words(name).iter().map(|w| w.to_ascii_lowercase()).collect();
    words.join("_")
}

fn pascal(name: &str) -> String {
    let words = words(name);
    let parts = words.iter().map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_only_are_alike() {
        assert!(alike("get_user", "getUser"));
        assert!(alike("HTTPServer", "http_server"));
        assert!(alike("v_1", "v1"));
        assert!(!alike("ab_c", "a_bc"));
        assert!(!alike("user", "users"));
        assert_eq!(key("get_user"), key("getUser"));
        assert_eq!(key("v_1"), key("v1"));
        assert_eq!(pascal("get_user2"), "GetUser2");
    }
}
