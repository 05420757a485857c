//! The framework's own services are generated code that is checked in; this keeps it fresh.

#![cfg(feature = "idl")]

use std::path::Path;
use std::{env, fs};

use rpc_codegen::Build;

/// `UPDATE=1 cargo test -p rpc-codegen --test fresh` writes the file.
#[test]
fn the_runtimes_generated_services_are_fresh() {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpc-runtime");
    let (root, file) = (runtime.join("idl"), runtime.join("src/generated/mod.rs"));
    let update = env::var_os("UPDATE").is_some();
    // Before anything is checked in, nothing can be stale.
    if !update && !file.exists() {
        return;
    }
    let generated = Build::new().root(root).crate_path("crate").generate();
    assert_eq!(
        generated.diagnostics.error_count(),
        0,
        "{}",
        generated.diagnostics.render()
    );
    if update {
        fs::create_dir_all(file.parent().expect("the file is in a folder"))
            .expect("the folder can be made");
        fs::write(&file, &generated.text).expect("the file can be written");
    }
    let found = fs::read_to_string(&file)
        .expect("the file is readable")
        .replace("\r\n", "\n");
    assert!(
        found == generated.text,
        "run `UPDATE=1 cargo test -p rpc-codegen --test fresh` and commit the result"
    );
}
