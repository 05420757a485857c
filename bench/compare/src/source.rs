//! The same large definition in the language of each generator, with a server that answers what it is given.

use std::fmt::Write;

use crate::build::workspace;

/// One crate as text.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) tool: Option<&'static str>,
    pub(crate) files: Vec<(&'static str, String)>,
}

/// Structs, of eight fields each.
const TYPES: usize = 300;
/// Methods; each takes one struct and answers one of the same type.
const METHODS: usize = 200;

/// Everybody.
pub(crate) fn all() -> Vec<Source> {
    vec![ours(), tarpc(), tonic(), volo()]
}

fn manifest(name: &str, rest: &str) -> String {
    format!(
        "[workspace]\n\n[package]\nname = \"generated-{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{rest}\n\n[profile.release]\nlto = \"thin\"\n"
    )
}

/// So many lines.
fn repeat(count: usize, mut line: impl FnMut(usize) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect()
}

fn ours() -> Source {
    let root = workspace().join("..");
    let root = root.canonicalize().unwrap_or(root);
    let root = root.display();
    let mut idl = "package large.v1;\n\n".to_owned();
    for n in 0..TYPES {
        let other = other(n, "string", |m| format!("T{m}"));
        let _ = write!(
            idl,
            "struct T{n} {{\n    1: id: u64,\n    2: name: string,\n    3: note: string?,\n    4: count: i32,\n    5: ratio: f64,\n    6: flag: bool,\n    7: tags: list<string>,\n    8: more: list<{other}>,\n}}\n\n"
        );
    }
    let methods = repeat(METHODS, |n| format!("    fn m{n}(input: T{n}) -> T{n};"));
    let _ = write!(idl, "service Large {{\n{methods}}}\n");
    let lib = format!(
        "rpc_runtime::include_idl!();\nuse large::v1::*;\npub struct Echo;\nimpl Large for Echo {{\n{}}}\npub fn mount(server: rpc_runtime::Server) -> rpc_runtime::Server {{\n    server.add(LargeService::new(Echo))\n}}\n{}",
        repeat(METHODS, |n| format!(
            "    async fn m{n}(&self, input: T{n}) -> T{n} {{ input }}"
        )),
        repeat(METHODS, |n| format!(
            "pub async fn call{n}(client: &LargeClient, input: &T{n}) -> bool {{ client.m{n}(input).await.is_ok() }}"
        ))
    );
    let rest = format!(
        "[dependencies]\nrpc-runtime = {{ path = \"{root}/rpc-runtime\" }}\n\n[build-dependencies]\nrpc-codegen = {{ path = \"{root}/rpc-codegen\", features = [\"idl\"] }}"
    );
    Source {
        name: "ours",
        tool: None,
        files: vec![
            ("Cargo.toml", manifest("ours", &rest)),
            (
                "build.rs",
                "fn main() { rpc_codegen::build(\"idl\"); }\n".to_owned(),
            ),
            ("idl/large.idl", idl),
            ("src/lib.rs", lib),
        ],
    }
}

fn tarpc() -> Source {
    let mut lib = "use serde::{Deserialize, Serialize};\n".to_owned();
    for n in 0..TYPES {
        let other = other(n, "String", |m| format!("T{m}"));
        let _ = write!(
            lib,
            "#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]\npub struct T{n} {{ pub id: u64, pub name: String, pub note: Option<String>, pub count: i32, pub ratio: f64, pub flag: bool, pub tags: Vec<String>, pub more: Vec<{other}> }}\n"
        );
    }
    let _ = write!(
        lib,
        "#[tarpc::service]\npub trait Large {{\n{}}}\n#[derive(Clone)]\npub struct Echo;\nimpl Large for Echo {{\n{}}}\n{}",
        repeat(METHODS, |n| format!(
            "    async fn m{n}(input: T{n}) -> T{n};"
        )),
        repeat(METHODS, |n| format!(
            "    async fn m{n}(self, _: tarpc::context::Context, input: T{n}) -> T{n} {{ input }}"
        )),
        repeat(METHODS, |n| format!(
            "pub async fn call{n}(client: &LargeClient, input: T{n}) -> bool {{ client.m{n}(tarpc::context::current(), input).await.is_ok() }}"
        ))
    );
    lib.push_str(
        "pub async fn serve() -> std::io::Result<()> {
    use futures::{StreamExt, future};
    use tarpc::server::{BaseChannel, Channel};
    let listener = tarpc::serde_transport::tcp::listen(\"127.0.0.1:0\", tarpc::tokio_serde::formats::Bincode::default).await?;
    let channels = listener.filter_map(|stream| future::ready(stream.ok())).map(BaseChannel::with_defaults);
    channels.for_each(|channel| async move {
        channel.execute(Echo.serve()).for_each(|answer| async move { tokio::spawn(answer); }).await;
    }).await;
    Ok(())
}
pub async fn connect(address: std::net::SocketAddr) -> std::io::Result<LargeClient> {
    let transport = tarpc::serde_transport::tcp::connect(address, tarpc::tokio_serde::formats::Bincode::default).await?;
    Ok(LargeClient::new(tarpc::client::Config::default(), transport).spawn())
}
",
    );
    let rest = "[dependencies]\nfutures = \"0.3\"\nserde = { version = \"1\", features = [\"derive\"] }\ntarpc = { version = \"0.38\", features = [\"serde1\", \"serde-transport\", \"serde-transport-bincode\", \"tcp\", \"tokio1\"] }\ntokio = { version = \"1.54\", features = [\"rt-multi-thread\"] }";
    Source {
        name: "tarpc",
        tool: None,
        files: vec![("Cargo.toml", manifest("tarpc", rest)), ("src/lib.rs", lib)],
    }
}

fn tonic() -> Source {
    let mut proto = "syntax = \"proto3\";\npackage large;\n\n".to_owned();
    for n in 0..TYPES {
        let other = other(n, "string", |m| format!("T{m}"));
        let _ = write!(
            proto,
            "message T{n} {{\n  uint64 id = 1;\n  string name = 2;\n  optional string note = 3;\n  int32 count = 4;\n  double ratio = 5;\n  bool flag = 6;\n  repeated string tags = 7;\n  repeated {other} more = 8;\n}}\n\n"
        );
    }
    let methods = repeat(METHODS, |n| format!("  rpc M{n}(T{n}) returns (T{n});"));
    let _ = write!(proto, "service Large {{\n{methods}}}\n");
    let lib = format!(
        "pub mod large {{ tonic::include_proto!(\"large\"); }}\nuse large::*;\nuse tonic::{{Request, Response, Status}};\npub struct Echo;\n#[tonic::async_trait]\nimpl large_server::Large for Echo {{\n{}}}\npub async fn serve() -> Result<(), tonic::transport::Error> {{\n    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));\n    tonic::transport::Server::builder().add_service(large_server::LargeServer::new(Echo)).serve(address).await\n}}\ntype Client = large_client::LargeClient<tonic::transport::Channel>;\n{}",
        repeat(METHODS, |n| format!(
            "    async fn m{n}(&self, request: Request<T{n}>) -> Result<Response<T{n}>, Status> {{ Ok(Response::new(request.into_inner())) }}"
        )),
        repeat(METHODS, |n| format!(
            "pub async fn call{n}(client: &mut Client, input: T{n}) -> bool {{ client.m{n}(input).await.is_ok() }}"
        ))
    );
    let rest = "[dependencies]\nprost = \"0.14\"\ntonic = \"0.14\"\ntonic-prost = \"0.14\"\n\n[build-dependencies]\ntonic-prost-build = \"0.14\"";
    let build =
        "fn main() { tonic_prost_build::compile_protos(\"large.proto\").unwrap(); }\n".to_owned();
    Source {
        name: "tonic",
        tool: Some("protoc"),
        files: vec![
            ("Cargo.toml", manifest("tonic", rest)),
            ("build.rs", build),
            ("large.proto", proto),
            ("src/lib.rs", lib),
        ],
    }
}

fn volo() -> Source {
    let mut idl = "namespace rs large\n\n".to_owned();
    for n in 0..TYPES {
        let other = other(n, "string", |m| format!("T{m}"));
        let _ = write!(
            idl,
            "struct T{n} {{\n    1: required i64 id,\n    2: required string name,\n    3: optional string note,\n    4: required i32 count,\n    5: required double ratio,\n    6: required bool flag,\n    7: required list<string> tags,\n    8: required list<{other}> more,\n}}\n\n"
        );
    }
    let methods = repeat(METHODS, |n| format!("    T{n} m{n}(1: T{n} input),"));
    let _ = write!(idl, "service Large {{\n{methods}}}\n");
    let lib = format!(
        "mod generated {{\n    include!(concat!(env!(\"OUT_DIR\"), \"/volo_gen.rs\"));\n    pub use volo_gen::*;\n}}\nuse generated::large::*;\nuse volo_thrift::ServerError;\npub struct Echo;\nimpl Large for Echo {{\n{}}}\npub async fn serve(listener: tokio::net::TcpListener) {{\n    let incoming = volo::net::incoming::DefaultIncoming::from(listener);\n    let _ = LargeServer::new(Echo).run(incoming).await;\n}}\npub fn connect(address: std::net::SocketAddr) -> LargeClient {{\n    LargeClientBuilder::new(\"large\").address(address).build()\n}}\n{}",
        repeat(METHODS, |n| format!(
            "    async fn m{n}(&self, input: T{n}) -> Result<T{n}, ServerError> {{ Ok(input) }}"
        )),
        repeat(METHODS, |n| format!(
            "pub async fn call{n}(client: &LargeClient, input: T{n}) -> bool {{ client.m{n}(input).await.is_ok() }}"
        ))
    );
    let rest = "[dependencies]\nlinkedbytes = \"0.1\"\npilota = \"0.13\"\ntokio = { version = \"1.54\", features = [\"net\"] }\nvolo = \"0.12\"\nvolo-thrift = \"0.12\"\n\n[build-dependencies]\nvolo-build = \"0.12\"";
    let build = "fn main() { volo_build::Builder::thrift().add_service(\"large.thrift\").write().unwrap(); }\n".to_owned();
    Source {
        name: "volo",
        tool: None,
        files: vec![
            ("Cargo.toml", manifest("volo", rest)),
            ("build.rs", build),
            ("large.thrift", idl),
            ("src/lib.rs", lib),
        ],
    }
}

/// What the eighth field is a list of: the type before this one, or text in every third.
fn other(number: usize, text: &str, name: impl Fn(usize) -> String) -> String {
    if number.is_multiple_of(3) {
        text.to_owned()
    } else {
        name(number - 1)
    }
}
