//! Tokens by bytes alone: where definitions and members end when the grammar cannot tell.

/// Brackets may nest this deep.
pub(crate) const MAX_DEPTH: usize = 64;

/// One token; comments and blanks are skipped, doc comments are tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Letters, digits and underscores.
    Word,
    /// A string; `false` when its line ends before it does.
    Text(bool),
    Doc,
    Mark(u8),
    /// A character that no rule knows.
    Other,
}

/// The next token at or after `pos`.
pub(crate) fn next(bytes: &[u8], pos: usize) -> Option<Token> {
    let start = skip_trivia(bytes, pos);
    let first = *bytes.get(start)?;
    let (kind, end) = match first {
        b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => (Kind::Word, word_end(bytes, start)),
        b'"' => text_end(bytes, start),
        b'/' if bytes[start..].starts_with(b"///") => (Kind::Doc, line_end(bytes, start)),
        b'-' if bytes.get(start + 1) == Some(&b'>') => (Kind::Mark(b'-'), start + 2),
        0..=127 => (Kind::Mark(first), start + 1),
        _ => (Kind::Other, char_end(bytes, start)),
    };
    Some(Token { kind, start, end })
}

/// Skips blanks and plain comments. A comment that is never closed reaches to the end.
pub(crate) fn skip_trivia(bytes: &[u8], mut pos: usize) -> usize {
    loop {
        match bytes.get(pos) {
            Some(b' ' | b'\t' | b'\r' | b'\n') => pos += 1,
            Some(b'/') => match comment_end(bytes, pos) {
                Some(end) => pos = end,
                None => return pos,
            },
            _ => return pos,
        }
    }
}

/// The end of the comment that starts at `pos`, if one does.
pub(crate) fn comment_end(bytes: &[u8], pos: usize) -> Option<usize> {
    match bytes.get(pos + 1)? {
        b'/' => {
            let is_doc = bytes.get(pos + 2) == Some(&b'/') && bytes.get(pos + 3) != Some(&b'/');
            (!is_doc).then(|| line_end(bytes, pos))
        }
        b'*' => Some(block_end(bytes, pos).unwrap_or(bytes.len())),
        _ => None,
    }
}

/// The end of the block comment that starts at `pos`; `None` when it is not closed.
pub(crate) fn block_end(bytes: &[u8], pos: usize) -> Option<usize> {
    let inside = bytes.get(pos + 2..)?;
    let at = inside.windows(2).position(|pair| pair == b"*/")?;
    Some(pos + 2 + at + 2)
}

pub(crate) fn line_end(bytes: &[u8], pos: usize) -> usize {
    let rest = bytes.get(pos..).unwrap_or(&[]);
    rest.iter()
        .position(|b| *b == b'\n')
        .map_or(bytes.len(), |at| pos + at)
}

fn word_end(bytes: &[u8], pos: usize) -> usize {
    let is_word = |b: &u8| *b == b'_' || b.is_ascii_alphanumeric();
    let rest = &bytes[pos..];
    pos + rest.iter().position(|b| !is_word(b)).unwrap_or(rest.len())
}

fn text_end(bytes: &[u8], start: usize) -> (Kind, usize) {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (Kind::Text(true), at + 1),
            b'\n' => break,
            b'\\' if bytes.get(at + 1).is_some_and(|b| *b != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    let end = at.min(bytes.len());
    // A backslash may have stepped into a character of several bytes.
    (Kind::Text(false), boundary(bytes, end))
}

fn char_end(bytes: &[u8], pos: usize) -> usize {
    boundary(bytes, pos + 1)
}

fn boundary(bytes: &[u8], mut pos: usize) -> usize {
    while bytes.get(pos).is_some_and(|b| (*b & 0xc0) == 0x80) {
        pos += 1;
    }
    pos
}

/// Open brackets, forgiving about those that do not match.
#[derive(Default)]
struct Brackets {
    open: Vec<u8>,
    angles: usize,
}

impl Brackets {
    fn depth(&self) -> usize {
        self.open.len() + self.angles
    }

    fn push(&mut self, mark: u8) {
        match mark {
            b'(' | b'[' | b'{' => self.open.push(mark),
            b'<' => self.angles += 1,
            b'>' => self.angles = self.angles.saturating_sub(1),
            b')' => self.close(b'(', |open| open == b'{'),
            b']' => self.close(b'[', |open| open == b'{'),
            b'}' => self.close(b'{', |_| false),
            b';' => self.angles = 0,
            _ => {}
        }
    }

    /// Closes the innermost `wanted` and all that is open inside it, but never beyond a `barrier`.
    fn close(&mut self, wanted: u8, barrier: fn(u8) -> bool) {
        self.angles = 0;
        let reach = self.open.iter().rev().take_while(|open| !barrier(**open));
        if let Some(above) = reach.clone().position(|open| *open == wanted) {
            self.open.truncate(self.open.len() - above - 1);
        }
    }
}

/// How far a definition reaches.
pub(crate) struct Extent {
    pub(crate) end: usize,
    /// Where brackets first nest too deeply.
    pub(crate) too_deep: Option<usize>,
}

/// Finds the end of the definition that starts at `pos`: its `;`, its closing brace, or, when that is missing, the
/// next line that starts with a definition's keyword in the first column.
pub(crate) fn item_extent(bytes: &[u8], pos: usize) -> Extent {
    let mut brackets = Brackets::default();
    let mut too_deep = None;
    let mut end = pos;
    let mut in_head = matches!(bytes.get(pos), Some(b'@' | b'/'));
    while let Some(token) = next(bytes, end) {
        if token.start > pos && starts_item(bytes, token) {
            if !in_head {
                break;
            }
            in_head = false;
        }
        end = token.end;
        let Kind::Mark(mark) = token.kind else {
            continue;
        };
        brackets.push(mark);
        if brackets.depth() > MAX_DEPTH && too_deep.is_none() {
            too_deep = Some(token.start);
        }
        let closed = brackets.open.is_empty();
        if closed && mark == b';' {
            break;
        }
        if closed && mark == b'}' {
            end = after(bytes, end, b";");
            break;
        }
    }
    Extent { end, too_deep }
}

/// Whether a token in the first column can only be the start of a definition: `struct Name`.
fn starts_item(bytes: &[u8], token: Token) -> bool {
    if token.kind != Kind::Word || (token.start > 0 && bytes[token.start - 1] != b'\n') {
        return false;
    }
    let word = &bytes[token.start..token.end];
    ITEM_WORDS.iter().any(|item| item.as_bytes() == word)
        && next(bytes, token.end).is_some_and(|name| {
            name.kind == Kind::Word
                && !bytes[token.end..name.start].contains(&b'\n')
                && !bytes[name.start].is_ascii_digit()
        })
}

/// Words that start a definition or a line at the top of a file.
pub(crate) const ITEM_WORDS: &[&str] = &[
    "package",
    "import",
    "struct",
    "enum",
    "union",
    "error",
    "service",
    "const",
    "type",
    "annotation",
    "closed",
    "message",
    "exception",
];

/// Finds where to go on after a member that could not be read; always beyond `pos`.
///
/// That is behind its `,` or `;`, before the next line that starts like a member, or before the brace that ends
/// the body.
///
/// `commas` says whether a comma ends a member; in a service it does not.
pub(crate) fn member_end(bytes: &[u8], pos: usize, commas: bool) -> usize {
    let mut brackets = Brackets::default();
    let mut head = HeadTracker::default();
    let mut end = pos;
    while let Some(token) = next(bytes, end) {
        let in_head = head.step(bytes, token, brackets.depth() > 0);
        let in_braces = brackets.open.last() == Some(&b'{');
        if !in_head && head.done && end > pos && !in_braces && starts_member(bytes, token) {
            return end;
        }
        head.done |= !in_head;
        if let Kind::Mark(mark) = token.kind {
            if mark == b'}' && brackets.open.is_empty() {
                return if end > pos { end } else { token.end };
            }
            brackets.push(mark);
            let closed = brackets.open.is_empty() && brackets.angles == 0;
            if (commas && closed && mark == b',') || (brackets.open.is_empty() && mark == b';') {
                return token.end;
            }
            if closed && mark == b'}' {
                return after(bytes, token.end, b",;");
            }
        }
        end = token.end;
    }
    end.max(pos + 1).min(bytes.len())
}

/// Whether the first token of a line looks like the start of a member: `3:`, `@`, a doc, `fn`, `oneway`, `reserved`.
fn starts_member(bytes: &[u8], token: Token) -> bool {
    let before = bytes[..token.start].iter().rev();
    let mut blanks = before.skip_while(|b| matches!(b, b' ' | b'\t'));
    if !matches!(blanks.next(), None | Some(b'\n')) {
        return false;
    }
    match token.kind {
        Kind::Doc | Kind::Mark(b'@') => true,
        Kind::Word => {
            let word = &bytes[token.start..token.end];
            let follower = next(bytes, token.end).map(|token| token.kind);
            if word[0].is_ascii_digit() {
                follower == Some(Kind::Mark(b':'))
            } else {
                matches!(word, b"fn" | b"oneway" | b"reserved" | b"rpc")
                    && matches!(follower, Some(Kind::Word | Kind::Text(_)))
            }
        }
        _ => false,
    }
}

/// Tells docs and annotations before a member from the member itself.
#[derive(Default)]
struct HeadTracker {
    after_at: bool,
    done: bool,
}

impl HeadTracker {
    /// Whether the token still belongs to the docs and annotations.
    fn step(&mut self, bytes: &[u8], token: Token, inside: bool) -> bool {
        if self.done {
            return false;
        }
        let in_head = match token.kind {
            _ if inside => true,
            Kind::Doc => true,
            Kind::Mark(b'@') => true,
            Kind::Mark(b'(' | b'.') => true,
            Kind::Word => self.after_at,
            _ => false,
        };
        self.after_at = matches!(bytes[token.start], b'@' | b'.');
        in_head
    }
}

fn after(bytes: &[u8], pos: usize, marks: &[u8]) -> usize {
    match next(bytes, pos) {
        Some(token) if marks.iter().any(|mark| token.kind == Kind::Mark(*mark)) => token.end,
        _ => pos,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(text: &str) -> &str {
        &text[..item_extent(text.as_bytes(), 0).end]
    }

    #[test]
    fn an_item_ends_at_its_brace_or_semicolon() {
        assert_eq!(extent("struct A { 1: b: u8 } x"), "struct A { 1: b: u8 }");
        assert_eq!(extent("struct A {}; x"), "struct A {};");
        assert_eq!(extent("const A: u8 = 1; x"), "const A: u8 = 1;");
        assert_eq!(extent("@a({x: 1}) type A = B; x"), "@a({x: 1}) type A = B;");
    }

    #[test]
    fn an_open_item_ends_at_the_next_keyword_in_the_first_column() {
        assert_eq!(
            extent("struct A {\n 1: a: u8,\nstruct B {}"),
            "struct A {\n 1: a: u8,"
        );
        assert_eq!(extent("@a\nstruct A {\nenum B {}"), "@a\nstruct A {");
        assert_eq!(extent("foo bar\nstruct B {}"), "foo bar");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let text = "struct A { // }\n 1: a: string = \"}\", /* } */ } x";
        assert_eq!(extent(text), &text[..text.len() - 2]);
    }

    #[test]
    fn a_member_ends_at_its_comma_or_before_the_next_member() {
        let end = |text: &str| member_end(text.as_bytes(), 0, true);
        assert_eq!(end("2 x: map<a, b>, 3: y"), 15);
        assert_eq!(end("2 x\n 3: y: u8,"), 3);
        assert_eq!(end("@a(b, c)\n2 x\n 3: y: u8,"), 12);
        assert_eq!(end("2 x }"), 3);
        assert_eq!(end("fn f(a: u8\n fn g();"), 10);
    }
}
