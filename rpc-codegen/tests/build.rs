//! The build script's view: choices, faults, what cargo is told to watch.

#![cfg(feature = "idl")]

use std::path::{Path, PathBuf};

use rpc_codegen::Build;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/idl")
        .join(name)
}

#[test]
fn exactly_what_was_read_is_watched() {
    let generated = Build::new().root(folder("user")).generate();
    let mut inputs = generated.inputs;
    inputs.sort();
    let expected = ["", "common.idl", "user.idl"].map(|name| folder("user").join(name));
    assert_eq!(inputs, expected);
    assert_eq!(generated.packages, ["acme.common.v1", "acme.user.v1"]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let text = || Build::new().root(folder("user")).generate().text;
    assert_eq!(text(), text());
    assert!(text().starts_with("// @generated"));
    assert!(
        !text().contains("#!["),
        "an included file has no inner attributes"
    );
    assert!(
        !text().contains(env!("CARGO_MANIFEST_DIR")),
        "no path of this machine is in the text"
    );
}

#[test]
fn packages_of_other_crates_are_named_and_not_made() {
    let build = Build::new()
        .root(folder("user"))
        .extern_package("acme.common.v1", "::acme_common");
    let generated = build.generate();
    assert_eq!(generated.packages, ["acme.user.v1"]);
    assert!(!generated.text.contains("pub mod common"));
    assert!(
        generated
            .text
            .contains("::acme_common::acme::common::v1::Value")
    );
    assert!(
        generated
            .text
            .contains("pub trait UserService: ::acme_common::acme::common::v1::Health")
    );
}

#[test]
fn sides_can_be_left_out() {
    let text = |build: Build| build.root(folder("user")).generate().text;
    let clients_only = text(Build::new().server(false).blocking(false));
    assert!(clients_only.contains("pub struct UserServiceClient"));
    assert!(
        !clients_only.contains("UserServiceServer") && !clients_only.contains("BlockingClient")
    );
    let server_only = text(Build::new().client(false).blocking(false));
    assert!(
        server_only.contains("pub struct UserServiceServer")
            && !server_only.contains("UserServiceClient")
    );
}

#[test]
fn the_runtime_can_be_elsewhere() {
    let text = Build::new()
        .root(folder("user"))
        .crate_path("crate::framework")
        .generate()
        .text;
    assert!(text.contains("crate::framework::__private") && !text.contains("::rpc_runtime"));
}

#[test]
fn a_path_that_is_none_is_a_problem_and_no_panic() {
    let options = rpc_codegen::Options::new()
        .crate_path("not a path")
        .extern_package("a", "1");
    assert_eq!(options.problems().len(), 2);
}

#[test]
fn faults_leave_what_is_right_and_say_the_rest() {
    let root = std::env::temp_dir().join(format!("rpc-codegen-faults-{}", std::process::id()));
    std::fs::create_dir_all(&root).expect("the folder can be made");
    let text = "package a.v1;\nstruct Good { 1: x: u8 }\nstruct Bad { 1: x: strng }\n";
    std::fs::write(root.join("a.idl"), text).expect("the file can be written");
    let generated = Build::new().root(&root).generate();
    std::fs::remove_dir_all(&root).expect("the folder can be removed");
    assert_eq!(generated.diagnostics.error_count(), 1);
    assert!(generated.text.contains("pub struct Good"));
    assert_eq!(generated.text.matches("::core::compile_error!").count(), 1);
}

/// The first block of a language in the README.
fn readme(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let page = std::fs::read_to_string(path).expect("the page is in the checkout");
    let fence = format!("```{language}\n");
    let (_, rest) = page.split_once(&fence).expect("the block is there");
    let (block, _) = rest.split_once("```").expect("the block ends");
    block.to_owned()
}

#[test]
fn the_readme_shows_a_definition_and_what_is_said_of_a_slip_in_it() {
    let compile = |text: String| {
        rpc_idl::compile(vec![rpc_idl::SourceFile {
            path: "idl/hello.idl".to_owned(),
            text,
        }])
    };
    let definition = readme("idl");
    assert_eq!(compile(definition.clone()).diagnostics.iter().count(), 0);
    let slip = definition.replace("guest: Guest", "guest: Guset");
    let diagnostics = compile(slip).diagnostics;
    let rendered: Vec<_> = diagnostics.iter().map(|found| found.rendered()).collect();
    assert_eq!(rendered.join("\n").trim_end(), readme("text").trim_end());
}
