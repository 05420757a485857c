//! Recognises protobuf and Thrift, and shows how the line reads here.
//!
//! Only text that is already known to be wrong comes here, so that nothing is lost by guessing.

use pest::Parser as _;
use pest::iterators::Pair;

use crate::codes::{self, Code};
use crate::diagnostic::Draft;
use crate::grammar::{Grammar, Rule};
use crate::parse::scan;
use crate::resolve::is_builtin;
use crate::source::{FileId, Span};

/// A piece of another language.
pub(crate) struct Foreign {
    code: &'static Code,
    span: Span,
    message: &'static str,
    help: String,
    /// The name it would define.
    pub(crate) name: Option<Span>,
    /// Where to go on.
    pub(crate) end: usize,
}

impl Foreign {
    pub(crate) fn draft(&self, file: FileId) -> Draft {
        Draft::new(self.code, self.span.at(file), self.message).help(&*self.help)
    }
}

/// Reads `text[at..end]` as a member of a protobuf or Thrift body; `rule` says of which body.
pub(crate) fn member(rule: Rule, text: &str, at: usize, end: usize) -> Option<Foreign> {
    let candidates: &[Rule] = match rule {
        Rule::enum_member => &[Rule::proto_enum_v],
        Rule::service_member => &[Rule::proto_rpc, Rule::thrift_method],
        _ => &[Rule::proto_field, Rule::thrift_field],
    };
    let piece = &text[at..end];
    let mut pairs = candidates
        .iter()
        .filter_map(|rule| Grammar::parse(*rule, piece).ok()?.next());
    let pair = pairs.find(is_likely)?;
    let length = pair.as_str().trim_end().len();
    let (code, message): (_, &'static str) = match pair.as_rule() {
        Rule::proto_field => (codes::PROTOBUF, "this is a field as protobuf writes it"),
        Rule::proto_enum_v => (
            codes::PROTOBUF,
            "this is an enum value as protobuf writes it",
        ),
        Rule::proto_rpc => (codes::PROTOBUF, "this is a method as protobuf writes it"),
        Rule::thrift_field => (codes::THRIFT, "this is a field as Thrift writes it"),
        _ => (codes::THRIFT, "this is a method as Thrift writes it"),
    };
    Some(Foreign {
        code,
        span: Span::new(at, at + length),
        message,
        name: None,
        end: at + pair.as_str().len(),
        help: format!("write `{}`", translate(pair)),
    })
}

/// Whether the piece is what it looks like, and not a field of ours without its colon.
fn is_likely(pair: &Pair<'_, Rule>) -> bool {
    if pair.as_rule() == Rule::thrift_method {
        // `fn f()` without its semicolon is ours, and `func f()` comes from elsewhere.
        let words = [
            "fn", "func", "function", "def", "rpc", "async", "pub", "public",
        ];
        return !words.iter().any(|word| {
            let rest = pair.as_str().trim_start().strip_prefix(word);
            rest.is_some_and(|rest| rest.starts_with(char::is_whitespace))
        });
    }
    if pair.as_rule() != Rule::thrift_field {
        return true;
    }
    let mut inner = pair.clone().into_inner();
    let has_label = inner.clone().any(|part| part.as_rule() == Rule::label);
    let ty = inner.find(|part| part.as_rule() == Rule::type_ref);
    let (ty, name) = (
        ty.map_or("", |ty| ty.as_str().trim()),
        inner.next().map_or("", |n| n.as_str()),
    );
    let word = ty.split('<').next().unwrap_or("");
    let is_type = builtin(word) != word
        || is_builtin(word)
        || word.starts_with(|c: char| c.is_ascii_uppercase());
    has_label
        || (is_type && !is_builtin(name) && !name.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Reads `text[at..end]` as a top-level line or definition of protobuf or Thrift.
pub(crate) fn item(text: &str, at: usize, end: usize) -> Option<Foreign> {
    let pair = Grammar::parse(Rule::foreign_item, &text[at..end])
        .ok()?
        .next()?;
    let mut inner = pair.clone().into_inner();
    let length = pair.as_str().len();
    let mut foreign = Foreign {
        code: codes::THRIFT,
        span: Span::new(at, at + pair.as_str().trim_end().len()),
        message: "",
        help: String::new(),
        name: None,
        end: at + length,
    };
    let first = inner.next().map_or("", |pair| pair.as_str());
    match pair.as_rule() {
        Rule::syntax_s => {
            foreign.code = codes::PROTOBUF;
            foreign.message = "files have no `syntax` line";
            foreign.help = "leave it out; a file starts with `package acme.user.v1;`".into();
        }
        Rule::option_s => {
            foreign.code = codes::PROTOBUF;
            foreign.message = "files have no `option` lines";
            foreign.help = "leave it out, or write an annotation such as `@rust(crate = \"…\")` before the `package` line".into();
        }
        Rule::include_s => {
            let is_proto = pair.as_str().starts_with("import");
            foreign.code = if is_proto {
                codes::PROTOBUF
            } else {
                codes::THRIFT
            };
            foreign.message = "packages are imported, never files";
            foreign.help = format!("write `import {};`", package_of(first));
        }
        Rule::namespace_s => {
            let path = inner.next().map_or(first, |pair| pair.as_str());
            foreign.message = "a file says once which package it belongs to";
            foreign.help = format!("write `package {path};`");
        }
        Rule::typedef_s => {
            let name = inner.next()?;
            let old = Grammar::parse(Rule::type_ref, first).ok()?.next()?;
            foreign.message = "this is an alias as Thrift writes it";
            foreign.help = format!("write `type {} = {};`", name.as_str(), type_text(&old));
            let start = at + name.as_span().start();
            foreign.name = Some(Span::new(start, start + name.as_str().len()));
        }
        rule => {
            let is_message = rule == Rule::message_h;
            let word = if is_message { "struct" } else { "error" };
            foreign.code = if is_message {
                codes::PROTOBUF
            } else {
                codes::THRIFT
            };
            foreign.message = if is_message {
                "a record is a `struct`, not a `message`"
            } else {
                "an exception is an `error`, with one variant for each thing that can go wrong"
            };
            let name = Grammar::parse(rule, &text[at..end])
                .ok()?
                .next()?
                .into_inner()
                .next()?;
            let start = at + name.as_span().start();
            foreign.name = Some(Span::new(start, start + first.len()));
            foreign.help = definition(word, first, &members(text, at + length, end));
            foreign.end = end;
        }
    }
    Some(foreign)
}

fn definition(word: &str, name: &str, members: &[String]) -> String {
    let shown = members.iter().take(8);
    let lines: String = shown.map(|member| format!("    {member}\n")).collect();
    let more = if members.len() > 8 { "    …\n" } else { "" };
    if word == "struct" {
        format!("write\nstruct {name} {{\n{lines}{more}}}")
    } else {
        let fields: Vec<_> = members.iter().map(|m| m.trim_end_matches(',')).collect();
        format!(
            "write\nerror {name} {{\n    1: Failed {{ {} }},\n}}",
            fields.join(", ")
        )
    }
}

/// The members of a body, as far as they can be translated.
fn members(text: &str, mut at: usize, end: usize) -> Vec<String> {
    let bytes = &text.as_bytes()[..end];
    let mut found = Vec::new();
    loop {
        at = scan::skip_trivia(bytes, at);
        if at >= end || bytes[at] == b'}' {
            return found;
        }
        let rules = [Rule::proto_field, Rule::thrift_field];
        let piece = &text[at..end];
        let pair = rules
            .into_iter()
            .find_map(|rule| Grammar::parse(rule, piece).ok()?.next());
        match pair {
            Some(pair) if found.len() <= 8 => {
                at += pair.as_str().len().max(1);
                found.push(translate(pair));
            }
            _ => return found,
        }
    }
}

fn translate(pair: Pair<'_, Rule>) -> String {
    match pair.as_rule() {
        Rule::proto_rpc => proto_rpc(pair),
        Rule::thrift_method => thrift_method(pair),
        Rule::proto_enum_v => {
            let mut inner = pair.into_inner();
            let name = inner.next().map_or("", |pair| pair.as_str());
            let number = inner.next().map_or("", |pair| pair.as_str());
            format!("{number}: {},", pascal(name))
        }
        _ => format!("{},", field(pair, true)),
    }
}

/// `proto_field`, `thrift_field` or `thrift_param`, without what follows it.
fn field(pair: Pair<'_, Rule>, numbered: bool) -> String {
    let (mut label, mut number, mut ty, mut name, mut default) =
        ("", "1", String::new(), "", String::new());
    for inner in pair.into_inner() {
        match inner.as_rule() {
            Rule::label => label = inner.as_str(),
            Rule::int => number = inner.as_str(),
            Rule::type_ref => ty = type_text(&inner),
            Rule::ident => name = inner.as_str(),
            Rule::value => default = format!(" = {}", inner.as_str().trim()),
            _ => {}
        }
    }
    let ty = match label {
        "repeated" => format!("list<{ty}>"),
        "optional" => format!("{ty}?"),
        _ => ty,
    };
    let name = snake(name);
    if numbered {
        format!("{number}: {name}: {ty}{default}")
    } else {
        format!("{name}: {ty}{default}")
    }
}

fn proto_rpc(pair: Pair<'_, Rule>) -> String {
    let mut inner = pair.into_inner();
    let name = inner.next().map_or("", |pair| pair.as_str());
    let mut flow = || {
        let arg = inner.next()?.into_inner().next()?;
        let is_stream = arg.as_rule() == Rule::stream_t;
        let word = if is_stream { "stream " } else { "" };
        let ty = if is_stream {
            arg.into_inner()
                .find(|pair| pair.as_rule() == Rule::type_ref)?
        } else {
            arg
        };
        let text = type_text(&ty);
        Some(if text.ends_with("Empty") {
            String::new()
        } else {
            format!("{word}{text}")
        })
    };
    let (argument, answer) = (flow().unwrap_or_default(), flow().unwrap_or_default());
    let params = match argument.as_str() {
        "" => String::new(),
        one if one.starts_with("stream") => format!("requests: {one}"),
        one => format!("request: {one}"),
    };
    let arrow = if answer.is_empty() { "" } else { " -> " };
    format!("fn {}({params}){arrow}{answer};", snake(name))
}

fn thrift_method(pair: Pair<'_, Rule>) -> String {
    let (mut oneway, mut result, mut name) = ("", String::new(), String::new());
    let (mut params, mut throws) = (Vec::new(), String::new());
    for inner in pair.into_inner() {
        match inner.as_rule() {
            Rule::KW_ONEWAY => oneway = "oneway ",
            Rule::type_ref => result = type_text(&inner),
            Rule::ident => name = snake(inner.as_str()),
            Rule::thrift_param => params.push(field(inner, false)),
            Rule::thrift_throws => {
                let mut errors = inner
                    .into_inner()
                    .filter(|p| p.as_rule() == Rule::thrift_param);
                let ty = errors.next().and_then(|error| {
                    error
                        .into_inner()
                        .find(|pair| pair.as_rule() == Rule::type_ref)
                });
                throws = ty.map_or(String::new(), |ty| format!(" throws {}", type_text(&ty)));
            }
            _ => {}
        }
    }
    let params = params.join(", ");
    let arrow = if result == "void" {
        String::new()
    } else {
        format!(" -> {result}")
    };
    format!("{oneway}fn {name}({params}){arrow}{throws};")
}

/// A type with the words of this language.
fn type_text(pair: &Pair<'_, Rule>) -> String {
    let mut out = String::new();
    for inner in pair.clone().into_inner() {
        match inner.as_rule() {
            Rule::path => out.push_str(builtin(inner.as_str())),
            Rule::type_args => {
                let args = inner.into_inner().map(|arg| match arg.as_rule() {
                    Rule::type_ref => type_text(&arg),
                    _ => arg.as_str().to_owned(),
                });
                out.push_str(&format!("<{}>", args.collect::<Vec<_>>().join(", ")));
            }
            _ => out.push('?'),
        }
    }
    out
}

fn builtin(name: &str) -> &str {
    match name {
        "int32" | "sint32" | "sfixed32" => "i32",
        "int64" | "sint64" | "sfixed64" => "i64",
        "uint32" | "fixed32" => "u32",
        "uint64" | "fixed64" => "u64",
        "double" => "f64",
        "float" => "f32",
        "byte" => "i8",
        "binary" => "bytes",
        "google.protobuf.Timestamp" => "timestamp",
        "google.protobuf.Duration" => "duration",
        "google.protobuf.Any" => "any",
        other => other,
    }
}

fn package_of(quoted: &str) -> String {
    let path = quoted.trim_matches('"');
    let path = path
        .strip_suffix(".proto")
        .or_else(|| path.strip_suffix(".thrift"))
        .or_else(|| path.strip_suffix(".idl"))
        .unwrap_or(path);
    let words = path.split(['/', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(".").replace('-', "_")
}

/// `SendMail` and `sendMail` become `send_mail`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 && !out.ends_with('_') {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// `NOT_FOUND` becomes `NotFound`.
fn pascal(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            let shouted = !rest.chars().any(|letter| letter.is_ascii_lowercase());
            let rest = if shouted {
                rest.to_ascii_lowercase()
            } else {
                rest.to_owned()
            };
            first.to_ascii_uppercase() + &rest
        })
        .collect()
}
