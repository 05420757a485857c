//! A generated client drives a real Neovim, which calls back on the same connection: `cargo run -p neovim`.
//!
//! Neovim knows nothing of this project: it speaks MessagePack-RPC. `idl/nvim.idl` describes the functions that are used
//! here, in the words of its own `nvim_get_api_info` (`cargo test -p neovim` compares them with the Neovim that is
//! installed), and the address says that the peer is to be called in its own way: `msgpack-rpc+unix:///path`. The
//! program starts Neovim itself and ends it.

mod editor;
#[cfg(test)]
mod signatures;

rpc_runtime::include_idl!();

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use nvim::{Helper, HelperService, NeovimClient};
use rpc_runtime::{Channel, Value};

use editor::Editor;

/// What Neovim may call.
#[derive(Clone, Default)]
struct Help {
    changes: Arc<Mutex<Vec<String>>>,
}

impl Helper for Help {
    async fn heading(&self, text: String) -> String {
        format!("== {text} ==")
    }

    async fn changed(&self, what: String) {
        if let Ok(mut changes) = self.changes.lock() {
            changes.push(what);
        }
    }
}

#[tokio::main]
async fn main() {
    if let Err(failure) = run().await {
        eprintln!("{failure}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let editor = Editor::start().await?;

    println!("over a Unix socket:");
    let help = Help::default();
    let nvim: NeovimClient = Channel::builder()
        .export(HelperService::new(help.clone()))
        .client(editor.address())
        .await?;
    edit(&nvim).await?;
    call_back(&nvim, &help).await?;

    // A server of Neovim's own on a free port; the same client type, another address, nothing exported.
    let port = nvim
        .nvim_call_function("serverstart", &[Value::from("127.0.0.1:0")])
        .await?;
    let address = format!("msgpack-rpc+tcp://{}", text(&port));
    println!("over TCP:");
    let nvim = NeovimClient::connect(&address).await?;
    let lines = nvim
        .nvim_buf_get_lines(&Value::from(0), 0, -1, true)
        .await?;
    println!("  the other connection sees {} lines", lines.len());
    Ok(())
}

/// Writes into a buffer, reads it back, and makes a mistake.
async fn edit(nvim: &NeovimClient) -> rpc_runtime::Result<()> {
    let version = nvim
        .nvim_eval("matchstr(execute('version'), 'NVIM v[0-9.]*')")
        .await?;
    println!("  this is {}", text(&version));

    // A buffer travels as an extension of MessagePack; `any` carries it unseen, there and back.
    let buffer = nvim.nvim_get_current_buf().await?;
    let written = [
        "the first line".to_owned(),
        "and one with ümläuts".to_owned(),
    ];
    nvim.nvim_buf_set_lines(&buffer, 0, -1, true, &written)
        .await?;
    nvim.nvim_command("%s/first/1st/").await?;
    let read = nvim.nvim_buf_get_lines(&buffer, 0, -1, true).await?;
    println!("  the buffer {buffer:?} holds {read:?}");
    let sum = nvim.nvim_eval("6 * 7").await?;
    println!("  6 * 7 is {sum:?}");

    match nvim.nvim_command("NoSuchCommand").await {
        Err(failure) => println!("  a mistake: {failure}"),
        Ok(()) => println!("  Neovim has learnt a new command"),
    }
    Ok(())
}

/// Has Neovim ask this program while this program waits for Neovim.
async fn call_back(nvim: &NeovimClient, help: &Help) -> rpc_runtime::Result<()> {
    let info = nvim.nvim_get_api_info().await?;
    let channel = info.first().cloned().unwrap_or_default();
    nvim.nvim_set_client_info(
        "rpc-runtime",
        &BTreeMap::new(),
        "remote",
        &BTreeMap::new(),
        &BTreeMap::new(),
    )
    .await?;
    let code = "local channel, text = ...
        vim.rpcnotify(channel, 'changed', 'the heading is asked for')
        local heading = vim.rpcrequest(channel, 'heading', text)
        vim.api.nvim_buf_set_lines(0, 0, 0, true, { heading })
        local ok, message = pcall(vim.rpcrequest, channel, 'headin', text)
        return { heading, message }";
    let answer = nvim
        .nvim_exec_lua(code, &[channel, Value::from("from Rust, by way of Lua")])
        .await?;
    if let Value::Array(parts) = &answer {
        for part in parts {
            println!("  Neovim was told: {}", text(part));
        }
    }
    let lines = nvim.nvim_buf_get_lines(&Value::from(0), 0, 1, true).await?;
    println!("  the first line is now {lines:?}");
    if let Ok(changes) = help.changes.lock() {
        println!("  and this program heard {changes:?}");
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    match value {
        Value::Str(text) => text,
        _ => "no text",
    }
}
