//! The generated file: its text, and when it is written.

use std::path::Path;
use std::{fs, io};

use rpc_idl::{Diagnostics, Model, Severity};

use crate::idl_door::{HEADER, fault};

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was as it should be.
    Fresh,
    /// It is now as it should be.
    Written,
    /// It is not as it should be.
    Stale,
}

/// What was emitted, and a `compile_error!` for each fault, so that editors show it and the crate does not build.
pub(super) fn text(
    model: &Model,
    diagnostics: &Diagnostics,
    emitted: syn::Result<String>,
) -> String {
    let mut text = emitted.unwrap_or_else(|defect| {
        let message = format!(
            "rpc-codegen made no Rust of {} types: {defect}",
            model.types.len()
        );
        format!("{HEADER}\n::core::compile_error!({message:?});\n")
    });
    for diagnostic in diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
    {
        text += &format!("::core::compile_error!({:?});\n", fault(diagnostic));
    }
    text
}

/// Writes the file unless it is the same already, so that nothing that depends on it is built again.
pub(super) fn write_if_changed(path: &Path, text: &str) -> io::Result<Fate> {
    if compare(path, text)? == Fate::Fresh {
        return Ok(Fate::Fresh);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    Ok(Fate::Written)
}

/// Whether the file holds this text. A file that is not there is stale.
pub(super) fn compare(path: &Path, text: &str) -> io::Result<Fate> {
    match fs::read(path) {
        // A checkout may have other line ends.
        Ok(found) if String::from_utf8_lossy(&found).replace("\r\n", "\n") == text => {
            Ok(Fate::Fresh)
        }
        Ok(_) => Ok(Fate::Stale),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Fate::Stale),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_only_when_it_differs() {
        let path = std::env::temp_dir()
            .join(format!("rpc-codegen-{}", std::process::id()))
            .join("idl.rs");
        let fates = ["a", "a", "b"].map(|text| write_if_changed(&path, text).unwrap());
        assert_eq!(fates, [Fate::Written, Fate::Fresh, Fate::Written]);
        assert_eq!(compare(&path, "c").unwrap(), Fate::Stale);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
