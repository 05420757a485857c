//! The model is the same whatever files and order the definitions were written in, and IDs are what they always were.
#![cfg(feature = "parser")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by a panic"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rpc_idl::model::{Type, TypeKind};
use rpc_idl::{Compiled, Model, SourceFile, compile, ids};

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.into(),
        text: text.into(),
    }
}

fn good(files: Vec<SourceFile>) -> Model {
    let compiled = compile(files);
    assert!(
        compiled.diagnostics.is_empty(),
        "{}",
        compiled.diagnostics.render()
    );
    compiled.model
}

const ITEMS: &[&str] = &[
    "struct User { 2: b: Side = Side.Right, 1: a: Name, reserved 9, 4; }",
    "closed enum Side: u8 { 2: Right, 1: Left }",
    "type Name = string;",
    "const A: u8 = B;",
    "const B: u8 = 7;",
    "error Oops { 2: Other, 1: User(User) }",
    "service Users extends Health { fn get(side: Side = Side.Left) -> User throws Oops; }",
    "service Health { fn check(); }",
    "annotation team(name: string) on struct;",
    "@team(\"x\") struct Marked { 1: user: User }",
];

#[test]
fn files_and_order_make_no_difference() {
    let all = |items: &[&str]| format!("package demo.v1;\n{}\n", items.join("\n"));
    let one = good(vec![file("one.idl", &all(ITEMS))]);
    let mut reversed: Vec<_> = ITEMS.to_vec();
    reversed.reverse();
    assert_eq!(one, good(vec![file("other.idl", &all(&reversed))]));
    for split in 1..ITEMS.len() {
        let (a, b) = ITEMS.split_at(split);
        let files = vec![file("z.idl", &all(a)), file("a.idl", &all(b))];
        assert_eq!(one, good(files), "split at {split}");
    }
    let each: Vec<_> = ITEMS
        .iter()
        .enumerate()
        .map(|(n, item)| file(&format!("{n}.idl"), &all(&[item])))
        .collect();
    assert_eq!(one, good(each.clone()));
    assert_eq!(one, good(each.into_iter().rev().collect()));
}

#[test]
fn lists_are_sorted_by_full_name_and_members_by_number() {
    let model = good(vec![
        file(
            "a.idl",
            "package a;\nstruct z { 1: a: u8 }\nstruct A { 2: b: u8, 1: a: u8 }",
        ),
        file("b.idl", "package a.b;\nstruct C { 1: a: u8 }"),
    ]);
    let names: Vec<_> = model.types.iter().map(|def| def.full_name()).collect();
    assert_eq!(names, ["a.A", "a.b.C", "a.z"]);
    let TypeKind::Struct(record) = &model.types[0].kind else {
        panic!("not a struct");
    };
    assert_eq!(&*record.fields[0].name, "a");
}

#[test]
fn what_is_good_stays_when_something_is_wrong() {
    let Compiled { model, diagnostics } = compile(vec![file(
        "a.idl",
        "package a;\nstruct S { 1: good: u8, 2: bad: Nowhere, 3 broken, 4: fine: string = 3, 5: last: T }\ntype T = Lost;\nservice V { fn a(x: Nowhere); fn b(); }",
    )]);
    assert_eq!(diagnostics.error_count(), 5, "{}", diagnostics.render());
    let TypeKind::Struct(record) = &model.types[0].kind else {
        panic!("not a struct");
    };
    let names: Vec<_> = record.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["good", "last"]);
    assert_eq!(model.types[1].kind, TypeKind::Alias(Type::Any));
    assert_eq!(model.services[0].methods.len(), 1);
}

#[test]
fn errors_are_capped_and_the_rest_is_counted() {
    let mut text = String::from("package a;\nstruct S {\n");
    for n in 1..=80 {
        let _ = writeln!(text, "{n}: f{n}: Nowhere{n},");
    }
    text.push('}');
    let compiled = compile(vec![file("a.idl", &text)]);
    assert_eq!(compiled.diagnostics.error_count(), 50);
    assert!(
        compiled
            .diagnostics
            .render_short()
            .ends_with("error: 30 more errors are not shown\n")
    );
}

#[test]
fn short_lines_are_what_editors_read() {
    let compiled = compile(vec![file("dir/a.idl", "package a;\nstruct S { 1: é: u8 }")]);
    let short = compiled.diagnostics.render_short();
    assert_eq!(
        short,
        "dir/a.idl:2:15: error[E0001]: unexpected character `é`\n"
    );
    let first = compiled.diagnostics.iter().next().unwrap();
    assert_eq!(
        (first.line, first.col, first.path.as_str()),
        (2, 15, "dir/a.idl")
    );
    assert!(first.rendered_coloured().contains("\u{1b}["));
}

/// Lines of `vectors/ids.txt`: `service method sha256-prefix call-id`, then texts between `canonical NAME FINGERPRINT`
/// and an empty line.
#[test]
fn ids_are_what_they_always_were() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ids.txt");
    let text = fs::read_to_string(&path).unwrap();
    let mut methods = 0;
    for line in text.lines().filter(|line| line.starts_with("id ")) {
        let words: Vec<_> = line.split(' ').collect();
        let [_, service, method, digest, id] = words[..] else {
            panic!("{line}");
        };
        let id: u64 = id.parse().unwrap();
        assert_eq!(u64::from_str_radix(digest, 16).unwrap() >> 11, id, "{line}");
        assert_eq!(ids::call_id(service, method), id, "{line}");
        methods += 1;
    }
    assert!(methods >= 5);
    let model = good(vec![file(
        "demo.idl",
        &format!("package demo.v1;\n{}", ITEMS.join("\n")),
    )]);
    let (ids_part, _) = text.split_once("\n\n").unwrap();
    let mut fresh = format!("{ids_part}\n\n");
    for (id, service) in model.services.iter().enumerate() {
        let id = rpc_idl::model::ServiceId(id as u32);
        let canonical = ids::canonical_text(&model, id);
        let print = ids::service_fingerprint(&model, id);
        let _ = writeln!(
            fresh,
            "canonical {} {print:016x}\n{canonical}",
            service.full_name()
        );
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
        return;
    }
    assert_eq!(
        text, fresh,
        "fingerprints changed: every deployed service would notice"
    );
}
