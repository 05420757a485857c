//! What generated code costs to compile: a service of 200 methods over 300 types, that crate alone.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bench_load::Result;
use serde::{Deserialize, Serialize};

use crate::build::{cargo, workspace};
use crate::contestants::is_installed;
use crate::process::{children_cpu_seconds, finish};
use crate::results::Machine;
use crate::source::{self, Source};

/// All generators that could be tried.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Generated {
    pub(crate) machine: Machine,
    pub(crate) crates: Vec<Compiled>,
    pub(crate) remarks: Vec<String>,
}

/// One of them, in seconds of CPU time.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Compiled {
    pub(crate) name: String,
    /// Lines of Rust that the generator wrote, where there is a file.
    pub(crate) lines: Option<usize>,
    pub(crate) check: f64,
    pub(crate) debug: f64,
    pub(crate) release: f64,
    /// Lines of LLVM's intermediate code in a debug build, if `cargo llvm-lines` is installed.
    pub(crate) llvm_lines: Option<u64>,
}

/// Writes each crate below `scratch`, compiles what it depends on, and then times the crate alone.
pub(crate) fn run(wanted: &[String], scratch: &Path) -> Generated {
    let mut found = Generated {
        machine: Machine::this(),
        ..Generated::default()
    };
    let counts = cargo()
        .args(["llvm-lines", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !counts {
        found
            .remarks
            .push("LLVM lines are left out: `cargo install cargo-llvm-lines`".to_owned());
    }
    for source in source::all() {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == source.name) {
            continue;
        }
        if let Some(tool) = source.tool.filter(|tool| !is_installed(tool)) {
            found
                .remarks
                .push(format!("{} is left out: `{tool}` is missing", source.name));
            continue;
        }
        match one(&source, scratch, counts) {
            Ok(compiled) => {
                eprintln!("{compiled:?}");
                found.crates.push(compiled);
            }
            Err(error) => {
                eprintln!("{}: {error}", source.name);
                found.remarks.push(format!("{}: {error}", source.name));
            }
        }
    }
    found
}

fn one(source: &Source, scratch: &Path, counts: bool) -> Result<Compiled> {
    let package = scratch.join(format!("generated-{}", source.name));
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    for (path, text) in &source.files {
        let path = package.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&package))?;
        fs::write(path, text)?;
    }
    // The same versions of everything as the contestants have.
    fs::copy(workspace().join("Cargo.lock"), package.join("Cargo.lock"))?;
    let time = |arguments: &[&str]| -> Result<f64> {
        compile(&package, arguments)?;
        let file = fs::File::options()
            .append(true)
            .open(package.join("src/lib.rs"))?;
        file.set_modified(SystemTime::now())?;
        let before = children_cpu_seconds();
        compile(&package, arguments)?;
        Ok(children_cpu_seconds() - before)
    };
    let check = time(&["check"])?;
    let debug = time(&["build"])?;
    let release = time(&["build", "--release"])?;
    let llvm_lines = if counts { count(&package).ok() } else { None };
    Ok(Compiled {
        name: source.name.to_owned(),
        lines: written(&package),
        check,
        debug,
        release,
        llvm_lines,
    })
}

/// Everything of the crate is compiled again: no incremental parts are kept.
fn compile(package: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = cargo();
    command
        .args(arguments)
        .args(["--quiet", "--target-dir", "target"])
        .current_dir(package)
        .env("CARGO_INCREMENTAL", "0");
    finish(&mut command, PATIENCE).map(drop)
}

fn count(package: &Path) -> Result<u64> {
    let mut command = cargo();
    command
        .args(["llvm-lines", "--lib"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", "target");
    let text = finish(&mut command, PATIENCE)?;
    let total = text
        .lines()
        .find(|line| line.contains("(TOTAL)"))
        .ok_or("no total")?;
    Ok(total
        .split_whitespace()
        .next()
        .ok_or("no number")?
        .parse()?)
}

/// Lines of the largest Rust file that the build script wrote.
fn written(package: &Path) -> Option<usize> {
    let builds = fs::read_dir(package.join("target/debug/build")).ok()?;
    let files = builds
        .flatten()
        .flat_map(|entry| fs::read_dir(entry.path().join("out")).into_iter().flatten());
    let sources = files.flatten().map(|entry| entry.path());
    let of_this =
        sources.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let lines = of_this.filter(|path| path.to_string_lossy().contains("/generated-"));
    lines
        .filter_map(|path| Some(fs::read_to_string(path).ok()?.lines().count()))
        .max()
}

const PATIENCE: Duration = Duration::from_secs(900);
