//! Builds the contestants, and says who is left out and why.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench_load::Result;

use crate::contestants::{Contestant, Entrant, is_installed};

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
    let mut names: Vec<&str> = Vec::new();
    for entrant in &entrants {
        let Contestant { name, tool, .. } = entrant.contestant;
        match tool {
            Some((tool, hint)) if !is_installed(tool) => {
                tell(
                    remarks,
                    format!("{name} is left out: `{tool}` is missing; {hint}"),
                );
            }
            _ if names.contains(name) => {}
            _ => names.push(name),
        }
    }
    // Together, so that what they share is compiled once; one by one only to find out who does not build.
    if !compile(&names)? {
        let mut built = Vec::new();
        for name in names {
            if compile(&[name])? {
                built.push(name);
            } else {
                tell(remarks, format!("{name} is left out: its build failed"));
            }
        }
        names = built;
    }
    let is_built = |entrant: &Entrant| names.contains(&entrant.contestant.name);
    Ok(entrants.into_iter().filter(is_built).collect())
}

fn tell(remarks: &mut Vec<String>, remark: String) {
    if !remarks.contains(&remark) {
        eprintln!("{remark}");
        remarks.push(remark);
    }
}

fn compile(names: &[&str]) -> Result<bool> {
    eprintln!("building {}", names.join(", "));
    let packages = names.iter().map(|name| format!("--package=bench-{name}"));
    let status = cargo()
        .args(["build", "--release", "--quiet"])
        .args(packages)
        .status()?;
    Ok(status.success())
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
