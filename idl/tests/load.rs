//! Files and directories from the disk.
#![cfg(feature = "parser")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by a panic"
)]

use std::fs;
use std::path::{Path, PathBuf};

use rpc_idl::{Loaded, compile_paths};

/// An empty directory of this test run, below the one that cargo provides.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("deep/er")).unwrap();
    path
}

fn names(root: &Path, paths: &[PathBuf]) -> Vec<String> {
    let short = paths.iter().map(|path| path.strip_prefix(root).unwrap());
    short
        .map(|path| path.to_string_lossy().replace('\\', "/"))
        .collect()
}

#[test]
fn directories_are_searched_and_everything_read_is_listed() {
    let root = directory("searched");
    fs::write(
        root.join("a.idl"),
        "package a;\nimport b.v1;\nstruct A { 1: b: b.B }",
    )
    .unwrap();
    fs::write(
        root.join("deep/er/b.idl"),
        "package b.v1;\n\nstruct B { 1: x: u8 }",
    )
    .unwrap();
    fs::write(root.join("deep/other.txt"), "nothing").unwrap();
    fs::write(root.join(".hidden.idl"), "nothing").unwrap();
    // A path that is given twice, once within the other, is read once.
    let Loaded {
        compiled,
        files_read,
        dirs_searched,
    } = compile_paths(&[root.clone(), root.join("a.idl")]);
    assert!(
        compiled.diagnostics.is_empty(),
        "{}",
        compiled.diagnostics.render()
    );
    assert_eq!(names(&root, &files_read), ["a.idl", "deep/er/b.idl"]);
    assert_eq!(names(&root, &dirs_searched), ["", "deep", "deep/er"]);
    let b = &compiled.model.types[1];
    assert_eq!(
        (b.source.file.as_str(), b.source.line),
        ("deep/er/b.idl", 3)
    );
}

#[test]
fn what_cannot_be_read_is_reported_beside_what_can() {
    let root = directory("unreadable");
    fs::write(root.join("good.idl"), "package a;\nstruct A { 1: b: u8 }").unwrap();
    fs::write(root.join("latin.idl"), b"package a;\n// caf\xe9\n").unwrap();
    let loaded = compile_paths(&[root.clone(), root.join("missing.idl")]);
    let codes: Vec<_> = loaded
        .compiled
        .diagnostics
        .iter()
        .map(|found| found.code)
        .collect();
    assert_eq!(codes.len(), 2);
    assert!(
        codes.contains(&"E0008") && codes.contains(&"E0010"),
        "{codes:?}"
    );
    assert_eq!(loaded.compiled.model.types.len(), 1);
}

#[test]
fn no_paths_are_no_fault() {
    let loaded = compile_paths(&[]);
    assert!(loaded.compiled.diagnostics.is_empty());
    assert!(loaded.compiled.model.types.is_empty());
}
