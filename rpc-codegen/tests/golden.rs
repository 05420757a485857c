//! What is emitted, compared with files; `UPDATE=1 cargo test -p rpc-codegen` rewrites them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use quote::ToTokens;
use syn::{File, Item};

#[test]
fn traits_expand_as_recorded() {
    for input in files("tests/traits", "rs") {
        let name = input
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        let file: File =
            syn::parse_file(&fs::read_to_string(&input).expect("the input is readable"))
                .expect("the input is Rust");
        let tokens = file.items.into_iter().map(expand).collect();
        check(&format!("trait_{name}.rs"), &pretty(tokens));
    }
}

#[cfg(feature = "idl")]
#[test]
fn definitions_are_emitted_as_recorded() {
    for folder in ["user", "corners", "streams"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/idl")
            .join(folder);
        let generated = rpc_codegen::Build::new().root(root).generate();
        assert_eq!(
            generated.diagnostics.error_count(),
            0,
            "{}",
            generated.diagnostics.render()
        );
        check(&format!("idl_{folder}.rs"), &generated.text);
    }
}

/// The trait, and how the skeleton reads parameters and hands them over; types are the same either way.
#[cfg(feature = "idl")]
#[test]
fn handlers_that_borrow_are_emitted_as_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idl/borrowed");
    let build = rpc_codegen::Build::new().root(root);
    let borrowed = build.clone().borrowed_arguments(true).blocking(false);
    check("idl_borrowed.rs", &borrowed.generate().text);
    // What callers see of it is nothing.
    let clients = build.server(false);
    let interface =
        |text: &str| text[text.find("const SERVICE").expect("it has a table")..].to_owned();
    assert_eq!(
        interface(&clients.generate().text),
        interface(&clients.clone().borrowed_arguments(true).generate().text)
    );
}

fn expand(item: Item) -> proc_macro2::TokenStream {
    let Item::Trait(mut item) = item else {
        return item.into_token_stream();
    };
    let attribute = item
        .attrs
        .iter()
        .position(|attribute| attribute.path().is_ident("rpc_service"));
    let attribute = item
        .attrs
        .remove(attribute.expect("the trait has the attribute"));
    let arguments = attribute
        .meta
        .require_list()
        .map(|list| list.tokens.clone())
        .unwrap_or_default();
    rpc_codegen::expand_service(arguments, item.into_token_stream())
}

fn pretty(tokens: proc_macro2::TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("what is emitted is Rust"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the entry is readable").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, actual).expect("the golden file can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{name} differs; look at it with UPDATE=1 and git diff\n{actual}"
    );
}
