//! Says what was expected where the grammar stopped.

use std::collections::BTreeSet;
use std::sync::Mutex;

use pest::Parser as _;

use crate::codes;
use crate::diagnostic::Draft;
use crate::grammar::{Grammar, Rule};
use crate::parse::scan::{self, Kind, Token};
use crate::source::{FileId, Span};
use crate::suggest;

/// Explains why `text[at..end]` is not a `rule`.
pub(crate) fn explain(rule: Rule, text: &str, at: usize, end: usize, file: FileId) -> Draft {
    let bytes = text.as_bytes();
    let piece = &bytes[..end];
    let stop = farthest(rule, &text[at..end]);
    let position = at + stop.position;
    // What stands there may be beyond the piece.
    let found = scan::next(bytes, position);
    let mut wanted = stop.expected;
    if position > at && is_word(piece[position - 1]) {
        // Inside or right behind a word: that it could go on is of no interest.
        wanted.retain(|want| !matches!(want, Expected::Name | Expected::Number));
    }
    let describe = Describe {
        text,
        file,
        found,
        last: last_token(piece, at, position),
    };
    describe.draft(rule, &wanted)
}

/// What could have stood at the farthest place reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Expected {
    Name,
    Number,
    Text,
    Token(String),
}

struct Stop {
    position: usize,
    expected: BTreeSet<Expected>,
}

/// Reads the piece again, this time with notes about every token tried.
fn farthest(rule: Rule, piece: &str) -> Stop {
    // The switch belongs to the whole process. Another thread that reads meanwhile takes notes too and drops them,
    // which costs it time and changes nothing; the lock is for two threads that both need the notes.
    static SWITCH: Mutex<()> = Mutex::new(());
    let guard = SWITCH.lock();
    pest::set_error_detail(true);
    let result = Grammar::parse(rule, piece);
    pest::set_error_detail(false);
    drop(guard);
    let attempts = match result {
        Err(error) => error.parse_attempts(),
        Ok(_) => None,
    };
    let Some(attempts) = attempts else {
        return Stop {
            position: 0,
            expected: BTreeSet::new(),
        };
    };
    let tokens = attempts.expected_tokens();
    Stop {
        position: attempts.max_position.min(piece.len()),
        expected: tokens
            .iter()
            .filter_map(|token| expected(&token.to_string()))
            .collect(),
    }
}

/// pest keeps the type of its tokens to itself; what it prints is a string of the grammar, or a range such as `a..z`.
fn expected(token: &str) -> Option<Expected> {
    match token {
        "0..9" => Some(Expected::Number),
        "a..z" | "A..Z" => Some(Expected::Name),
        "\"" => Some(Expected::Text),
        "-" | "0x" => Some(Expected::Number),
        // Blanks and comments may stand anywhere, annotations and docs nearly so.
        " " | "\t" | "\r" | "\n" | "//" | "///" | "/*" | "/" | "@" | "_" | "." | "\\" => None,
        range if range.contains("..") && range != ".." => None,
        unit if UNITS.contains(&unit) => None,
        other => Some(Expected::Token(other.to_owned())),
    }
}

const UNITS: &[&str] = &[
    "ns", "us", "ms", "s", "min", "m", "h", "d", "KiB", "MiB", "GiB",
];

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// The token before `position`.
fn last_token(piece: &[u8], at: usize, position: usize) -> Option<Token> {
    let mut last = None;
    let mut from = at;
    while let Some(token) = scan::next(piece, from) {
        if token.start >= position {
            break;
        }
        from = token.end;
        last = Some(token);
    }
    last
}

struct Describe<'t> {
    text: &'t str,
    file: FileId,
    found: Option<Token>,
    last: Option<Token>,
}

impl Describe<'_> {
    fn draft(&self, rule: Rule, wanted: &BTreeSet<Expected>) -> Draft {
        match self.found.map(|token| token.kind) {
            Some(Kind::Doc) => return self.stray_doc(),
            Some(Kind::Text(false)) => return self.open_text(self.found),
            Some(Kind::Other) => return self.foreign_letter(),
            _ => {}
        }
        if self.last.is_some_and(|last| last.kind == Kind::Text(false)) {
            return self.open_text(self.last);
        }
        let is_stray = self.last.is_some_and(|last| last.kind == Kind::Doc)
            && !matches!(self.found.map(|token| token.kind), Some(Kind::Word));
        if is_stray {
            return self.stray_doc();
        }
        let separator = [";", ","]
            .into_iter()
            .find(|mark| wanted.contains(&Expected::Token((*mark).to_owned())));
        if let (Some(mark), Some(last)) = (separator, self.last)
            && (self.is_on_later_line(last) || (mark == ";" && self.found_text() == "}"))
        {
            return self.missing(mark, last);
        }
        self.unexpected(rule, wanted)
    }

    fn found_text(&self) -> &str {
        self.found
            .map_or("", |found| &self.text[found.start..found.end])
    }

    fn is_on_later_line(&self, last: Token) -> bool {
        let next = self.found.map_or(self.text.len(), |found| found.start);
        let between = self.text.get(last.end..next).unwrap_or("");
        between.contains('\n') || self.found.is_none()
    }

    fn missing(&self, mark: &str, last: Token) -> Draft {
        let span = Span::new(last.end, last.end);
        let draft = Draft::new(
            codes::SYNTAX,
            Span::new(last.start, last.end).at(self.file),
            format!("expected `{mark}` after {}", self.name(last)),
        );
        draft.suggest(format!("write `{mark}`"), span, mark)
    }

    fn unexpected(&self, rule: Rule, wanted: &BTreeSet<Expected>) -> Draft {
        let (span, found) = match self.found {
            Some(token) => (Span::new(token.start, token.end), self.name(token)),
            None => {
                let end = self.last.map_or(0, |last| last.end);
                (Span::new(end, end), "the end of the text".to_owned())
            }
        };
        let is_definition = rule == Rule::item
            && wanted.contains(&Expected::Token("struct".into()))
            && wanted.contains(&Expected::Token("const".into()));
        let list = if is_definition {
            "a definition such as `struct`, `enum` or `service`".to_owned()
        } else {
            list(wanted)
        };
        let message = format!("expected {list}, found {found}");
        let mut draft = Draft::new(codes::SYNTAX, span.at(self.file), message)
            .label(format!("expected {list}"));
        let word = span.of(self.text);
        if word == "}" && is_definition {
            return draft.help("there is no open body that this brace could close");
        }
        let words = wanted.iter().filter_map(|want| match want {
            Expected::Token(token) if token.len() > 2 => Some(token.as_str()),
            _ => None,
        });
        let wants = |token: &str| wanted.contains(&Expected::Token(token.to_owned()));
        match word {
            ";" if wants(",") => return draft.suggest("members end with a comma", span, ","),
            ";" if wants("{") => return draft.suggest("an empty body is a body too", span, " {}"),
            _ => {}
        }
        let last = self
            .last
            .map_or("", |last| &self.text[last.start..last.end]);
        if let Some(hint) = hint(rule, last, word, wants) {
            return draft.help(hint);
        }
        if let Some(near) = suggest::nearest(word, words) {
            draft = draft.suggest(format!("`{near}` is spelt alike"), span, near);
        }
        draft
    }

    fn stray_doc(&self) -> Draft {
        let doc = match self.found {
            Some(token) if token.kind == Kind::Doc => Some(token),
            _ => self.last,
        };
        let (start, end) = doc.map_or((0, 0), |token| (token.start, token.end));
        let message = "this doc comment describes nothing";
        Draft::new(
            codes::STRAY_DOC,
            Span::new(start, end).at(self.file),
            message,
        )
        .label("`///` must stand before a definition or member")
        .suggest(
            "write `//` for a plain comment",
            Span::new(start, (start + 3).min(end.max(start))),
            "//",
        )
    }

    fn open_text(&self, text: Option<Token>) -> Draft {
        let (start, end) = text.map_or((0, 0), |token| (token.start, token.end));
        let message = "a string is not closed";
        Draft::new(codes::SYNTAX, Span::new(start, end).at(self.file), message)
            .label("starts here")
            .help("a string ends on the line it starts on; write `\\n` for a line break")
    }

    fn foreign_letter(&self) -> Draft {
        let (start, end) = self.found.map_or((0, 0), |token| (token.start, token.end));
        let letter = &self.text[start..end];
        let message = format!("unexpected character `{letter}`");
        Draft::new(codes::SYNTAX, Span::new(start, end).at(self.file), message)
            .help("outside of strings and comments the text is ASCII")
    }

    fn name(&self, token: Token) -> String {
        let text = &self.text[token.start..token.end];
        match token.kind {
            Kind::Text(_) => "a string".to_owned(),
            Kind::Word if text.len() > 60 => "a very long word".to_owned(),
            _ => format!("`{text}`"),
        }
    }
}

/// How to mend mistakes that many make.
fn hint(rule: Rule, last: &str, found: &str, wants: impl Fn(&str) -> bool) -> Option<&'static str> {
    let is_word = found.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let starts = matches!(last, "" | "{" | "}" | "," | ";");
    let general = match (last, found) {
        ("optional", _) if is_word => "an optional type has a question mark: `string?`",
        ("repeated", _) if is_word => "many of a type are a list: `list<string>`",
        ("required", _) if is_word => {
            "leave the word out; a field without `?` and without a default is required"
        }
        ("stream", _) if is_word && wants(":") => {
            "`stream` stands before the type: `name: stream T`"
        }
        ("stream", _) if is_word => "only a parameter or a result can be a stream",
        (_, "pub" | "public" | "async" | "static" | "export" | "abstract") => {
            "leave the word out; all definitions are public and all methods asynchronous"
        }
        (_, "#") => "comments start with `//`",
        (_, "'") => "strings stand in double quotes",
        (_, "@") if !starts => "annotations stand before what they describe",
        (_, ":") if wants("=") && wants(")") => "arguments are written `name = value`",
        (_, ".") if last.starts_with(|c: char| c.is_ascii_digit()) => {
            "bounds are written `min = 0, max = 9`; in `reserved` a range is `3..9`, without blanks"
        }
        (_, "^" | "[" | "\\") if last == "(" => "a pattern stands in quotes",
        _ => "",
    };
    if !general.is_empty() {
        return Some(general);
    }
    match rule {
        Rule::item => item_hint(last, found, wants),
        Rule::service_member => method_hint(last, found, is_word && starts, wants),
        Rule::struct_member | Rule::enum_member | Rule::union_member => {
            member_hint(rule, last, found, is_word && starts, wants)
        }
        _ => None,
    }
}

fn item_hint(last: &str, found: &str, wants: impl Fn(&str) -> bool) -> Option<&'static str> {
    Some(match found {
        "extends" if wants("{") => {
            "only services extend others; let it have a field of that type instead"
        }
        ":" if wants("extends") => "the services that it takes over stand after `extends`",
        ":" if wants("=") => "an alias is written `type Id = u64;`",
        "=" if wants(":") => "a constant has a type: `const MAX: u32 = 5;`",
        _ if !wants("struct") || !matches!(last, "" | ";" | "}") => return None,
        "use" | "using" | "include" | "require" | "from" => {
            "a package is imported by its name: `import acme.common.v1;`"
        }
        "interface" | "trait" | "protocol" | "api" => "it is a `service` here",
        "class" | "record" | "data" | "table" | "type_def" | "model" => "it is a `struct` here",
        "oneof" | "variant" => "it is a `union` here",
        "module" | "mod" | "namespace" => {
            "the package stands once, at the top: `package acme.user.v1;`"
        }
        "let" | "var" | "val" => "it is a `const` here, with a type: `const MAX: u32 = 5;`",
        "fn" | "func" | "function" | "def" | "rpc" | "oneway" => "methods stand in a `service`",
        _ => return None,
    })
}

fn method_hint(
    last: &str,
    found: &str,
    starts_with_word: bool,
    wants: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    let is_word = found.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    Some(match (last, found) {
        (_, "rpc" | "def" | "func" | "function") => "a method starts with `fn`",
        ("throws", "(") => "one error type stands after `throws`, without brackets",
        ("->", "(") => "there are no tuples; return a `struct`",
        (_, "[") => TYPE_BRACKETS,
        (_, "&") if !wants(",") && !wants(")") => NO_REFERENCES,
        (_, ")" | "," | "&") if wants(":") => {
            "a parameter is written `name: type`, and there is no `self`"
        }
        (_, _) if is_word && wants(":") => "a parameter is written `name: type`, the name first",
        (_, ",") => "a method throws one error type; its variants say what went wrong",
        (")", ":" | "=") => "what comes back follows `->`",
        (")", "throw" | "raises" | "returns") => return None,
        (")", _) if is_word => "what comes back follows `->`, the error follows `throws`",
        _ if starts_with_word => "a method is written `fn name(param: type) -> type;`",
        _ => return None,
    })
}

fn member_hint(
    rule: Rule,
    last: &str,
    found: &str,
    starts_with_word: bool,
    wants: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    Some(match (rule, found) {
        (_, "&") => NO_REFERENCES,
        (Rule::union_member, ",") if wants(")") => {
            "a variant carries one value; more are fields: `1: Rect { 1: w: f64, 2: h: f64 }`"
        }
        (Rule::union_member, ":") if wants("(") => {
            "what a variant carries stands in brackets: `1: Circle(f64)`"
        }
        (Rule::struct_member | Rule::union_member, "[") => TYPE_BRACKETS,
        (Rule::struct_member, "(") if last == ":" => {
            "there are no tuples; define a `struct`, or use `array<T, N>`"
        }
        (Rule::enum_member, _) if starts_with_word => {
            "values start with their number, which is what is on the wire: `0: Name`"
        }
        (Rule::union_member, _) if starts_with_word && wants("reserved") && !wants("}") => {
            "variants start with their number, which is what is on the wire: `1: Name(type)`"
        }
        _ if starts_with_word => {
            "members start with their number, which is what is on the wire: `1: name: type`"
        }
        _ => return None,
    })
}

const TYPE_BRACKETS: &str = "a list is `list<T>`, one of fixed length `array<T, N>`";
const NO_REFERENCES: &str = "there are no references; write the type alone";

/// "`,`, `;` or a name".
fn list(wanted: &BTreeSet<Expected>) -> String {
    let has = |token: &str| wanted.contains(&Expected::Token(token.to_owned()));
    if has("[") && has("{") && wanted.contains(&Expected::Text) {
        return "a value".to_owned();
    }
    let words: Vec<String> = wanted
        .iter()
        .map(|want| match want {
            Expected::Name => "a name".to_owned(),
            Expected::Number => "a number".to_owned(),
            Expected::Text => "a string".to_owned(),
            Expected::Token(token) => format!("`{token}`"),
        })
        .collect();
    match words.as_slice() {
        [] => "something else".to_owned(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} or {last}", some.join(", ")),
    }
}
