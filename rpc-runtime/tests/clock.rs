//! Deadlines, leases and pings go by a clock that nobody sets: the source is looked through for the other one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files that may ask for the time of day, and why.
const MAY: [&str; 2] = [
    // `Timestamp::now`, for users.
    "codec/timestamp.rs",
    // Credentials that are good until a date: turned into a length of time once, when they are shown.
    "security/identity.rs",
];

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_clock_that_jumps_moves_no_deadline_no_lease_and_no_ping() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 100, "the source is there");
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let asks = text.contains("SystemTime::now") || text.contains("UNIX_EPOCH.elapsed");
        assert_eq!(asks, MAY.contains(&name), "{name} asks for the time of day");
        // Tests pause the clock of tokio, and no other.
        assert!(
            !text.contains("std::time::Instant"),
            "{name} takes a clock that cannot be paused"
        );
    }
}
