//! Shared by the tests: the corpus under `tests/ui`, and a readable dump of a model.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod dump;

use std::fs;
use std::path::{Path, PathBuf};

use rpc_idl::{Compiled, SourceFile, compile, compile_paths};

/// The `.idl` files of a folder of the corpus, sorted.
pub(crate) fn cases(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/ui")
        .join(folder);
    let entries = fs::read_dir(root).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "idl"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

/// Compiles a case as its first line says.
///
/// `//# file: name` starts another file, `//# pad: n` makes the text n bytes long, `//# path: p` compiles the path `p`
/// from the disk instead of the text, and `//# path: .` the case itself.
pub(crate) fn compile_case(case: &Path) -> Compiled {
    let bytes = fs::read(case).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let name = case.file_name().unwrap().to_str().unwrap();
    if let Some(path) = text.strip_prefix("//# path: ") {
        let path = path.lines().next().unwrap().trim();
        let folder = Path::new("tests/ui/fail");
        let path = if path == "." {
            folder.join(name)
        } else {
            folder.join(path)
        };
        return compile_paths(&[path]).compiled;
    }
    compile(split(name, &text))
}

/// The files of a case.
pub(crate) fn split(name: &str, text: &str) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut path = name.to_owned();
    let mut current = String::new();
    let mut size = 0;
    for line in text.split_inclusive('\n') {
        if let Some(next) = line.strip_prefix("//# file: ") {
            if !current.trim().is_empty() {
                files.push(SourceFile {
                    path,
                    text: std::mem::take(&mut current),
                });
            }
            path = next.trim().to_owned();
        } else if let Some(number) = line.strip_prefix("//# pad: ") {
            size = number.trim().parse().unwrap();
        } else {
            current.push_str(line);
        }
    }
    while current.len() < size {
        current.push('\n');
    }
    files.push(SourceFile {
        path,
        text: current,
    });
    files
}

/// Compares with the file beside the case, or rewrites it with `UPDATE=1`.
pub(crate) fn expect(path: &Path, actual: &str, failures: &mut Vec<String>) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != actual {
        failures.push(format!(
            "{}\n--- expected\n{expected}\n--- actual\n{actual}",
            path.display()
        ));
    }
}
