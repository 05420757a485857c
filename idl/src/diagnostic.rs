//! What is wrong, where, and how to mend it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::codes::Code;
use crate::render;
use crate::source::{FileId, Place, Sources, Span};

/// Errors beyond this many are counted but not kept.
pub const MAX_ERRORS: usize = 50;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be generated from this.
    Error,
    /// Worth knowing; the model is complete.
    Warning,
}

/// One finding.
#[derive(Clone)]
pub struct Diagnostic {
    /// Such as `E0012`; every code is in [`codes`](crate::codes).
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Path of the file, as it was given.
    pub path: String,
    /// 1-based line; 0 when the finding is about the file as a whole.
    pub line: u32,
    /// 1-based column in characters; 0 when the finding is about the file as a whole.
    pub col: u32,
    /// The place the finding is about, with a few words that stand under it.
    pub primary: Option<Label>,
    /// Other places that explain it.
    pub secondary: Vec<Label>,
    /// How to mend it.
    pub help: Vec<String>,
    /// Edits that mend it, where a machine can.
    pub suggestion: Option<Suggestion>,
    sources: Arc<Sources>,
}

/// A place and the words that stand under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// A few words, possibly none.
    pub text: String,
}

/// Edits that mend a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What the edits do, such as "write a comma".
    pub title: String,
    /// Each replaces a span, all in the file of the diagnostic.
    pub edits: Vec<(Span, String)>,
}

/// Everything found in one run, in the order of files and places.
#[derive(Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    more_errors: usize,
}

impl Diagnostics {
    /// All findings, errors and warnings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Number of errors kept, at most [`MAX_ERRORS`].
    pub fn error_count(&self) -> usize {
        let errors = self.iter().filter(|d| d.severity == Severity::Error);
        errors.count()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All findings as rustc would print them, without colour.
    pub fn render(&self) -> String {
        self.render_each(Diagnostic::rendered)
    }

    /// All findings as rustc would print them, with ANSI colours.
    pub fn render_coloured(&self) -> String {
        self.render_each(Diagnostic::rendered_coloured)
    }

    /// One line each: `path:line:col: error[E0012]: message`.
    pub fn render_short(&self) -> String {
        let mut out = String::new();
        for diagnostic in &self.list {
            out.push_str(&diagnostic.short());
            out.push('\n');
        }
        self.push_more(&mut out);
        out
    }

    fn render_each(&self, one: fn(&Diagnostic) -> String) -> String {
        let mut out = String::new();
        for diagnostic in &self.list {
            out.push_str(&one(diagnostic));
            out.push_str("\n\n");
        }
        self.push_more(&mut out);
        out
    }

    fn push_more(&self, out: &mut String) {
        if self.more_errors > 0 {
            let count = self.more_errors;
            out.push_str(&format!("error: {count} more errors are not shown\n"));
        }
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render_short())
    }
}

impl Diagnostic {
    /// As rustc would print it, without colour.
    pub fn rendered(&self) -> String {
        render::render(self, &self.sources, false)
    }

    /// As rustc would print it, with ANSI colours.
    pub fn rendered_coloured(&self) -> String {
        render::render(self, &self.sources, true)
    }

    /// `path:line:col: error[E0012]: message`.
    pub fn short(&self) -> String {
        let word = self.severity.word();
        let (path, code, message) = (&self.path, self.code, &self.message);
        if self.line == 0 {
            format!("{path}: {word}[{code}]: {message}")
        } else {
            let (line, col) = (self.line, self.col);
            format!("{path}:{line}:{col}: {word}[{code}]: {message}")
        }
    }
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl Severity {
    /// `error` or `warning`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A finding under construction: everything but its file's path and line.
#[derive(Debug)]
pub(crate) struct Draft {
    code: &'static Code,
    message: String,
    path: String,
    primary: Option<Label>,
    secondary: Vec<Label>,
    help: Vec<String>,
    suggestion: Option<Suggestion>,
}

impl Draft {
    pub(crate) fn new(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: String::new(),
            primary: Some(Label {
                place,
                text: String::new(),
            }),
            secondary: Vec::new(),
            help: Vec::new(),
            suggestion: None,
        }
    }

    /// About a file as a whole, one that may not even exist.
    pub(crate) fn of_path(code: &'static Code, path: String, message: impl Into<String>) -> Self {
        let mut draft = Self::new(code, Place::default(), message);
        draft.path = path;
        draft.primary = None;
        draft
    }

    pub(crate) fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    pub(crate) fn also(mut self, place: Place, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            place,
            text: text.into(),
        });
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    pub(crate) fn help_if(self, text: Option<String>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }

    pub(crate) fn suggest(
        mut self,
        title: impl Into<String>,
        span: Span,
        text: impl Into<String>,
    ) -> Self {
        self.suggestion = Some(Suggestion {
            title: title.into(),
            edits: vec![(span, text.into())],
        });
        self
    }
}

/// Collects findings: each place and code once, and not without end.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    drafts: Vec<Draft>,
    seen: HashSet<(&'static str, String, Option<Place>)>,
    errors: usize,
    warnings: usize,
    more_errors: usize,
}

impl Sink {
    pub(crate) fn report(&mut self, mut draft: Draft) {
        draft.shorten();
        let place = draft.primary.as_ref().map(|label| label.place);
        let key = (draft.code.id, draft.path.clone(), place);
        if self.seen.contains(&key) {
            return;
        }
        let kept = match draft.code.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *kept >= MAX_ERRORS {
            self.more_errors += usize::from(draft.code.severity == Severity::Error);
            return;
        }
        *kept += 1;
        self.seen.insert(key);
        self.drafts.push(draft);
    }

    /// Takes over what was found elsewhere.
    pub(crate) fn append(&mut self, other: Self) {
        other
            .drafts
            .into_iter()
            .for_each(|draft| self.report(draft));
        self.more_errors += other.more_errors;
    }

    /// Whether another error would not be kept; work done only for its words may be left out.
    pub(crate) fn is_full(&self) -> bool {
        self.errors >= MAX_ERRORS
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Files that something was found in.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileId> {
        self.drafts.iter().flat_map(Draft::files)
    }

    /// Sorts by place, and gives each finding its path, line and column.
    pub(crate) fn finish(mut self, mut sources: Sources) -> Diagnostics {
        if self.drafts.is_empty() {
            return Diagnostics::default();
        }
        self.drafts.sort_by(|a, b| {
            let key = |d: &Draft| (d.primary.as_ref().map(|label| label.place), d.code.id);
            key(a).cmp(&key(b))
        });
        let needed: HashSet<FileId> = self.drafts.iter().flat_map(Draft::files).collect();
        sources.keep_texts_of(|file| needed.contains(&file));
        let sources = Arc::new(sources);
        let list = self.drafts.into_iter();
        Diagnostics {
            list: list.map(|draft| draft.finish(&sources)).collect(),
            more_errors: self.more_errors,
        }
    }
}

/// Words longer than this are cut: a hostile name may have megabytes.
const MAX_WORDS: usize = 2000;

impl Draft {
    fn shorten(&mut self) {
        let labels = self.primary.iter_mut().chain(&mut self.secondary);
        let texts = labels.map(|label| &mut label.text).chain(&mut self.help);
        for text in texts.chain([&mut self.message]) {
            if text.len() > MAX_WORDS {
                let end = (0..=MAX_WORDS).rev().find(|at| text.is_char_boundary(*at));
                text.truncate(end.unwrap_or(0));
                text.push('…');
            }
        }
    }

    fn files(&self) -> impl Iterator<Item = FileId> {
        let labels = self.primary.iter().chain(&self.secondary);
        labels.map(|label| label.place.file)
    }

    fn finish(self, sources: &Arc<Sources>) -> Diagnostic {
        let (path, (line, col)) = match &self.primary {
            Some(label) => {
                let source = sources.get(label.place.file);
                (source.path.clone(), source.line_col(label.place.span.start))
            }
            None => (self.path, (0, 0)),
        };
        Diagnostic {
            code: self.code.id,
            severity: self.code.severity,
            message: self.message,
            path,
            line,
            col,
            primary: self.primary,
            secondary: self.secondary,
            help: self.help,
            suggestion: self.suggestion,
            sources: Arc::clone(sources),
        }
    }
}
