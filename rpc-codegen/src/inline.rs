//! The macro form of the IDL door: `idl!("path")` and `idl!("text")`.

use std::env;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use rpc_idl::{Diagnostics, Severity, SourceFile};
use syn::LitStr;

use crate::idl_door::{Options, emit_model, fault};

/// Expands `idl!`: a path relative to the calling package, or text if the literal has a newline or a brace.
///
/// Faults come out as `compile_error!`s beside whatever could be generated.
pub fn expand_idl(input: TokenStream) -> TokenStream {
    let literal = match syn::parse2::<LitStr>(input) {
        Ok(literal) => literal,
        Err(error) => {
            let hint =
                "`idl!` takes one string: a path such as \"idl/user.idl\", or the text itself";
            return syn::Error::new(error.span(), hint).into_compile_error();
        }
    };
    let text = literal.value();
    if text.contains(['\n', '{']) {
        expand_text(&literal, text)
    } else {
        expand_path(&literal, &text)
    }
}

fn expand_text(literal: &LitStr, text: String) -> TokenStream {
    let compiled = rpc_idl::compile(vec![SourceFile {
        path: "idl!".to_owned(),
        text,
    }]);
    let items = emit_model(&compiled.model, &Options::new());
    let errors = errors(literal, &compiled.diagnostics, "");
    quote!(#items #errors)
}

fn expand_path(literal: &LitStr, path: &str) -> TokenStream {
    let root = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    let loaded = rpc_idl::compile_paths(&[root.join(path)]);
    let items = emit_model(&loaded.compiled.model, &Options::new());
    let errors = errors(
        literal,
        &loaded.compiled.diagnostics,
        &format!("{}/", root.display()),
    );
    let tracked = loaded.files_read.iter().map(|file| track(file));
    quote!(#items #(#tracked)* #errors)
}

/// Has the compiler look at a file, so that it expands the macro again when the file changes.
fn track(file: &Path) -> TokenStream {
    let path = file.display().to_string();
    quote!(
        const _: &[::core::primitive::u8] = ::core::include_bytes!(#path);
    )
}

/// One `compile_error!` per fault, with its picture; paths are shown from `root` on.
fn errors(literal: &LitStr, diagnostics: &Diagnostics, root: &str) -> TokenStream {
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error);
    let messages = errors.map(|diagnostic| {
        let rendered = fault(diagnostic);
        let message = if root.is_empty() {
            rendered
        } else {
            rendered.replace(root, "")
        };
        quote_spanned!(literal.span()=> ::core::compile_error!(#message);)
    });
    messages.collect()
}
