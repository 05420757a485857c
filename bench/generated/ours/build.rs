//! Writes the definition of a service of 200 methods over 300 types, an implementation of it, and a call of each method.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    let folder = out.join("definition");
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join("big.idl"), definition()).expect("the definition can be written");
    fs::write(out.join("uses.rs"), uses()).expect("the uses can be written");
    rpc_codegen::Build::new()
        .root(folder)
        .blocking(env::var_os("NO_BLOCKING").is_none())
        .views(env::var_os("NO_VIEWS").is_none())
        .run();
    println!("cargo::rerun-if-env-changed=NO_BLOCKING");
    println!("cargo::rerun-if-env-changed=NO_VIEWS");
}

fn definition() -> String {
    let mut text = String::from("/// Big.\npackage big.v1;\n\n");
    for i in 0..ENUMS {
        writeln!(text, "enum E{i} {{ 0: None, 1: Some, 2: Many, 3: All }}").unwrap();
    }
    for i in 0..UNIONS {
        writeln!(text, "union U{i} {{ 1: Text(string), 2: Whole(T{i}), 3: Pair {{ 1: a: u64, 2: b: string }}, 4: Empty }}").unwrap();
    }
    for i in 0..STRUCTS {
        let (e, u, inner) = (i % ENUMS, i % UNIONS, (i + 1) % STRUCTS);
        writeln!(text, "struct T{i} {{").unwrap();
        writeln!(text, "    1: id: u64, 2: name: string, 3: tags: list<string>, 4: state: E{e}, 5: price: f64,").unwrap();
        writeln!(text, "    6: note: string?, 7: count: u32 = 1, 8: attrs: map<string, string> = {{}},").unwrap();
        if i % 3 == 0 {
            writeln!(text, "    9: inner: list<T{inner}>,").unwrap();
        }
        if i % 5 == 0 {
            writeln!(text, "    10: choice: U{u}?,").unwrap();
        }
        writeln!(text, "}}").unwrap();
    }
    for i in 0..ERRORS {
        writeln!(text, "error F{i} {{ 1: NotFound {{ 1: id: u64 }}, 2: Busy(string) }}").unwrap();
    }
    writeln!(text, "service Big {{").unwrap();
    for i in 0..METHODS {
        let (t, r, f) = (i, (i + 7) % STRUCTS, i % ERRORS);
        let throws = if i % 2 == 0 { format!(" throws F{f}") } else { String::new() };
        let result = if i % 4 == 3 { format!("list<T{r}>") } else { format!("T{r}") };
        writeln!(text, "    fn m{i}(value: T{t}, id: u64, name: string) -> {result}{throws};").unwrap();
    }
    writeln!(text, "}}").unwrap();
    text
}

fn uses() -> String {
    let mut text = String::from("impl Big for Store {\n");
    for i in 0..METHODS {
        let (r, f) = ((i + 7) % STRUCTS, i % ERRORS);
        let result = if i % 4 == 3 { format!("Vec<T{r}>") } else { format!("T{r}") };
        let output = if i % 2 == 0 { format!("Result<{result}, F{f}>") } else { result };
        writeln!(text, "    async fn m{i}(&self, value: T{i}, id: u64, name: String) -> {output} {{ answer((value, id, name)) }}").unwrap();
    }
    text.push_str("}\nasync fn call_all(client: &BigClient) {\n");
    for i in 0..METHODS {
        writeln!(text, "    drop(client.m{i}(&made(), 7, \"x\").await);").unwrap();
    }
    text.push_str("}\n");
    text
}

const METHODS: usize = 200;
const STRUCTS: usize = 230;
const ENUMS: usize = 40;
const UNIONS: usize = 20;
const ERRORS: usize = 10;
