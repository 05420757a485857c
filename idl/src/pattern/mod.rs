//! The small dialect of regular expressions that `@pattern` speaks.
//!
//! A pattern is a list of alternatives between `|`; an alternative is a row of pieces, each possibly repeated:
//!
//! | piece | matches |
//! |---|---|
//! | a letter, digit or other character without a meaning of its own | itself |
//! | `.` | any character but a line break |
//! | `[a-z0-9_]`, `[^,;]` | one of these characters; with `^` one of all others |
//! | `( … )` | what the alternatives inside match |
//! | `\d` `\w` `\s`, `\D` `\W` `\S` | a digit, a letter/digit/underscore, a blank; with a capital none of these |
//! | `\n` `\t`, `\.` and any other escaped punctuation | a line break, a tab, that character itself |
//! | `^` and `$` | the start and the end of the text |
//!
//! Repetitions stand behind a piece: `*` (any number), `+` (one or more), `?` (none or one), `{3}`, `{2,}`, `{2,5}`; numbers
//! go to 255. Letters and digits are those of ASCII. There are no back references, no look-around, no flags and no
//! lazy repetitions, so that every language can match in linear time. The whole text must match.

mod program;

use self::program::Program;

/// Longest repetition.
const MAX_REPEAT: u32 = 255;

/// Groups may nest this deep.
const MAX_DEPTH: usize = 32;

/// Why a pattern cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte of the pattern at which the fault lies.
    pub at: usize,
    /// Number of bytes that are at fault; 0 at the end of the pattern.
    pub length: usize,
    /// What is wrong, in lower case without a full stop.
    pub message: String,
}

/// Checks that a pattern can be read.
///
/// # Errors
///
/// Says at which byte of the pattern the first fault lies and what it is.
///
/// ```
/// assert!(rpc_idl::pattern::check("^[a-z][a-z0-9_]{0,30}$").is_ok());
/// assert_eq!(rpc_idl::pattern::check("a(b").unwrap_err().at, 1);
/// ```
pub fn check(pattern: &str) -> Result<(), PatternError> {
    let mut reader = Reader { pattern, at: 0 };
    let mut open = Vec::new();
    // Whether something that may be repeated stands before.
    let mut piece = false;
    while let Some(letter) = reader.next() {
        let start = reader.at - letter.len_utf8();
        piece = match letter {
            '(' => {
                open.push(start);
                if open.len() > MAX_DEPTH {
                    return Err(reader.fault(start, "groups nest too deeply"));
                }
                if reader.peek() == Some('?') {
                    return Err(reader.fault(start, "groups have no options"));
                }
                false
            }
            ')' => match open.pop() {
                Some(_) => true,
                None => return Err(reader.fault(start, "this bracket closes nothing")),
            },
            '|' | '^' | '$' => false,
            '*' | '+' | '?' | '{' => {
                if !piece {
                    return Err(reader.fault(start, "there is nothing to repeat"));
                }
                if letter == '{' {
                    reader.repetition(start)?;
                }
                false
            }
            '[' => {
                reader.class(start)?;
                true
            }
            ']' | '}' => return Err(reader.fault(start, "this bracket closes nothing; escape it")),
            '\\' => {
                reader.escape(start)?;
                true
            }
            _ => true,
        };
    }
    match open.last() {
        Some(start) => Err(reader.fault(*start, "this group is not closed")),
        None if Program::of(pattern).is_none() => {
            Err(reader.fault(0, "with its repetitions written out it is too long"))
        }
        None => Ok(()),
    }
}

/// Whether all of a text matches a pattern; nothing if the pattern cannot be read, or the answer would take too long.
///
/// ```
/// assert_eq!(rpc_idl::pattern::matches("[a-z]+", "abc"), Some(true));
/// assert_eq!(rpc_idl::pattern::matches("[a-z]+", "ab1"), Some(false));
/// ```
pub fn matches(pattern: &str, text: &str) -> Option<bool> {
    check(pattern).ok()?;
    let program = Program::of(pattern)?;
    (program.len() * text.len() <= MAX_WORK).then(|| program.matches(text))
}

/// Steps times bytes that a compiler may spend on one default.
const MAX_WORK: usize = 100_000_000;

struct Reader<'p> {
    pattern: &'p str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.pattern[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn fault(&self, start: usize, message: &str) -> PatternError {
        PatternError {
            at: start,
            length: self.at - start,
            message: message.to_owned(),
        }
    }

    /// The letter after a backslash: itself, or `None` for a class of letters.
    fn escape(&mut self, start: usize) -> Result<Option<char>, PatternError> {
        match self.next() {
            None => Err(self.fault(start, "the backslash stands alone")),
            Some('d' | 'w' | 's' | 'D' | 'W' | 'S') => Ok(None),
            Some('n') => Ok(Some('\n')),
            Some('t') => Ok(Some('\t')),
            Some(letter) if letter.is_ascii_punctuation() => Ok(Some(letter)),
            Some(_) => Err(self.fault(start, "there is no such escape")),
        }
    }

    /// `[…]`, behind the bracket.
    fn class(&mut self, start: usize) -> Result<(), PatternError> {
        if self.peek() == Some('^') {
            self.next();
        }
        let mut is_empty = true;
        loop {
            let from = self.at;
            match self.next() {
                None => return Err(self.fault(start, "this class is not closed")),
                Some(']') if is_empty => return Err(self.fault(start, "this class is empty")),
                Some(']') => return Ok(()),
                Some('[') => {
                    return Err(self.fault(from, "classes do not nest; escape the bracket"));
                }
                Some(letter) => {
                    let low = if letter == '\\' {
                        self.escape(from)?
                    } else {
                        Some(letter)
                    };
                    self.range(from, low)?;
                }
            }
            is_empty = false;
        }
    }

    /// The rest of `a-z`, if that is what it is.
    fn range(&mut self, from: usize, low: Option<char>) -> Result<(), PatternError> {
        let rest = &self.pattern[self.at..];
        if !rest.starts_with('-') || rest.starts_with("-]") || rest.len() == 1 {
            return Ok(());
        }
        self.next();
        let at = self.at;
        let high = match self.next() {
            Some('\\') => self.escape(at)?,
            letter => letter,
        };
        match (low, high) {
            (Some(low), Some(high)) if low <= high => Ok(()),
            (Some(_), Some(_)) => Err(self.fault(from, "this range is empty")),
            _ => Err(self.fault(from, "a range goes from one character to another")),
        }
    }

    /// `{m}`, `{m,}` or `{m,n}`, behind the bracket.
    fn repetition(&mut self, start: usize) -> Result<(), PatternError> {
        let Some(end) = self.pattern[self.at..].find('}') else {
            return Err(self.fault(start, "this repetition is not closed; escape the bracket"));
        };
        let inside = &self.pattern[self.at..self.at + end];
        self.at += end + 1;
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse::<u32>().ok().filter(|_| is_number);
            number.filter(|number| *number <= MAX_REPEAT)
        };
        let (min, max) = match inside.split_once(',') {
            None => (number(inside), number(inside)),
            Some((min, "")) => (number(min), Some(MAX_REPEAT)),
            Some((min, max)) => (number(min), number(max)),
        };
        match (min, max) {
            (Some(min), Some(max)) if min <= max => Ok(()),
            (Some(_), Some(_)) => Err(self.fault(start, "this repetition is empty")),
            _ => Err(self.fault(
                start,
                "a repetition is `{m}`, `{m,}` or `{m,n}` with numbers up to 255",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_patterns() {
        for good in [
            "",
            "abc",
            "^a$",
            "a|b|",
            "(a|(b))+",
            "[a-z0-9_]*",
            "[^,]",
            "[-a]",
            "[a-]",
            r"\d{3}-\w+\.",
            "a{2}",
            "a{2,}",
            "a{2,5}",
            "é+",
            r"[\]\-\d]",
            "[.*]",
            r"[\d-]",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_whole_text_must_match() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "ab", false),
            ("^ab$", "ab", true),
            ("a|bc|", "bc", true),
            ("a|bc|", "", true),
            ("(ab)+", "ababab", true),
            ("(ab)+", "aba", false),
            ("a{2,3}", "aa", true),
            ("a{2,3}", "aaaa", false),
            ("a{2,}", "aaaaaa", true),
            (r"\d{3}-\w", "123-_", true),
            (r"\D", "1", false),
            ("[^,;]*", "a b", true),
            ("[^,;]*", "a,b", false),
            ("[-a]", "-", true),
            ("[a-]", "-", true),
            (r"[\]\-x]+", "x]-", true),
            (r"[\d\S]", " ", false),
            (".", "\n", false),
            ("é.", "éü", true),
            ("((a*)*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
        ] {
            assert_eq!(matches(pattern, text), Some(expected), "{pattern} {text}");
        }
        assert_eq!(matches("(", ""), None);
    }

    #[test]
    fn bad_patterns_say_where() {
        for (bad, at) in [
            ("a(b", 1),
            ("a)", 1),
            ("*a", 0),
            ("a**", 2),
            ("a+?", 2),
            ("[", 0),
            ("[]", 0),
            ("[z-a]", 1),
            ("a{x}", 1),
            ("a{3,2}", 1),
            ("a{", 1),
            ("a{9999}", 1),
            (r"\q", 0),
            ("a\\", 1),
            ("(?:a)", 0),
            ("a]", 1),
            (r"[\d-z]", 1),
            ("(*)", 1),
            ("[[a]]", 1),
            ("|*", 1),
            ("a{256}", 1),
            (r"\r", 0),
            ("(a{200}){200}", 0),
        ] {
            let fault = check(bad).unwrap_err();
            assert_eq!(fault.at, at, "{bad}: {}", fault.message);
        }
    }
}
