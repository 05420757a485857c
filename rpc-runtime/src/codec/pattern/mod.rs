//! Matches texts against the patterns of `@pattern`, in time linear in the text.
//!
//! The dialect is what all target languages have in common: literals, `.` (all but a line feed), classes with ranges
//! and negation, groups, `|`, `* + ?`, `{m}`, `{m,}`, `{m,n}` up to 255, `^` and `$`, `\d \w \s \D \W \S` (of ASCII),
//! `\n \t`, and punctuation behind a backslash. A pattern must match the whole text, so `^` and `$` are redundant.

mod parse;
mod program;

use program::Program;

/// A compiled pattern; it must match the whole text.
///
/// There is no backtracking: the time is the text's length times the pattern's size, whatever the text.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: &'static str,
    program: Option<Program>,
}

impl Pattern {
    /// Compiles a pattern. The IDL compiler has refused faulty ones; should one come here, it matches nothing.
    pub fn new(source: &'static str) -> Self {
        Self {
            source,
            program: parse::parse(source).and_then(|node| Program::compile(&node)),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &'static str {
        self.source
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        self.program
            .as_ref()
            .is_some_and(|program| program.matches(text))
    }

    /// Whether the pattern is of the dialect, and small enough when its repetitions are written out.
    pub fn is_valid(&self) -> bool {
        self.program.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[track_caller]
    fn check(pattern: &'static str, matching: &[&str], others: &[&str]) {
        let pattern = Pattern::new(pattern);
        assert!(pattern.is_valid(), "{pattern:?}");
        for text in matching {
            assert!(
                pattern.matches(text),
                "{} should match {text:?}",
                pattern.as_str()
            );
        }
        for text in others {
            assert!(
                !pattern.matches(text),
                "{} should not match {text:?}",
                pattern.as_str()
            );
        }
    }

    #[test]
    fn literals_and_anchors_mean_the_whole_text() {
        check("abc", &["abc"], &["", "ab", "abcd", "xabc"]);
        check("^abc$", &["abc"], &["xabc", "abcx"]);
        check("", &[""], &["a"]);
        check("a$b|c^|^d|e$", &["d", "e"], &["ab", "a", "c"]);
        check("žluť☃", &["žluť☃"], &["zlut"]);
        check(r"a\.b\\\n\t\-\/", &["a.b\\\n\t-/"], &["axb\\\n\t-/"]);
    }

    #[test]
    fn classes() {
        check("[a-c_x]", &["a", "b", "c", "_", "x"], &["d", "", "ab", "-"]);
        check("[^a-c]", &["d", "☃", "\n"], &["a", ""]);
        check("[]a]|[^]b]", &["]", "a", "c"], &["b"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("[-a]", &["a", "-"], &["b"]);
        check(r"[\d\]\-x.]", &["5", "]", "-", "x", "."], &["a"]);
        check(r"[^\W\d]", &["a", "_"], &["5", "-"]);
        check(r"\d\D\w\W\s\S", &["1a_- x", "1\n9\u{e9}\nx"], &["aaaaaa"]);
        check(".", &["a", "☃"], &["", "\n"]);
    }

    #[test]
    fn groups_choices_and_repetitions() {
        check("a|b|", &["a", "b", ""], &["ab"]);
        check("(?:ab|c)*d?", &["", "abcd", "ababc", "d"], &["abd d", "ac"]);
        check("a{3}", &["aaa"], &["aa", "aaaa"]);
        check("a{2,}", &["aa", "aaaaaaa"], &["a"]);
        check("a{0,2}b+", &["b", "aabb"], &["aaab", "aa"]);
        check("(a*)*(b|)+", &["", "aaaa", "aabb"], &["c"]);
        check("^(^a|b)*$", &["a", "bb", "ab"], &["ba"]);
        check("[a-z]+(-[a-z]+){0,3}", &["a-b-c-d"], &["a-b-c-d-e", "-a"]);
    }

    #[test]
    fn faulty_patterns_match_nothing() {
        let faulty = [
            "(",
            ")",
            "(a",
            "a)",
            "[",
            "[a",
            "[z-a]",
            "[]",
            "[^]",
            "*",
            "+a",
            "a**",
            "a*+",
            "a{",
            "a{x}",
            "a{2,1}",
            "a{256}",
            "a{,3}",
            "{2}",
            "\\",
            "\\q",
            "\\1",
            "(?=a)",
            "(?<n>a)",
            "((a{255}){255}){255}",
            "(((((){255}){255}){255}){255}){255}",
            "[a-\\d]",
            "^*",
        ];
        for source in faulty {
            let pattern = Pattern::new(source);
            assert!(!pattern.is_valid(), "{source} is taken for valid");
            assert!(!pattern.matches("") && !pattern.matches("a"));
        }
        let deep: &'static str = Box::leak("(".repeat(100_000).into_boxed_str());
        assert!(!Pattern::new(deep).is_valid());
    }

    #[test]
    fn patterns_that_explode_elsewhere_stay_linear() {
        let text = "a".repeat(50_000) + "b";
        for pattern in [
            "(a*)*c",
            "(a|a)*c",
            "(a|aa)+c",
            "(a?){50}a{50}c",
            "(.*)(.*)(.*)(.*)x",
        ] {
            assert!(!Pattern::new(pattern).matches(&text));
        }
        assert!(Pattern::new("(a?){50}a{50}").matches(&"a".repeat(50)));
    }
}
