//! Writes the same service as a .proto file, an implementation of it, and a call of each method.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    fs::write(out.join("big.proto"), definition()).expect("the definition can be written");
    fs::write(out.join("uses.rs"), uses()).expect("the uses can be written");
    let files = protox::compile(["big.proto"], [&out]).expect("the definition is good");
    tonic_prost_build::configure()
        .compile_fds(files)
        .expect("code comes out");
}

fn definition() -> String {
    let mut text = String::from("syntax = \"proto3\";\npackage big.v1;\n\n");
    for i in 0..ENUMS {
        writeln!(text, "enum E{i} {{ E{i}_NONE = 0; E{i}_SOME = 1; E{i}_MANY = 2; E{i}_ALL = 3; }}").unwrap();
    }
    for i in 0..UNIONS {
        writeln!(text, "message P{i} {{ uint64 a = 1; string b = 2; }}").unwrap();
        writeln!(text, "message N{i} {{}}").unwrap();
        writeln!(text, "message U{i} {{ oneof kind {{ string text = 1; T{i} whole = 2; P{i} pair = 3; N{i} empty = 4; }} }}").unwrap();
    }
    for i in 0..STRUCTS {
        let (e, u, inner) = (i % ENUMS, i % UNIONS, (i + 1) % STRUCTS);
        writeln!(text, "message T{i} {{").unwrap();
        writeln!(text, "  uint64 id = 1; string name = 2; repeated string tags = 3; E{e} state = 4; double price = 5;").unwrap();
        writeln!(text, "  optional string note = 6; uint32 count = 7; map<string, string> attrs = 8;").unwrap();
        if i % 3 == 0 {
            writeln!(text, "  repeated T{inner} inner = 9;").unwrap();
        }
        if i % 5 == 0 {
            writeln!(text, "  optional U{u} choice = 10;").unwrap();
        }
        writeln!(text, "}}").unwrap();
    }
    for i in 0..METHODS {
        let r = (i + 7) % STRUCTS;
        writeln!(text, "message In{i} {{ T{i} value = 1; uint64 id = 2; string name = 3; }}").unwrap();
        if i % 4 == 3 {
            writeln!(text, "message Out{i} {{ repeated T{r} items = 1; }}").unwrap();
        }
    }
    writeln!(text, "service Big {{").unwrap();
    for i in 0..METHODS {
        let r = (i + 7) % STRUCTS;
        let result = if i % 4 == 3 { format!("Out{i}") } else { format!("T{r}") };
        writeln!(text, "  rpc M{i}(In{i}) returns ({result});").unwrap();
    }
    writeln!(text, "}}").unwrap();
    text
}

fn uses() -> String {
    let mut text = String::from("#[tonic::async_trait]\nimpl big_server::Big for Store {\n");
    for i in 0..METHODS {
        let r = (i + 7) % STRUCTS;
        let result = if i % 4 == 3 { format!("Out{i}") } else { format!("T{r}") };
        writeln!(text, "    async fn m{i}(&self, request: tonic::Request<In{i}>) -> Result<tonic::Response<{result}>, tonic::Status> {{ answer(request) }}").unwrap();
    }
    text.push_str("}\nasync fn call_all(client: &mut big_client::BigClient<tonic::transport::Channel>) {\n");
    for i in 0..METHODS {
        writeln!(text, "    drop(client.m{i}(In{i} {{ value: made(), id: 7, name: \"x\".into() }}).await);").unwrap();
    }
    text.push_str("}\n");
    text
}

const METHODS: usize = 200;
const STRUCTS: usize = 230;
const ENUMS: usize = 40;
const UNIONS: usize = 20;
