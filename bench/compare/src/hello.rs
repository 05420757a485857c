//! What the smallest program costs to build: crates, a clean debug build, the size of the release program.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bench_load::Result;
use serde::{Deserialize, Serialize};

use crate::build::{cargo, workspace};
use crate::contestants::is_installed;
use crate::process::{children_cpu_seconds, finish};
use crate::results::Machine;

/// All frameworks that could be built.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hellos {
    pub(crate) machine: Machine,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) remarks: Vec<String>,
}

/// One of them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hello {
    pub(crate) name: String,
    /// Crates that are compiled, itself and those of its build script included.
    pub(crate) crates: usize,
    /// Wall time of a debug build from nothing.
    pub(crate) debug_seconds: f64,
    /// CPU time of the same.
    pub(crate) debug_cpu_seconds: f64,
    /// Wall time of a debug build after a change of its own file.
    pub(crate) again_seconds: f64,
    pub(crate) release_kib: u64,
}

/// The floor, this project, and peers, with the tool that each needs.
const HELLOS: &[(&str, Option<&str>)] = &[
    ("tokio", None),
    ("ours", None),
    ("tarpc", None),
    ("tonic", Some("protoc")),
    ("volo", None),
    ("capnp", Some("capnp")),
];

/// Builds each in an empty directory of its own.
pub(crate) fn run(wanted: &[String], scratch: &Path) -> Hellos {
    let mut found = Hellos {
        machine: Machine::this(),
        ..Hellos::default()
    };
    for (name, tool) in HELLOS {
        if !wanted.is_empty() && !wanted.iter().any(|other| other == name) {
            continue;
        }
        if let Some(tool) = tool.filter(|tool| !is_installed(tool)) {
            let remark = format!("hello of {name} is left out: `{tool}` is missing");
            eprintln!("{remark}");
            found.remarks.push(remark);
            continue;
        }
        match one(name, scratch) {
            Ok(hello) => {
                eprintln!("{hello:?}");
                found.hellos.push(hello);
            }
            Err(error) => found.remarks.push(format!("hello of {name}: {error}")),
        }
    }
    found
}

fn one(name: &str, scratch: &Path) -> Result<Hello> {
    let package = format!("hello-{name}");
    let target = scratch.join(&package);
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let tree = [
        "tree",
        "--package",
        &package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--no-dedupe",
    ];
    let tree = finish(cargo().args(tree), PATIENCE)?;
    let mut crates: Vec<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    crates.sort_unstable();
    crates.dedup();
    // What is to be downloaded is downloaded before the clock runs.
    finish(cargo().arg("fetch"), PATIENCE)?;
    let cpu = children_cpu_seconds();
    let debug_seconds = build(&package, &target, &[])?;
    let debug_cpu_seconds = children_cpu_seconds() - cpu;
    let program = target.join("debug").join(&package);
    let text = finish(&mut Command::new(program), PATIENCE)?;
    if !text.to_lowercase().contains("hello, world") {
        return Err(format!("it printed `{text}`").into());
    }
    let main = match name {
        "ours" => workspace().join("../examples/hello-trait/src/main.rs"),
        _ => workspace().join(format!("hello/{name}/src/main.rs")),
    };
    fs::File::options()
        .append(true)
        .open(main)?
        .set_modified(std::time::SystemTime::now())?;
    let again_seconds = build(&package, &target, &[])?;
    build(
        &package,
        &target,
        &["--release", "--config", "profile.release.strip=true"],
    )?;
    let release_kib = fs::metadata(target.join("release").join(&package))?.len() / 1024;
    fs::remove_dir_all(&target)?;
    Ok(Hello {
        name: name.to_owned(),
        crates: crates.len(),
        debug_seconds,
        debug_cpu_seconds,
        again_seconds,
        release_kib,
    })
}

fn build(package: &str, target: &Path, options: &[&str]) -> Result<f64> {
    let begun = Instant::now();
    let mut command = cargo();
    command
        .args(["build", "--package", package, "--target-dir"])
        .arg(target)
        .args(options);
    finish(&mut command, PATIENCE)?;
    Ok(begun.elapsed().as_secs_f64())
}

const PATIENCE: Duration = Duration::from_secs(600);
