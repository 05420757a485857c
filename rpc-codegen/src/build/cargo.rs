//! What a build script says to cargo.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

/// Writes cargo's instructions, one line each.
pub(super) struct Cargo<'a> {
    out: Box<dyn Write + 'a>,
}

impl Cargo<'static> {
    /// Where cargo listens.
    pub(super) fn stdout() -> Self {
        Self {
            out: Box::new(io::stdout()),
        }
    }
}

impl<'a> Cargo<'a> {
    #[cfg(test)]
    pub(super) fn to(out: impl Write + 'a) -> Self {
        Self { out: Box::new(out) }
    }

    /// Ends the build after the script, with this line among the reasons.
    pub(super) fn error(&mut self, line: &str) {
        self.say("error", line);
    }

    /// Shows a line to the user.
    pub(super) fn warning(&mut self, line: &str) {
        self.say("warning", line);
    }

    /// A finding: one line that editors and terminals can follow, then the picture of the place.
    ///
    /// cargo puts its own words before each line and shows it as it is, so the picture keeps its shape; its first two
    /// lines, which say the same as ours, are left out.
    pub(super) fn picture(&mut self, level: fn(&mut Self, &str), short: &str, rendered: &str) {
        level(self, short);
        let is_repeated = |line: &&str| {
            let line = line.trim_start();
            line.starts_with("error") || line.starts_with("warning") || line.starts_with("-->")
        };
        for line in rendered.lines().skip_while(is_repeated) {
            if !line.trim().is_empty() {
                level(self, line.trim_end());
            }
        }
    }

    /// Runs the script again if the file, or anything in the directory, changes.
    pub(super) fn rerun_if_changed(&mut self, path: &Path) {
        self.say("rerun-if-changed", path.display());
    }

    /// Runs the script again if the variable changes.
    pub(super) fn rerun_if_env_changed(&mut self, variable: &str) {
        self.say("rerun-if-env-changed", variable);
    }

    /// A word to the build scripts of dependents.
    pub(super) fn metadata(&mut self, key: &str, value: &str) {
        self.say("metadata", format_args!("{key}={value}"));
    }

    fn say(&mut self, key: &str, value: impl Display) {
        // If cargo no longer listens, there is nobody left to tell.
        let _ = writeln!(self.out, "cargo::{key}={value}");
    }
}

#[cfg(test)]
mod tests {
    use super::Cargo;

    #[test]
    fn a_picture_follows_its_line() {
        let mut out = Vec::new();
        let rendered =
            "error[E0012]: twice\n --> a.idl:3:5\n  |\n3 |   1: x\n  |   ^ here\n  = help: use 2\n";
        Cargo::to(&mut out).picture(Cargo::error, "a.idl:3:5: error[E0012]: twice", rendered);
        let lines = [
            "a.idl:3:5: error[E0012]: twice",
            "  |",
            "3 |   1: x",
            "  |   ^ here",
            "  = help: use 2",
        ];
        let expected: String = lines
            .iter()
            .map(|line| format!("cargo::error={line}\n"))
            .collect();
        assert_eq!(String::from_utf8(out), Ok(expected));
    }
}
