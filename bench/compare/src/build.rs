//! Builds the contestants, and says who is left out and why.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench_load::Result;

use crate::contestants::{Entrant, is_installed};

/// The workspace of the benchmarks.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Where the programs are: beside this one, which was built by the same workspace.
pub(crate) fn programs() -> Result<PathBuf> {
    let here = env::current_exe()?;
    let target = here
        .parent()
        .and_then(Path::parent)
        .ok_or("this program stands at no usual place")?;
    Ok(target.join("release"))
}

/// Leaves out whose tool is missing or whose build fails, and tells so.
pub(crate) fn build(entrants: Vec<Entrant>, remarks: &mut Vec<String>) -> Result<Vec<Entrant>> {
    let mut built: Vec<(&str, bool)> = Vec::new();
    for entrant in &entrants {
        let name = entrant.contestant.name;
        if built.iter().any(|(other, _)| *other == name) {
            continue;
        }
        let remark = match entrant.contestant.tool {
            Some((tool, hint)) if !is_installed(tool) => {
                Some(format!("{name} is left out: `{tool}` is missing; {hint}"))
            }
            _ => compile(name)?,
        };
        built.push((name, remark.is_none()));
        if let Some(remark) = remark {
            eprintln!("{remark}");
            remarks.push(remark);
        }
    }
    let is_built = |entrant: &Entrant| built.contains(&(entrant.contestant.name, true));
    Ok(entrants.into_iter().filter(is_built).collect())
}

fn compile(name: &str) -> Result<Option<String>> {
    eprintln!("building {name}");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            &format!("bench-{name}"),
        ])
        .current_dir(workspace())
        .status()?;
    Ok((!status.success()).then(|| format!("{name} is left out: its build failed")))
}

/// Cargo in the workspace of the benchmarks.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// A directory for what is built and thrown away.
pub(crate) fn scratch() -> Result<PathBuf> {
    Ok(programs()?.with_file_name("bench-scratch"))
}
