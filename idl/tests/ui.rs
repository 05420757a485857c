//! The corpus: every diagnostic with its exact text, and what good files mean.
#![cfg(feature = "parser")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by a panic"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;

use rpc_idl::codes;
use support::{cases, compile_case, expect};

#[test]
fn wrong_files_are_reported_exactly_so() {
    let mut failures = Vec::new();
    for case in cases("fail") {
        let compiled = compile_case(&case);
        assert!(
            !compiled.diagnostics.is_empty(),
            "{} has no fault",
            case.display()
        );
        let rendered = compiled.diagnostics.render();
        expect(&case.with_extension("stderr"), &rendered, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn good_files_mean_exactly_this() {
    let mut failures = Vec::new();
    for case in cases("pass") {
        let compiled = compile_case(&case);
        let rendered = compiled.diagnostics.render();
        assert!(rendered.is_empty(), "{}\n{rendered}", case.display());
        let dump = support::dump::dump(&compiled.model);
        expect(&case.with_extension("model"), &dump, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_code_has_a_case_named_after_it_that_shows_it() {
    let mut shown = BTreeSet::new();
    for case in cases("fail") {
        let name = case.file_stem().unwrap().to_str().unwrap();
        let code = name.split('_').next().unwrap();
        let compiled = compile_case(&case);
        let has = compiled.diagnostics.iter().any(|found| found.code == code);
        assert!(has, "{name} does not show {code}");
        for found in compiled.diagnostics.iter() {
            assert!(
                codes::find(found.code).is_some(),
                "{} is not in the catalogue",
                found.code
            );
        }
        shown.insert(code.to_owned());
    }
    let missing: Vec<_> = codes::CATALOGUE
        .iter()
        .map(|code| code.id)
        .filter(|id| !shown.contains(*id))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn expectations_belong_to_cases() {
    for (folder, extension) in [("fail", "stderr"), ("pass", "model")] {
        let wanted: BTreeSet<_> = cases(folder)
            .iter()
            .map(|case| case.with_extension(extension))
            .collect();
        let root = wanted.first().unwrap().parent().unwrap().to_owned();
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            let is_case = path.extension().is_some_and(|found| found == "idl");
            assert!(
                is_case || wanted.contains(&path),
                "{} belongs to nothing",
                path.display()
            );
        }
    }
}
