//! The manual, `docs/idl.md`: its examples compile, its mistakes fail as it says, its tables and grammar are the real ones.
#![cfg(feature = "parser")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by a panic"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use rpc_idl::model::ServiceId;
use rpc_idl::{Compiled, SourceFile, codes, compile, ids};

#[test]
fn the_manual_is_true() {
    let path = root().join("../docs/idl.md");
    let manual = fs::read_to_string(&path).unwrap();
    let mut fresh = between(&manual, "codes", &code_table());
    fresh = between(&fresh, "grammar", &grammar());
    fresh = blocks(&fresh);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
        return;
    }
    for (number, (found, wanted)) in manual.lines().zip(fresh.lines()).enumerate() {
        assert_eq!(
            found,
            wanted,
            "docs/idl.md:{}: run `UPDATE=1 cargo test -p rpc-idl --test docs`",
            number + 1
        );
    }
    assert_eq!(manual.len(), fresh.len());
}

#[test]
fn the_manual_shows_every_heading_it_links_to() {
    let manual = fs::read_to_string(root().join("../docs/idl.md")).unwrap();
    let anchors: Vec<String> = manual
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
            kept.collect::<String>().replace(' ', "-")
        })
        .collect();
    let mut links = 0;
    for target in manual.split("](#").skip(1) {
        let (anchor, _) = target.split_once(')').unwrap();
        assert!(
            anchors.iter().any(|found| found == anchor),
            "no heading for #{anchor}"
        );
        links += 1;
    }
    assert!(links > 20);
}

/// Checks every block, and puts in place what the compiler says where the page shows that.
fn blocks(manual: &str) -> String {
    let mut out = String::new();
    let mut before: Option<Compiled> = None;
    let mut counts = [0; 3];
    let mut lines = manual.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: String = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .flat_map(|line| [line, "\n"])
            .collect();
        let words: Vec<&str> = info.split(' ').collect();
        let shown = match words.as_slice() {
            ["idl"] => {
                let compiled = compile(files(&body));
                let said = compiled.diagnostics.render();
                assert!(said.is_empty(), "in the manual:\n{body}\n{said}");
                counts[0] += 1;
                before = Some(compiled);
                body
            }
            ["idl,fail", code] => {
                let compiled = compile(files(&body));
                let found: Vec<_> = compiled
                    .diagnostics
                    .iter()
                    .map(|found| found.code)
                    .collect();
                assert_eq!(found, [*code], "in the manual:\n{body}");
                counts[1] += 1;
                before = Some(compiled);
                body
            }
            ["text", "error"] => {
                counts[2] += 1;
                let said = before.as_ref().unwrap().diagnostics.render();
                format!("{}\n", said.trim_end())
            }
            ["text", "canonical", name] => {
                counts[2] += 1;
                let model = &before.as_ref().unwrap().model;
                let at = model
                    .services
                    .iter()
                    .position(|found| found.full_name() == *name);
                let id = ServiceId(at.unwrap() as u32);
                let fingerprint = format!("{:016x}", ids::service_fingerprint(model, id));
                assert!(
                    manual.contains(&fingerprint),
                    "the manual lacks the fingerprint {fingerprint}"
                );
                ids::canonical_text(model, id)
            }
            _ => body,
        };
        out.push_str(&shown);
        out.push_str("```\n");
    }
    assert!(
        counts[0] >= 10 && counts[1] >= 2 && counts[2] == 2,
        "{counts:?}"
    );
    out
}

/// The files of a block: one, or as many as it has lines `// file: name`. The package line may be left out.
fn files(block: &str) -> Vec<SourceFile> {
    let parts: Vec<(&str, &str)> = if block.starts_with("// file: ") {
        let parts = block.split("// file: ").skip(1);
        parts.map(|part| part.split_once('\n').unwrap()).collect()
    } else {
        vec![("user.idl", block)]
    };
    let mut files = Vec::new();
    for (path, text) in parts {
        let has_package = text.lines().any(|line| line.starts_with("package "));
        let package = if has_package {
            ""
        } else {
            "package manual.v1; "
        };
        files.push(SourceFile {
            path: path.trim().to_owned(),
            text: format!("{package}{text}"),
        });
    }
    files
}

/// The text with something else between two marks.
fn between(text: &str, mark: &str, content: &str) -> String {
    let (before, rest) = text.split_once(&format!("<!-- {mark}:")).unwrap();
    let (note, rest) = rest.split_once("-->\n").unwrap();
    let end = format!("<!-- /{mark} -->");
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}<!-- {mark}:{note}-->\n\n{content}\n{end}{after}")
}

fn code_table() -> String {
    let mut table = String::from("| code | what is wrong | |\n|---|---|---|\n");
    for code in codes::CATALOGUE {
        let line = code.explanation.replace('\n', " ").replace('|', "\\|");
        writeln!(table, "| {} | {} | {line} |", code.id, code.title).unwrap();
    }
    table
}

fn grammar() -> String {
    let pest = fs::read_to_string(root().join("src/idl.pest")).unwrap();
    format!("```pest\n{pest}```\n")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
