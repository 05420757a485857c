//! Text in, model and diagnostics out.

use crate::ast::File;
use crate::diagnostic::{Diagnostics, Severity, Sink};
use crate::model::Model;
use crate::parse::{read, read_all};
use crate::resolve;
use crate::source::{SourceFile, Sources};

/// What came of one run.
#[derive(Debug, Default)]
pub struct Compiled {
    /// All that could be understood. With errors, what is wrong is left out: a member that is wrong is not in its
    /// definition, and an alias that is wrong stands for `any`.
    pub model: Model,
    /// All that was found.
    pub diagnostics: Diagnostics,
}

impl Compiled {
    /// Whether something must be mended before code is generated.
    pub fn has_errors(&self) -> bool {
        let mut all = self.diagnostics.iter();
        all.any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Compiles files together: one model, and everything that is wrong with them.
///
/// Reads no disk and never fails otherwise than by [`Compiled::diagnostics`]. From 512 KiB of text on, other threads help to read the
/// files, no more than there are processors; what is found does not depend on them.
///
/// ```
/// let file = rpc_idl::SourceFile {
///     path: "hello.idl".into(),
///     text: "package hello.v1;\nservice Hello { fn greet(name: string) -> string; }".into(),
/// };
/// let compiled = rpc_idl::compile(vec![file]);
/// assert!(!compiled.has_errors());
/// assert_eq!(compiled.model.services[0].full_name(), "hello.v1.Hello");
/// ```
pub fn compile(files: Vec<SourceFile>) -> Compiled {
    let inputs = files.into_iter().map(|file| Input {
        short_path: file.path.clone(),
        path: file.path,
        text: file.text,
    });
    compile_inputs(inputs.collect(), Sink::default())
}

/// Reads one file without a look at what its names mean: the syntax tree with its comments, and what is wrong with
/// the text. Formatters and editors start from this.
///
/// ```
/// let file = rpc_idl::SourceFile {
///     path: "hello.idl".into(),
///     text: "package hello.v1; // one\ntype Id = u64;".into(),
/// };
/// let (tree, diagnostics) = rpc_idl::parse(file);
/// assert!(diagnostics.is_empty());
/// assert_eq!((tree.items.len(), tree.comments.len()), (1, 1));
/// ```
pub fn parse(file: SourceFile) -> (File, Diagnostics) {
    let mut sources = Sources::default();
    let mut sink = Sink::default();
    let id = sources.push(file.path.clone(), file.path, file.text);
    let tree = read(id, &sources.get(id).text, &mut sink);
    (tree, sink.finish(sources))
}

/// A text with the path that diagnostics show and the one that the model keeps.
pub(crate) struct Input {
    pub(crate) path: String,
    pub(crate) short_path: String,
    pub(crate) text: String,
}

pub(crate) fn compile_inputs(mut inputs: Vec<Input>, mut sink: Sink) -> Compiled {
    inputs.sort_by(|a, b| a.path.cmp(&b.path));
    let mut sources = Sources::default();
    for input in inputs {
        sources.push(input.path, input.short_path, input.text);
    }
    let files = read_all(&sources, &mut sink);
    let model = resolve::resolve(&sources, files, &mut sink);
    Compiled {
        model,
        diagnostics: sink.finish(sources),
    }
}
