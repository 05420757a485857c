//! Finds and reads files; nothing else in this crate touches the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::codes;
use crate::compile::{Compiled, Input, compile_inputs};
use crate::diagnostic::{Draft, Sink};
use crate::parse::MAX_FILE;

/// What [`compile_paths`] made, and what it looked at: a build script watches both lists.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Model and diagnostics.
    pub compiled: Compiled,
    /// Every file that was read, sorted.
    pub files_read: Vec<PathBuf>,
    /// Every directory that was searched, sorted.
    pub dirs_searched: Vec<PathBuf>,
}

/// Compiles files, and directories with all `.idl` files below them.
///
/// What cannot be read is a diagnostic like any other. The order of the paths makes no difference, and a file that is
/// reached twice is read once. Links to directories are followed, at most 64 directories deep.
pub fn compile_paths(paths: &[PathBuf]) -> Loaded {
    let mut loader = Loader::default();
    for path in paths {
        loader.add(path);
    }
    let mut inputs = Vec::new();
    let found = std::mem::take(&mut loader.found);
    for (path, short_path) in &found {
        inputs.extend(loader.read(path, short_path));
    }
    loader.dirs.sort();
    loader.dirs.dedup();
    Loaded {
        compiled: compile_inputs(inputs, loader.sink),
        files_read: found.into_keys().collect(),
        dirs_searched: loader.dirs,
    }
}

#[derive(Default)]
struct Loader {
    sink: Sink,
    /// Files with their path relative to the root that led to them.
    found: BTreeMap<PathBuf, String>,
    dirs: Vec<PathBuf>,
}

impl Loader {
    fn add(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let before = self.found.len();
                self.search(path, path, 0);
                if self.found.len() == before
                    && !self.found.keys().any(|file| file.starts_with(path))
                {
                    let message = "there are no .idl files in this directory";
                    self.sink
                        .report(Draft::of_path(codes::NO_FILES, shown(path), message));
                }
            }
            Ok(_) => {
                let name = path.file_name().map(Path::new).unwrap_or(path);
                self.found
                    .entry(path.to_owned())
                    .or_insert_with(|| shown(name));
            }
            Err(error) => self.unreadable(path, &error.to_string()),
        }
    }

    fn search(&mut self, root: &Path, dir: &Path, depth: usize) {
        self.dirs.push(dir.to_owned());
        if depth > 64 {
            return self.unreadable(dir, "directories nest too deeply");
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(dir, &error.to_string()),
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden {
                continue;
            }
            if path.is_dir() {
                self.search(root, &path, depth + 1);
            } else if path.extension().is_some_and(|extension| extension == "idl") {
                let short = shown(path.strip_prefix(root).unwrap_or(&path));
                self.found.entry(path).or_insert(short);
            }
        }
    }

    fn read(&mut self, path: &Path, short_path: &str) -> Option<Input> {
        // Looking at the size first keeps a huge file out of memory.
        let size = fs::metadata(path).map_or(0, |meta| meta.len());
        if size > MAX_FILE as u64 {
            let message = format!("the file has {size} bytes, and {MAX_FILE} are allowed");
            let draft = Draft::of_path(codes::TOO_BIG, shown(path), message);
            self.sink
                .report(draft.help("split the package: it may be spread over any number of files"));
            return None;
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable(path, &error.to_string());
                return None;
            }
        };
        match String::from_utf8(bytes) {
            Ok(text) => Some(Input {
                path: shown(path),
                short_path: short_path.to_owned(),
                text,
            }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let before = &error.as_bytes()[..at];
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                let message =
                    format!("the file is not UTF-8: wrong byte at offset {at}, in line {line}");
                let draft = Draft::of_path(codes::NOT_UTF8, shown(path), message);
                self.sink.report(draft.help("save it as UTF-8"));
                None
            }
        }
    }

    fn unreadable(&mut self, path: &Path, why: &str) {
        let message = format!("the path cannot be read: {why}");
        self.sink
            .report(Draft::of_path(codes::UNREADABLE, shown(path), message));
    }
}

/// The path with `/`.
fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}
