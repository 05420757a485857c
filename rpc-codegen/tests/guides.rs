//! Guide pages show code that runs: every block of theirs stands in the example they name.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_page_on_streams_shows_its_example() {
    let (shown, example) = (blocks("streams.md"), sources("streams"));
    assert!(shown.len() >= 10, "{} blocks", shown.len());
    for (language, block) in shown {
        let wanted = squeezed(&block);
        let files = example.iter().filter(|(path, _)| {
            path.extension()
                .is_some_and(|found| ending(&language) == found)
        });
        let found = files
            .into_iter()
            .any(|(_, text)| squeezed(text).contains(&wanted));
        assert!(
            !wanted.is_empty() && found,
            "not in examples/streams:\n{block}"
        );
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    for page in ["streams.md", "idl.md"] {
        let text = read(&root().join("docs").join(page));
        for target in text.split("](").skip(1) {
            let (target, _) = target.split_once(')').expect("the link ends");
            if target.starts_with("http") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page } else { file };
            let path = root().join("docs").join(path);
            assert!(path.exists(), "{page}: {target}");
            assert!(
                anchor.is_empty() || anchors(&read(&path)).iter().any(|found| found == anchor),
                "{page}: {target}"
            );
        }
    }
}

/// Fenced blocks with their language.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = read(&root().join("docs").join(page));
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((language.to_owned(), body.join("\n")));
        }
    }
    found
}

fn ending(language: &str) -> &str {
    match language {
        "rust" => "rs",
        other => other,
    }
}

/// Without blanks, so that a page may indent and break lines as suits it.
fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_whitespace())
        .collect()
}

fn sources(example: &str) -> Vec<(PathBuf, String)> {
    let mut pending = vec![root().join("examples").join(example)];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("the folder is readable");
            pending.extend(entries.map(|entry| entry.expect("the entry is readable").path()));
        } else {
            let text = read(&path);
            found.push((path, text));
        }
    }
    found
}

fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|letter| letter.is_alphanumeric() || *letter == ' ' || *letter == '-');
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the page is in the checkout")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
