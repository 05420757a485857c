//! Replays what the fuzzers have found, on stable: every file of every corpus keeps its property.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use fuzzing::{TARGETS, Target};

/// A corpus is for review and for every run of the tests: small files, and few.
const LARGEST: u64 = 4 << 10;
const MOST: usize = 200;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Panics so far.
static PANICS: AtomicU32 = AtomicU32::new(0);

/// The files that break the property. Panics in tasks of a runtime are caught there, so they are counted where they begin.
fn replay(name: &str) -> Vec<String> {
    let (_, target): &(_, Target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let files = corpus(name);
    assert!(!files.is_empty(), "{name} has no corpus");
    let mut broken = Vec::new();
    for file in files {
        let data = fs::read(&file).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&data)));
        let panics = PANICS.swap(0, Ordering::SeqCst);
        if outcome.is_err() || panics > 0 {
            broken.push(format!("{panics} panics with {}", file.display()));
        }
    }
    broken
}

// One test for all: the count of panics is the process's.
#[test]
fn every_file_of_every_corpus_keeps_its_property() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(info);
    }));
    let broken: Vec<String> = TARGETS.iter().flat_map(|(name, _)| replay(name)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn corpora_are_small_and_belong_to_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for entry in fs::read_dir(folder.join("corpus")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|(known, _)| *known == name), "{name}");
    }
    for (name, _) in TARGETS {
        let target = folder.join("fuzz_targets").join(format!("{name}.rs"));
        assert!(target.exists(), "{name} is no fuzz target");
        let files = corpus(name);
        assert!(files.len() <= MOST, "{name} has {} files", files.len());
        for file in files {
            let bytes = fs::metadata(&file).unwrap().len();
            assert!(bytes <= LARGEST, "{} has {bytes} bytes", file.display());
        }
    }
}
