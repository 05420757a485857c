//! Draws a diagnostic the way rustc does.

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet, Title,
};

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{Place, Source, Sources, Span};

pub(crate) fn render(diagnostic: &Diagnostic, sources: &Sources, colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&groups(diagnostic, sources))
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Group<'a>> {
    let mut main = level_title(diagnostic).elements(snippets(diagnostic, sources));
    if let Some(place) = out_of_sight(diagnostic, sources) {
        main = level_title(diagnostic).element(place);
    }
    for help in &diagnostic.help {
        main = main.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![main];
    if let (Some(suggestion), Some(primary)) = (&diagnostic.suggestion, &diagnostic.primary) {
        let source = sources.get(primary.place.file);
        let spans = suggestion.edits.iter().map(|(span, _)| *span);
        let window = Window::around(source, spans);
        if window.text.len() > MAX_WINDOW {
            return groups;
        }
        let patches = suggestion
            .edits
            .iter()
            .map(|(span, text)| Patch::new(window.range(*span), text.as_str()));
        let snippet = Snippet::source(window.text)
            .line_start(window.line)
            .path(source.path.as_str())
            .patches(patches);
        let title = Level::HELP.secondary_title(suggestion.title.as_str());
        groups.push(title.element(snippet));
    }
    groups
}

fn level_title(diagnostic: &Diagnostic) -> Title<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code)
}

/// More than this is not drawn: no person wrote such lines.
const MAX_WINDOW: usize = 32 << 10;

/// The place alone, when the lines around the labels are too long to be drawn.
fn out_of_sight<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Option<Origin<'a>> {
    let mut labels = diagnostic.primary.iter().chain(&diagnostic.secondary);
    let is_long = labels.any(|label| {
        let source = sources.get(label.place.file);
        let window = Window::around(source, std::iter::once(label.place.span));
        window.text.len() > MAX_WINDOW
    });
    is_long.then(|| {
        Origin::path(diagnostic.path.as_str())
            .line(diagnostic.line as usize)
            .char_column(diagnostic.col as usize)
    })
}

/// One snippet per neighbourhood of labels, the primary one first.
fn snippets<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Element<'a>> {
    let Some(primary) = &diagnostic.primary else {
        return vec![Origin::path(diagnostic.path.as_str()).into()];
    };
    let mut near = vec![(primary, AnnotationKind::Primary)];
    let mut far = Vec::new();
    for label in &diagnostic.secondary {
        if is_near(primary.place, label.place, sources) {
            near.push((label, AnnotationKind::Context));
        } else {
            far.push(vec![(label, AnnotationKind::Context)]);
        }
    }
    std::iter::once(near)
        .chain(far)
        .map(|labels| snippet(&labels, sources).into())
        .collect()
}

/// Labels further apart than this many lines are drawn apart.
const NEAR: u32 = 200;

fn is_near(a: Place, b: Place, sources: &Sources) -> bool {
    let line = |place: Place| sources.get(place.file).line(place.span.start);
    a.file == b.file && line(a).abs_diff(line(b)) <= NEAR
}

fn snippet<'a>(
    labels: &[(&'a Label, AnnotationKind)],
    sources: &'a Sources,
) -> Snippet<'a, Annotation<'a>> {
    let Some((first, _)) = labels.first() else {
        return Snippet::source("");
    };
    let source = sources.get(first.place.file);
    let window = Window::around(source, labels.iter().map(|(label, _)| label.place.span));
    let annotations = labels.iter().map(|(label, kind)| {
        let annotation = kind.span(window.range(label.place.span));
        if label.text.is_empty() {
            annotation
        } else {
            annotation.label(label.text.as_str())
        }
    });
    Snippet::source(window.text)
        .line_start(window.line)
        .path(source.path.as_str())
        .annotations(annotations)
}

/// The lines that some spans touch: the renderer walks all it is given, and a file may have 16 MiB.
struct Window<'a> {
    text: &'a str,
    start: u32,
    line: usize,
}

impl<'a> Window<'a> {
    fn around(source: &'a Source, spans: impl Iterator<Item = Span> + Clone) -> Self {
        let first = spans.clone().map(|span| span.start).min().unwrap_or(0);
        let last = spans.map(|span| span.end).max().unwrap_or(0);
        let line = source.line(first);
        let start = source.line_start(line);
        let end = source.line_start(source.line(last) + 1);
        Self {
            text: Span { start, end }.of(&source.text),
            start,
            line: line as usize,
        }
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let start = (span.start - self.start) as usize;
        let end = (span.end.max(span.start) - self.start) as usize;
        start.min(self.text.len())..end.min(self.text.len())
    }
}
