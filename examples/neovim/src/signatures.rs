//! Compares idl/nvim.idl with what the installed Neovim says of itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use rpc_runtime::Value;

use crate::editor::Editor;
use crate::nvim::NeovimClient;

fn get<'a>(map: &'a Value, key: &str) -> &'a Value {
    let Value::Map(entries) = map else {
        panic!("no map: {map:?}");
    };
    let found = entries.iter().find(|(name, _)| *name == Value::from(key));
    &found.unwrap_or_else(|| panic!("no `{key}`")).1
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        other => panic!("no list: {other:?}"),
    }
}

fn text(value: &Value) -> &str {
    match value {
        Value::Str(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// Neovim's word for a type, in those of the `.idl` file.
fn idl(neovim: &str) -> String {
    match neovim {
        "Integer" => "i64".into(),
        "Boolean" => "bool".into(),
        "String" => "string".into(),
        "Array" => "list<any>".into(),
        "Dictionary" | "Dict" => "map<string, any>".into(),
        "Object" => "any".into(),
        "Buffer" => "Buffer".into(),
        "void" => String::new(),
        other => match other.strip_prefix("ArrayOf(") {
            Some(element) => format!("list<{}>", idl(element.trim_end_matches(')'))),
            None => panic!("the type `{other}` is not known here"),
        },
    }
}

/// A running Neovim; none where it is not installed and need not be: `.ci/run` says that it must be.
async fn editor() -> Option<Editor> {
    match Editor::start().await {
        Ok(editor) => Some(editor),
        Err(error) => {
            let required = std::env::var_os("RPC_PEERS").is_some_and(|value| value == "required");
            assert!(!required, "{error}; run .ci/peers first");
            eprintln!("left out: {error}; .ci/peers installs it");
            None
        }
    }
}

#[tokio::test]
async fn the_idl_says_what_the_installed_neovim_says() {
    let Some(editor) = editor().await else {
        return;
    };
    let client = NeovimClient::connect(&editor.address()).await.unwrap();
    let info = client.nvim_get_api_info().await.unwrap();
    let functions = list(get(&info[1], "functions"));
    for method in NeovimClient::SERVICE.methods {
        let function = functions
            .iter()
            .find(|function| text(get(function, "name")) == method.wire_name)
            .unwrap_or_else(|| panic!("Neovim has no {}", method.wire_name));
        let parameters: Vec<String> = list(get(function, "parameters"))
            .iter()
            .map(|parameter| {
                let [kind, name] = list(parameter) else {
                    panic!("{parameter:?}");
                };
                format!("{}: {}", text(name), idl(text(kind)))
            })
            .collect();
        let mut expected = format!("({})", parameters.join(", "));
        let returns = idl(text(get(function, "return_type")));
        if !returns.is_empty() {
            expected += &format!(" -> {returns}");
        }
        assert_eq!(method.signature, expected, "{}", method.wire_name);
    }
    assert_eq!(NeovimClient::SERVICE.methods.len(), 12);
}

#[tokio::test]
async fn buffers_come_as_extensions_and_go_back_as_they_came() {
    let Some(editor) = editor().await else {
        return;
    };
    let client = NeovimClient::connect(&editor.address()).await.unwrap();
    let buffer = client.nvim_get_current_buf().await.unwrap();
    assert!(matches!(buffer, Value::Ext(0, _)), "{buffer:?}");
    let lines: Vec<String> = (0..5_000).map(|n| format!("line {n}")).collect();
    client
        .nvim_buf_set_lines(&buffer, 0, -1, true, &lines)
        .await
        .unwrap();
    let read = client.nvim_buf_get_lines(&buffer, 0, -1, true).await;
    assert_eq!(read.unwrap(), lines);
    let wrong = client.nvim_buf_line_count(&Value::from(99)).await;
    let wrong = wrong.expect_err("there is no such buffer").to_string();
    assert!(wrong.contains("Invalid buffer id: 99"), "{wrong}");
}
