//! Any text is compiled or refused, and what is accepted becomes Rust that parses.

use rpc_codegen::{Options, emit_text};
use rpc_idl::{Compiled, SourceFile, compile};

/// Begins another file.
const NEXT_FILE: &str = "\n//# file\n";

/// Compiles the text, as several files where it says so.
///
/// Every place that a diagnostic names lies in its file, every diagnostic can be drawn, the same text gives the same
/// findings twice, and Rust that is generated from a model without errors parses.
pub fn idl_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let files: Vec<SourceFile> = text
        .split(NEXT_FILE)
        .take(4)
        .enumerate()
        .map(|(number, text)| SourceFile {
            path: format!("{number}.idl"),
            text: text.to_owned(),
        })
        .collect();
    let compiled = compile(files.clone());
    check_places(&compiled, &files);
    let drawn = compiled.diagnostics.render();
    assert_eq!(drawn, compile(files).diagnostics.render());
    if !compiled.has_errors() {
        let rust = emit_text(&compiled.model, &Options::default());
        assert!(rust.is_ok(), "{:?}", rust.err());
    }
}

fn check_places(compiled: &Compiled, files: &[SourceFile]) {
    assert!(compiled.diagnostics.error_count() <= rpc_idl::MAX_ERRORS);
    for found in &compiled.diagnostics {
        for label in found.primary.iter().chain(&found.secondary) {
            let place = label.place;
            let text = &files[place.file.0 as usize].text;
            let span = place.span.start as usize..place.span.end as usize;
            assert!(text.get(span.clone()).is_some(), "{found:?}: {span:?}");
        }
        assert!(found.rendered().contains(found.code));
    }
}
