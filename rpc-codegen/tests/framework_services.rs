//! The framework's own services are generated from `rpc-runtime/idl` and checked in; this keeps both equal.
//!
//! `UPDATE=1 cargo test -p rpc-codegen --test framework_services` writes them anew.

#![cfg(feature = "idl")]

use std::fs;
use std::path::Path;

use rpc_codegen::Build;

#[test]
fn checked_in_code_of_the_framework_services_is_fresh() {
    // What every server has, and what is behind the feature `registry`.
    for part in ["server", "registry"] {
        check(part);
    }
}

fn check(part: &str) {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpc-runtime");
    let generated = Build::new()
        .root(runtime.join("idl").join(part))
        .crate_path("crate")
        .generate();
    assert_eq!(
        generated.diagnostics.error_count(),
        0,
        "{}",
        generated.diagnostics.render()
    );
    let path = runtime.join(format!("src/generated/{part}.rs"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &generated.text).expect("the folder is there");
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == generated.text,
        "stale; write it anew with UPDATE=1 cargo test -p rpc-codegen --test framework_services"
    );
}
