//! Two small measurements: the codec, and the compiler of `.idl` files.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bench_load::Result;
use serde::{Deserialize, Serialize};

use crate::build::{cargo, workspace};
use crate::process::{children_cpu_seconds, finish};

/// Nanoseconds for one order.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Codec {
    pub(crate) bytes: u64,
    pub(crate) encode: f64,
    pub(crate) encode_by_hand: f64,
    pub(crate) decode: f64,
    pub(crate) decode_by_hand: f64,
    /// The look over the whole message before it is decoded.
    pub(crate) check: f64,
}

/// What `rpc-idl` checks.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lines {
    pub(crate) lines: u64,
    /// By the clock, as the example tells it.
    pub(crate) per_second: f64,
    /// By CPU time, in which the example also writes the input: at least so many.
    pub(crate) per_cpu_second: f64,
}

/// Runs the program that encodes and decodes: the run with the best sum of five.
pub(crate) fn codec(programs: &Path) -> Result<Codec> {
    let mut best: Option<Codec> = None;
    for _ in 0..5 {
        let text = finish(&mut Command::new(programs.join("ours-codec")), PATIENCE)?;
        let codec: Codec = serde_json::from_str(&text)?;
        let sum = |codec: &Codec| {
            codec.encode + codec.encode_by_hand + codec.decode + codec.decode_by_hand
        };
        if best.as_ref().is_none_or(|best| sum(&codec) < sum(best)) {
            best = Some(codec);
        }
    }
    best.ok_or_else(|| "no run".into())
}

/// Runs the example of `rpc-idl` that compiles a million lines: the best of three.
pub(crate) fn lines() -> Result<Lines> {
    let mut best = Lines::default();
    let root = workspace().join("..");
    let example = |verb: &str| {
        let mut command = cargo();
        command
            .args([
                verb,
                "--release",
                "--quiet",
                "--package",
                "rpc-idl",
                "--example",
                "lines",
            ])
            .current_dir(&root);
        command
    };
    finish(&mut example("build"), PATIENCE)?;
    for _ in 0..3 {
        let before = children_cpu_seconds();
        let text = finish(&mut example("run"), PATIENCE)?;
        let cpu = children_cpu_seconds() - before;
        let number = |suffix: &str| {
            let words: Vec<&str> = text.split_whitespace().collect();
            let at = words.iter().position(|word| *word == suffix)?;
            words.get(at - 1)?.parse::<f64>().ok()
        };
        let (lines, per_second) = (number("lines,"), number("lines/s"));
        let (Some(lines), Some(per_second)) = (lines, per_second) else {
            return Err(format!("the example printed `{text}`").into());
        };
        best.lines = lines as u64;
        best.per_second = best.per_second.max(per_second);
        best.per_cpu_second = best.per_cpu_second.max(lines / cpu);
    }
    Ok(best)
}

const PATIENCE: Duration = Duration::from_secs(300);
