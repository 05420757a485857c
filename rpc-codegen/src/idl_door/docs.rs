//! Attributes that repeat what a definition says: documentation, its place, `deprecated`.

use proc_macro2::TokenStream;
use quote::quote;
use rpc_idl::model::{Deprecated, Docs, Source};

/// `#[doc]` lines: the comment as written, then where it stands.
pub(super) fn documented(docs: &Docs, source: &Source) -> TokenStream {
    let mut text = lines(docs);
    if !source.file.is_empty() {
        if !text.is_empty() {
            text.push(String::new());
        }
        text.push(format!("Defined at {}:{}.", source.file, source.line));
    }
    doc(&text)
}

/// The same for members: the comment, or a word for those who ask for documentation everywhere.
pub(super) fn described(docs: &Docs, otherwise: &str) -> TokenStream {
    let text = lines(docs);
    if text.is_empty() {
        doc(&[otherwise.to_owned()])
    } else {
        doc(&text)
    }
}

/// `#[deprecated(note = "…", since = "…")]`.
pub(super) fn deprecated(deprecated: Option<&Deprecated>) -> TokenStream {
    let Some(Deprecated { note, since }) = deprecated else {
        return TokenStream::new();
    };
    let note = note.iter().map(|note| quote!(note = #note));
    let since = since.iter().map(|since| quote!(since = #since));
    let arguments: Vec<_> = since.chain(note).collect();
    if arguments.is_empty() {
        quote!(#[deprecated])
    } else {
        quote!(#[deprecated(#(#arguments),*)])
    }
}

/// The first sentence, for `Display`: without the full stop.
pub(super) fn first_line(docs: &Docs) -> Option<String> {
    let line = docs
        .0
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    Some(line.trim_end_matches('.').to_owned())
}

fn doc(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!(" {line}")
        }
    });
    quote!(#(#[doc = #lines])*)
}

/// Examples in a definition are not Rust: their fences say so, and deep indents, which mean code too, are taken away.
fn lines(docs: &Docs) -> Vec<String> {
    let mut in_fence = false;
    let mut found = Vec::new();
    for line in docs.0.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            let bare = trimmed.trim_end() == "```" && !in_fence;
            found.push(if bare {
                "```text".to_owned()
            } else {
                line.to_owned()
            });
            in_fence = !in_fence;
        } else if !in_fence && line.len() - trimmed.len() >= 4 {
            found.push(trimmed.to_owned());
        } else {
            found.push(line.trim_end().to_owned());
        }
    }
    if in_fence {
        found.push("```".to_owned());
    }
    found
}
