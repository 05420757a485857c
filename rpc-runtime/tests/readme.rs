//! What the README shows is true.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(path).expect("the page is in the checkout")
}

/// The first fenced block of a language.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let start = page
        .find(&format!("```{language}\n"))
        .expect("the block is there")
        + language.len()
        + 4;
    let end = page[start..].find("```").expect("the block ends");
    &page[start..start + end]
}

#[test]
fn the_readme_program_is_the_example_and_has_twenty_lines_at_most() {
    let (readme, example) = (read("README.md"), read("examples/hello-trait/src/main.rs"));
    // The example says in its first line how to run it; the page says so beside it.
    let (caption, example) = example.split_once("\n\n").expect("a caption");
    assert!(caption.starts_with("//! ") && caption.contains("cargo run -p hello-trait"));
    assert_eq!(block(&readme, "rust"), example);
    assert!(
        example.lines().count() <= 20,
        "{} lines",
        example.lines().count()
    );
}

#[test]
fn the_readme_names_the_rust_version_of_the_workspace() {
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .expect("a rust-version");
    assert!(read("README.md").contains(&format!("Rust {} or newer", version.trim_matches('"'))));
}

#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let readme = read("README.md");
    for (_, rest) in readme
        .match_indices("](")
        .map(|(at, _)| readme.split_at(at + 2))
    {
        let target = rest.split(')').next().unwrap_or_default();
        if let Some(section) = target.strip_prefix('#') {
            let found = readme.lines().any(|line| {
                line.strip_prefix("## ")
                    .is_some_and(|title| title.to_lowercase().replace(' ', "-") == section)
            });
            assert!(found, "#{section} is not there");
            continue;
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(target);
        assert!(path.exists(), "{target} is not there");
    }
}

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let page = read("SECURITY.md");
    let promises = page
        .split("## Promises")
        .nth(1)
        .expect("the promises are there");
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = package.join("tests");
    let sources: String = ["tests", "src", "../tests"]
        .iter()
        .flat_map(|folder| sources(&package.join(folder)))
        .collect();
    let mut named = 0;
    for row in promises.lines().filter(|line| line.starts_with("| ")) {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next();
        for name in shown_by
            .expect("three columns")
            .split('`')
            .skip(1)
            .step_by(2)
        {
            named += 1;
            if name.ends_with(".rs") || name.ends_with('/') {
                assert!(tests.join(name).exists(), "{name} is not there");
            } else if !matches!(
                name,
                "link"
                    | "security"
                    | "src"
                    | "security::audit"
                    | "tests/fuzzing"
                    | "rpc-runtime/clippy.toml"
            ) {
                let found = sources.contains(&format!("fn {name}("));
                assert!(found, "no test is called {name}");
            }
        }
    }
    assert!(named > 60, "only {named} tests are named");
}

/// The text of every source file below a directory.
fn sources(below: &Path) -> Vec<String> {
    let entries = fs::read_dir(below).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => sources(&path).concat(),
        false if path.extension().is_some_and(|it| it == "rs") => {
            fs::read_to_string(&path).expect("a source file")
        }
        false => String::new(),
    };
    paths.map(text).collect()
}
