//! Measures the front end: compiles a generated input of a million lines.
//!
//! `cargo run --release -p rpc-idl --example lines -- [lines] [packages]`

use std::fmt::Write as _;
use std::time::Instant;

use rpc_idl::{SourceFile, compile};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let lines = arguments.next().and_then(Result::ok).unwrap_or(1_000_000);
    let packages = arguments.next().and_then(Result::ok).unwrap_or(10);
    let files = generate(lines, packages.max(1));
    let count: usize = files.iter().map(|file| file.text.lines().count()).sum();
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    let number = files.len();
    let before = peak();
    let start = Instant::now();
    let compiled = compile(files);
    let seconds = start.elapsed().as_secs_f64();
    print!("{}", compiled.diagnostics.render_short());
    let model = &compiled.model;
    println!("{count} lines, {number} files, {bytes} bytes");
    println!(
        "{} types, {} services, {} constants",
        model.types.len(),
        model.services.len(),
        model.consts.len()
    );
    println!("{seconds:.2} s, {:.0} lines/s", count as f64 / seconds);
    println!("peak RSS {} MB, {before} MB of it before", peak());
}

/// Peak of the resident memory in MB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}

/// Files of about 50,000 lines, spread over packages, each of which imports the one before.
fn generate(lines: usize, packages: usize) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let (mut written, mut block) = (0, 0);
    while written < lines {
        let file = files.len();
        let package = file % packages;
        let mut text = header(file, package);
        let mut count = text.lines().count();
        while count < 50_000 && written + count < lines {
            let start = text.len();
            one_block(&mut text, block);
            count += text[start..].lines().count();
            block += 1;
        }
        written += count;
        let path = format!("p{package}/f{file}.idl");
        files.push(SourceFile { path, text });
    }
    files
}

/// The first file of each package defines `First`, which the first file of the next package uses.
fn header(file: usize, package: usize) -> String {
    let mut text = format!("/// Package number {package}.\npackage bench.p{package}.v1;\n\n");
    if file != package {
        return text;
    }
    if package > 0 {
        let before = package - 1;
        let _ = writeln!(text, "import bench.p{before}.v1 as before;\n");
        text.push_str("struct First { 1: before: before.First }\n\n");
    } else {
        text.push_str("struct First { 1: id: u64 }\n\n");
    }
    text
}

/// Every kind of definition once.
fn one_block(text: &mut String, n: usize) {
    let limit = n % 1000;
    let _ = write!(
        text,
        r#"/// State of thing {n}.
enum State{n} {{
    0: Unknown,
    1: Active,
    2: Suspended,
    reserved 3, 10..19, "Deleted";
}}

const LIMIT_{n}: u32 = {limit};
type Id{n} = u64;

/// Thing {n}, with a comment of two lines
/// as people write them.
struct Thing{n} {{
    1: id: Id{n},
    /// Name of the thing.
    @len(max = 64)
    2: name: string,
    3: mail: string?,
    4: state: State{n} = State{n}.Active,
    5: tags: set<string> = [],
    6: scores: map<string, list<f64>>,
    7: created: timestamp,
    8: wait: duration = 2s, // seconds
    9: parent: Thing{n}?,
    10: limit: u32 = LIMIT_{n},
    reserved 12, 20..max, "password";
}}

struct Pair{n} {{
    1: left: Thing{n},
    2: right: Thing{n}?,
    3: raw: bytes,
}}

union Shape{n} {{
    1: Circle(f64),
    2: Rect {{ 1: w: f64, 2: h: f64 }},
    3: Thing(Thing{n}),
}}

error Failure{n} {{
    @status(not_found) 1: NotFound {{ 1: id: Id{n} }},
    @status(unavailable) @retryable 2: Busy,
}}

service Service{n} {{
    /// Fetches one.
    @idempotent @timeout(2s)
    fn get_thing(id: Id{n}) -> Thing{n} throws Failure{n};
    fn put_thing(thing: Thing{n}, dry_run: bool = false) throws Failure{n};
    fn watch(filter: string?) -> stream Shape{n};
    oneway fn touch(id: Id{n}, pair: Pair{n});
}}

"#
    );
}
