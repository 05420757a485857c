//! The committed parser is the one that `src/idl.pest` gives.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by a panic"
)]

use std::fs;
use std::path::Path;

use quote::quote;

#[test]
fn the_committed_parser_is_generated_from_the_grammar() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pest = fs::read_to_string(root.join("src/idl.pest")).unwrap();
    let fresh = generate(&pest);
    let path = root.join("src/grammar.rs");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == fresh,
        "src/grammar.rs is stale: run `UPDATE=1 cargo test -p rpc-idl --no-default-features --test grammar`"
    );
}

fn generate(pest: &str) -> String {
    let tokens = pest_generator::derive_parser(
        quote! {
            #[grammar_inline = #pest]
            pub(crate) struct Grammar;
        },
        false,
    );
    let parsed: syn::File = syn::parse2(tokens).unwrap();
    let code = prettyplease::unparse(&parsed);
    let mut out = String::from(CAPTION);
    for line in code.lines() {
        // The rules' names are the grammar's; they are for this crate alone.
        let line = if line == "pub enum Rule {" {
            "pub(crate) enum Rule {"
        } else {
            line
        };
        out.push_str(&line.replace("::alloc::", "::std::"));
        out.push('\n');
    }
    out
}

const CAPTION: &str = "//! The parser, generated from `idl.pest`; do not edit.\n\
//!\n\
//! `UPDATE=1 cargo test -p rpc-idl --test grammar` writes this file anew.\n\
#![cfg_attr(rustfmt, rustfmt_skip)]\n\
#![allow(clippy::all, clippy::pedantic, clippy::allow_attributes_without_reason, reason = \"generated\")]\n\
#![allow(missing_docs, unreachable_pub, dead_code, non_camel_case_types, reason = \"generated\")]\n\
\n\
/// The parser; its rules are those of `idl.pest`.\n\
#[derive(Debug)]\n\
pub(crate) struct Grammar;\n\
\n";
