//! Rust names for what definitions call otherwise.

use proc_macro2::{Ident, Span};

/// A field, parameter, method or module: `userName` → `user_name`, `type` → `r#type`, `self` → `self_`.
pub(super) fn snake(name: &str) -> Ident {
    escape(&words(name).join("_").to_lowercase())
}

/// A type or variant: `user_id` → `UserId`; a name that is in order stays as it is.
pub(super) fn camel(name: &str) -> Ident {
    if name.starts_with(|c: char| c.is_uppercase()) && !name.contains('_') {
        return escape(name);
    }
    let capital = |word: &String| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        })
    };
    escape(&words(name).iter().map(capital).collect::<String>())
}

/// The view of a struct: `order` → `OrderRef`.
pub(super) fn view(name: &str) -> Ident {
    quote::format_ident!("{}Ref", camel(name))
}

/// A constant: `maxName` → `MAX_NAME`.
pub(super) fn shouting(name: &str) -> Ident {
    escape(&words(name).join("_").to_uppercase())
}

/// A sentence made of a name: `NotFound` → `not found`.
pub(super) fn spoken(name: &str) -> String {
    words(name).join(" ").to_lowercase()
}

/// Splits at underscores and where a capital begins a word: `HTTPServer2_x` → `HTTP`, `Server2`, `x`.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, &letter) in letters.iter().enumerate() {
        let after_small =
            index > 0 && (letters[index - 1].is_lowercase() || letters[index - 1].is_ascii_digit());
        let before_small = index > 0
            && letters
                .get(index + 1)
                .is_some_and(|next| next.is_lowercase());
        let begins = letter.is_uppercase()
            && (after_small || (before_small && letters[index - 1].is_uppercase()));
        if letter == '_' || begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter != '_', words.last_mut()) {
            word.push(letter);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn escape(name: &str) -> Ident {
    const NOT_EVEN_RAW: [&str; 5] = ["self", "super", "crate", "Self", "_"];
    const KEYWORDS: [&str; 48] = [
        "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern",
        "false", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move",
        "mut", "pub", "ref", "return", "static", "struct", "trait", "true", "type", "unsafe",
        "use", "where", "while", "abstract", "become", "box", "do", "final", "macro", "override",
        "priv", "try", "typeof", "unsized", "virtual", "yield",
    ];
    if NOT_EVEN_RAW.contains(&name)
        || name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        let mark = if name.starts_with(|c: char| c.is_ascii_digit()) {
            "_"
        } else {
            ""
        };
        return Ident::new(&format!("{mark}{name}_"), Span::call_site());
    }
    if KEYWORDS.contains(&name) {
        return Ident::new_raw(name, Span::call_site());
    }
    Ident::new(name, Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::{camel, shouting, snake, spoken};

    #[test]
    fn names_take_rusts_shape() {
        let snakes = [
            ("user_id", "user_id"),
            ("userId", "user_id"),
            ("HTTPServer2", "http_server2"),
            ("type", "r#type"),
            ("self", "self_"),
            ("v1", "v1"),
        ];
        for (from, to) in snakes {
            assert_eq!(snake(from).to_string(), to);
        }
        let camels = [
            ("User", "User"),
            ("user_id", "UserId"),
            ("HTTPServer", "HTTPServer"),
            ("Self", "Self_"),
            ("A_b", "AB"),
        ];
        for (from, to) in camels {
            assert_eq!(camel(from).to_string(), to);
        }
        assert_eq!(shouting("maxName").to_string(), "MAX_NAME");
        assert_eq!(spoken("NotFound"), "not found");
    }
}
