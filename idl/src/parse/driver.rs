//! Reads a file definition by definition, and goes on after each that is wrong.
//!
//! A definition that follows the grammar is read at once. One that does not is read again member by member, so that
//! its good members exist and each bad one is reported; the next definition is found by its brackets.

use pest::Parser as _;
use pest::iterators::Pair;

use crate::ast::{File, Item, ItemKind, Payload, Record};
use crate::codes;
use crate::diagnostic::{Draft, Sink};
use crate::grammar::{Grammar, Rule};
use crate::parse::tree::{Builder, Member, add_member};
use crate::parse::{expected, foreign, scan};
use crate::source::{FileId, Place, Span};

/// Longest text that is read.
pub(crate) const MAX_FILE: usize = 16 << 20;

/// Reads one file; what cannot be read is reported and left out.
pub(crate) fn read(id: FileId, text: &str, sink: &mut Sink) -> File {
    let file = File {
        id,
        ..File::default()
    };
    let mut driver = Driver {
        text,
        file,
        sink,
        has_items: false,
    };
    if driver.accepts_text() {
        driver.comments();
        driver.items();
    }
    driver.file.items.shrink_to_fit();
    driver.file.comments.shrink_to_fit();
    driver.file
}

struct Driver<'t, 's> {
    text: &'t str,
    file: File,
    sink: &'s mut Sink,
    has_items: bool,
}

impl Driver<'_, '_> {
    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Span::new(start, end).at(self.file.id)
    }

    fn accepts_text(&mut self) -> bool {
        if self.text.len() > MAX_FILE {
            let size = self.text.len();
            let message = format!("the file has {size} bytes, and {MAX_FILE} are allowed");
            let draft = Draft::new(codes::TOO_BIG, self.place(0, 0), message);
            self.sink
                .report(draft.help("split the package: it may be spread over any number of files"));
            return false;
        }
        if let Some(at) = self.bytes().iter().position(|byte| *byte == 0) {
            let message = format!("the file contains a NUL byte at offset {at}");
            let draft = Draft::new(codes::NUL_BYTE, self.place(at, at + 1), message);
            self.sink
                .report(draft.help("save the file as UTF-8 text; is it perhaps UTF-16?"));
            return false;
        }
        true
    }

    /// Fills the side table of comments.
    fn comments(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at = scan::next(bytes, at).map_or(bytes.len(), |token| token.end),
                b'/' => match scan::comment_end(bytes, at) {
                    Some(end) => {
                        self.comment(at, end);
                        at = end;
                    }
                    None if bytes[at..].starts_with(b"///") => at = scan::line_end(bytes, at),
                    None => at += 1,
                },
                _ => at += 1,
            }
        }
    }

    fn comment(&mut self, start: usize, end: usize) {
        let bytes = self.text.as_bytes();
        if bytes[start + 1] == b'*' && scan::block_end(bytes, start).is_none() {
            let draft = Draft::new(
                codes::OPEN_COMMENT,
                self.place(start, start + 2),
                "this comment is not closed",
            );
            self.sink
                .report(draft.label("starts here").help("end it with `*/`"));
        }
        self.file.comments.push(Span::new(start, end));
    }

    fn items(&mut self) {
        let mut at = if self.text.starts_with('\u{feff}') {
            3
        } else {
            0
        };
        loop {
            at = scan::skip_trivia(self.bytes(), at);
            if at >= self.text.len() || self.sink.is_full() {
                return;
            }
            let next = self.item_at(at);
            debug_assert!(next > at);
            at = next.max(at + 1);
        }
    }

    /// Reads what starts at `at` and says where it ends.
    fn item_at(&mut self, at: usize) -> usize {
        let extent = scan::item_extent(self.bytes(), at);
        if let Some(deep) = extent.too_deep {
            let limit = scan::MAX_DEPTH;
            let message = format!("brackets nest more than {limit} deep");
            let draft = Draft::new(codes::TOO_DEEP, self.place(deep, deep + 1), message);
            self.sink.report(draft.label("one too many"));
            return extent.end;
        }
        let rest = &self.text[at..extent.end];
        let rule = self.line_rule(at);
        match Grammar::parse(rule, rest) {
            Ok(mut pairs) => {
                let Some(pair) = pairs.next() else {
                    return extent.end;
                };
                let end = at + pair.as_span().end();
                self.good(at, pair);
                end
            }
            Err(_) if rule == Rule::item => self.broken_item(at, extent.end),
            Err(_) => self.broken_line(rule, at, extent.end),
        }
    }

    /// What the first word after docs and annotations announces.
    fn line_rule(&self, at: usize) -> Rule {
        match &self.text[self.first_word(at)] {
            "package" => Rule::package,
            "import" => Rule::import,
            _ => Rule::item,
        }
    }

    /// The first word that is not part of a doc comment or annotation.
    fn first_word(&self, at: usize) -> std::ops::Range<usize> {
        let bytes = self.bytes();
        let mut at = at;
        let mut depth = 0_usize;
        let mut name_follows = false;
        while let Some(token) = scan::next(bytes, at) {
            match token.kind {
                scan::Kind::Doc => {}
                scan::Kind::Mark(b'@' | b'.') => name_follows = true,
                scan::Kind::Mark(b'(' | b'[' | b'{') => depth += 1,
                scan::Kind::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                scan::Kind::Word if depth == 0 && !name_follows => return token.start..token.end,
                _ if depth == 0 && !name_follows => return token.start..token.start,
                _ => name_follows = false,
            }
            at = token.end;
        }
        at..at
    }

    fn good(&mut self, at: usize, pair: Pair<'_, Rule>) {
        let builder = Builder { base: at };
        match pair.as_rule() {
            Rule::package => {
                let package = builder.package(pair);
                self.package(package);
            }
            Rule::import => {
                let import = builder.import(pair);
                if self.has_items {
                    let place = import.span.at(self.file.id);
                    let message = "imports stand before the definitions";
                    self.sink.report(
                        Draft::new(codes::MISPLACED, place, message)
                            .help("move this line up, below the `package` line"),
                    );
                }
                self.file.imports.push(import);
            }
            _ => {
                self.has_items = true;
                self.file.items.push(builder.item(pair));
            }
        }
    }

    fn package(&mut self, package: crate::ast::Package) {
        let place = package.path.at(self.file.id);
        if let Some(first) = &self.file.package {
            let message = "a file has one `package` line";
            self.sink.report(
                Draft::new(codes::MISPLACED, place, message)
                    .also(first.path.at(self.file.id), "the first one")
                    .help("put the other package into a file of its own"),
            );
            return;
        }
        if self.has_items || !self.file.imports.is_empty() {
            let message = "the `package` line stands at the top of the file";
            self.sink.report(
                Draft::new(codes::MISPLACED, place, message)
                    .help("move it above the imports and definitions"),
            );
        }
        self.file.package = Some(package);
    }

    fn broken_line(&mut self, rule: Rule, at: usize, end: usize) -> usize {
        if let Some(foreign) = foreign::item(self.text, at, end) {
            self.sink.report(foreign.draft(self.file.id));
            return foreign.end;
        }
        let draft = expected::explain(rule, self.text, at, end, self.file.id);
        self.sink.report(draft);
        // The name is wanted: without it everything below would be reported as well.
        if rule == Rule::package && self.file.package.is_none() {
            let word = self.first_word(at);
            if let Some(path) = self.path_after(word.end, end) {
                self.file.package = Some(crate::ast::Package {
                    head: crate::ast::Head::default(),
                    path,
                });
            }
        }
        end
    }

    /// A dotted name at or after `at`.
    fn path_after(&self, at: usize, end: usize) -> Option<Span> {
        let start = scan::skip_trivia(self.bytes(), at);
        let pairs = Grammar::parse(Rule::path, self.text.get(start..end)?).ok()?;
        let length = pairs.as_str().len();
        Some(Span::new(start, start + length))
    }

    fn broken_item(&mut self, at: usize, end: usize) -> usize {
        if let Some(foreign) = foreign::item(self.text, at, end) {
            self.sink.report(foreign.draft(self.file.id));
            self.file.broken.extend(foreign.name);
            return foreign.end.max(at + 1);
        }
        self.has_items = true;
        let header = Grammar::parse(Rule::header, &self.text[at..end]);
        if let Some(pair) = header.ok().and_then(|mut pairs| pairs.next()) {
            let body = at + pair.as_span().end();
            let item = Builder { base: at }.item(pair);
            return self.broken_body(item, body, end);
        }
        let draft = expected::explain(Rule::item, self.text, at, end, self.file.id);
        self.sink.report(draft);
        let mut word = self.first_word(at);
        if &self.text[word.clone()] == "closed" {
            word = self.first_word(word.end);
        }
        // Even if the first word is misspelt, the second is the name of what was meant.
        if !word.is_empty() {
            let name = self.path_after(word.end, end);
            self.file.broken.extend(name);
        }
        end
    }

    /// Reads the members of a body one by one.
    fn broken_body(&mut self, mut item: Item, body: usize, end: usize) -> usize {
        let rule = match &item.kind {
            ItemKind::Enum(_) => Rule::enum_member,
            ItemKind::Union(_) | ItemKind::Error(_) => Rule::union_member,
            ItemKind::Service(_) => Rule::service_member,
            _ => Rule::struct_member,
        };
        let mut at = body;
        let after = loop {
            at = scan::skip_trivia(&self.bytes()[..end], at);
            if at >= end {
                self.open_body(&item, body, end);
                break end;
            }
            if self.bytes()[at] == b'}' {
                break self.after_semicolon(at + 1, end);
            }
            if self.sink.is_full() {
                break end;
            }
            at = self.member_at(&mut item.kind, rule, at, end);
        };
        self.file.items.push(item);
        after
    }

    fn member_at(&mut self, kind: &mut ItemKind, rule: Rule, at: usize, end: usize) -> usize {
        if let Ok(mut pairs) = Grammar::parse(rule, &self.text[at..end])
            && let Some(pair) = pairs.next()
        {
            let next = at + pair.as_span().end();
            add_member(kind, Builder { base: at }.member(pair));
            return next.max(at + 1);
        }
        if rule == Rule::union_member
            && let Some(next) = self.broken_variant(kind, at, end)
        {
            return next;
        }
        let next =
            scan::member_end(&self.bytes()[..end], at, rule != Rule::service_member).max(at + 1);
        let foreign = foreign::member(rule, self.text, at, end);
        let draft = match &foreign {
            Some(foreign) => foreign.draft(self.file.id),
            None => expected::explain(rule, self.text, at, next.min(end), self.file.id),
        };
        self.sink.report(draft);
        foreign.map_or(next, |foreign| foreign.end.max(at + 1))
    }

    /// Reads the fields of a variant one by one; nothing if the fault is not in its fields.
    fn broken_variant(&mut self, kind: &mut ItemKind, at: usize, end: usize) -> Option<usize> {
        let mut pairs = Grammar::parse(Rule::variant_h, &self.text[at..end]).ok()?;
        let pair = pairs.next()?;
        let mut place = at + pair.as_span().end();
        let mut variant = Builder { base: at }.variant(pair);
        let mut fields = ItemKind::Struct(Record::default());
        let mut is_broken = false;
        loop {
            place = scan::skip_trivia(&self.bytes()[..end], place);
            if place >= end || self.sink.is_full() {
                return is_broken.then_some(end);
            }
            if self.bytes()[place] == b'}' {
                break;
            }
            is_broken |= Grammar::parse(Rule::struct_member, &self.text[place..end]).is_err();
            place = self.member_at(&mut fields, Rule::struct_member, place, end);
        }
        if !is_broken {
            return None;
        }
        if let ItemKind::Struct(record) = fields {
            variant.payload = Payload::Record(record);
        }
        add_member(kind, Member::Variant(variant));
        let after = place + 1;
        match scan::next(&self.bytes()[..end], after) {
            Some(token) if token.kind == scan::Kind::Mark(b',') => Some(token.end),
            _ => Some(after),
        }
    }

    fn open_body(&mut self, item: &Item, body: usize, end: usize) {
        let place = self.place(body.saturating_sub(1), body);
        let name = item.name.of(self.text);
        let draft = Draft::new(
            codes::SYNTAX,
            place,
            format!("the body of `{name}` is not closed"),
        )
        .label("this brace is not closed")
        .also(self.place(end, end), "a `}` is missing before this");
        self.sink.report(draft);
    }

    fn after_semicolon(&self, at: usize, end: usize) -> usize {
        match scan::next(&self.bytes()[..end], at) {
            Some(token) if token.kind == scan::Kind::Mark(b';') => token.end,
            _ => at,
        }
    }
}
