//! Source texts, byte spans, and the way from a byte to a line and column.

use std::sync::{Arc, OnceLock};

/// One text to compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as shown in diagnostics, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// Index of a file among those compiled together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// Bytes `start..end` of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A span and the file it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// The bytes.
    pub span: Span,
}

/// Every text of one run.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<Source>,
}

#[derive(Debug)]
pub(crate) struct Source {
    /// Path in diagnostics.
    pub(crate) path: String,
    /// Path in the model: relative to the root that was searched.
    pub(crate) short_path: Arc<String>,
    pub(crate) text: String,
    lines: OnceLock<Vec<u32>>,
}

impl Span {
    /// The bytes `start..end`; files are at most 16 MiB, so that 32 bits hold every offset.
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }

    /// From the start of this span to the end of `other`.
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }

    /// This span in a file.
    pub fn at(self, file: FileId) -> Place {
        Place { file, span: self }
    }

    /// The text of the span; empty where it does not fit `text`.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or("")
    }
}

impl Sources {
    pub(crate) fn push(&mut self, path: String, short_path: String, text: String) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source {
            path,
            short_path: Arc::new(short_path),
            text,
            lines: OnceLock::new(),
        });
        id
    }

    pub(crate) fn get(&self, id: FileId) -> &Source {
        &self.files[id.0 as usize]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len()).map(|index| FileId(index as u32))
    }

    /// Gives up the texts that no diagnostic needs.
    pub(crate) fn keep_texts_of(&mut self, needed: impl Fn(FileId) -> bool) {
        for id in self.ids() {
            if !needed(id) {
                self.files[id.0 as usize].text = String::new();
            }
        }
    }
}

impl Source {
    /// 1-based line of a byte.
    pub(crate) fn line(&self, offset: u32) -> u32 {
        self.line_starts().partition_point(|start| *start <= offset) as u32
    }

    /// 1-based line and column (in characters) of a byte.
    pub(crate) fn line_col(&self, offset: u32) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.line_start(line);
        let before = Span { start, end: offset }.of(&self.text);
        (line, before.chars().count() as u32 + 1)
    }

    /// First byte of a 1-based line; the end of the text for lines beyond.
    pub(crate) fn line_start(&self, line: u32) -> u32 {
        let starts = self.line_starts();
        starts
            .get(line.saturating_sub(1) as usize)
            .copied()
            .unwrap_or(self.text.len() as u32)
    }

    fn line_starts(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let newlines = self.text.bytes().filter(|b| *b == b'\n').count();
            let mut starts = Vec::with_capacity(newlines + 1);
            starts.push(0);
            let after = |(at, _)| at as u32 + 1;
            starts.extend(self.text.match_indices('\n').map(after));
            starts
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let mut sources = Sources::default();
        let id = sources.push("a".into(), "a".into(), "ab\né=x\n".into());
        let source = sources.get(id);
        assert_eq!(source.line_col(0), (1, 1));
        assert_eq!(source.line_col(2), (1, 3));
        assert_eq!(source.line_col(3), (2, 1));
        assert_eq!(source.line_col(5), (2, 2));
        assert_eq!(source.line_col(8), (3, 1));
        assert_eq!(source.line_start(9), 8);
    }
}
