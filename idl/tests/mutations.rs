//! Ten thousand broken files: nothing panics, nothing hangs, every span lies inside its file.
#![cfg(feature = "parser")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by a panic"
)]

mod support;

use std::fs;

use rpc_idl::{Compiled, SourceFile, compile};

/// xorshift64*: the same mutations on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

#[test]
fn mutated_files_are_survived() {
    let corpus = corpus();
    let mut random = Random(0x5eed_1e55_c0ff_ee11);
    for round in 0..10_000 {
        let case = &corpus[round % corpus.len()];
        let other = &corpus[random.below(corpus.len())];
        let mut files = case.clone();
        let at = random.below(files.len());
        for _ in 0..=random.below(4) {
            let text = &files[at].text;
            files[at].text = mutate(text, &other[0].text, &mut random);
        }
        let texts: Vec<SourceFile> = files.clone();
        let compiled = compile(files);
        check(&compiled, texts);
    }
}

/// The texts of all cases, without those that are large for a reason.
fn corpus() -> Vec<Vec<SourceFile>> {
    let mut corpus = Vec::new();
    for case in support::cases("fail")
        .into_iter()
        .chain(support::cases("pass"))
    {
        let text = String::from_utf8_lossy(&fs::read(&case).unwrap()).into_owned();
        let name = case.file_name().unwrap().to_str().unwrap();
        if text.len() < 6000 && !text.starts_with("//# pad") {
            corpus.push(support::split(name, &text));
        }
    }
    assert!(corpus.len() > 50);
    corpus
}

fn mutate(text: &str, other: &str, random: &mut Random) -> String {
    let boundary = |text: &str, mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(text, random.below(text.len() + 1));
    let end = boundary(text, (start + random.below(20)).min(text.len()));
    let (before, after) = (&text[..start], &text[end.max(start)..]);
    let cut = &text[start..end.max(start)];
    match random.below(7) {
        0 => format!("{before}{after}"),
        1 => format!("{before}{cut}{cut}{after}"),
        2 => format!("{before}{}{cut}{after}", SPICE[random.below(SPICE.len())]),
        3 => format!("{before}{}{after}", SPICE[random.below(SPICE.len())]),
        4 => before.to_owned(),
        5 => {
            let from = boundary(other, random.below(other.len() + 1));
            let to = boundary(other, (from + random.below(80)).min(other.len()));
            format!("{before}{}{cut}{after}", &other[from..to.max(from)])
        }
        _ => {
            let swapped: String = cut.chars().rev().collect();
            format!("{before}{swapped}{after}")
        }
    }
}

const SPICE: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ";",
    ":",
    "?",
    "@",
    "/*",
    "*/",
    "//",
    "///",
    "\n",
    "é",
    "\u{1F600}",
    "\0",
    "1:",
    "99999999999999999999",
    "-",
    "..",
    "max",
    "stream ",
    "fn ",
    "struct A {",
    "struct",
    "type ",
    "= 3;",
    "rpc F(A) returns (B);",
    "string x = 1;",
    "1: required i32 x,",
    "package a.b;",
    "import a.b;",
    "\u{feff}",
    "reserved ",
    "list<list<list<",
    "??",
    "0x",
    "1e999",
    "@id(1)",
    "extends ",
    "throws ",
];

fn check(compiled: &Compiled, mut files: Vec<SourceFile>) {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(compiled.diagnostics.error_count() <= rpc_idl::MAX_ERRORS);
    for found in &compiled.diagnostics {
        for label in found.primary.iter().chain(&found.secondary) {
            let text = &files[label.place.file.0 as usize].text;
            let (start, end) = (
                label.place.span.start as usize,
                label.place.span.end as usize,
            );
            assert!(
                text.get(start..end).is_some(),
                "{found:?}: {start}..{end} of {text:?}"
            );
        }
        if let (Some(suggestion), Some(primary)) = (&found.suggestion, &found.primary) {
            let text = &files[primary.place.file.0 as usize].text;
            for (span, _) in &suggestion.edits {
                assert!(
                    text.get(span.start as usize..span.end as usize).is_some(),
                    "{found:?}"
                );
            }
        }
        assert!(found.rendered().contains(found.code));
    }
}

/// Shapes made to be slow or deep. A step that is not linear would take minutes on these.
#[test]
fn hostile_shapes_are_survived() {
    let many = |piece: &str| piece.repeat(300_000 / piece.len());
    let each = |make: &dyn Fn(usize) -> String| (1..=10_000).map(make).collect::<String>();
    let shapes = [
        many("{"),
        many("<"),
        many("}"),
        many("\""),
        many("/*"),
        many("@a "),
        many("/// x\n"),
        many("struct A {\n"),
        many(" struct A {\n"),
        many("foo bar;"),
        many("message A { string a = 1; }\n"),
        format!("struct S {{{}}}", many("1: a u8,\n")),
        format!("struct S {{{}}}", many("1: a: u8,\n")),
        format!("struct S {{ 1: a: u8{} }}", many("?")),
        format!("struct S {{ 1: a: a{} }}", many(".a")),
        format!("service S {{{}}}", many("@id(5000) fn f();")),
        each(&|n| format!("type T{n} = T{};", n + 1)),
        each(&|n| format!("struct T{n} {{ 1: a: T{} }}", n % 10_000 + 1)),
        each(&|n| format!("struct T{n} {{ 1: a: T{} }}", n + 1))
            + "struct T10001 { 1: a: set<T1> }",
        each(&|n| format!("service T{n} extends T{} {{ fn m{n}(); }}", n % 10_000 + 1)),
        each(&|n| format!("const T{n}: u8 = T{};", n + 1)),
        each(&|n| format!("import a.b{n};")),
        each(&|n| format!("struct A{n} {{ 1: a: Nowhere{n} }}")),
        format!("enum S {{{}}}", each(&|n| format!("{n}: V{n},"))),
        format!(
            "enum S {{ 0: A, reserved {} 7; }}",
            each(&|n| format!("{n}..{},", n * 2))
        ),
        format!(
            "struct S {{{}}}",
            each(&|n| format!("{}: a{}b: u8,", n % 4000 + 1, "_".repeat(n % 50)))
        ),
    ];
    for shape in shapes {
        let text = format!("package a.v1;\n{shape}\n");
        let file = SourceFile {
            path: "a.idl".into(),
            text,
        };
        let compiled = compile(vec![file.clone()]);
        check(&compiled, vec![file]);
        assert!(compiled.diagnostics.render().len() < 4 << 20);
    }
}
