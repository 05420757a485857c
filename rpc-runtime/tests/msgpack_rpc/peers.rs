//! Programs of others that speak MessagePack-RPC, as clients and as servers. `.ci/peers` installs them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rpc_runtime::msgpack_rpc::ErrorForm;
use rpc_runtime::{ErrorKind, Execution, Limits, Server, Value};

use crate::service::{CalculatorClient, serve, serve_with};

/// Where `.ci/peers` puts what belongs to no package of the system.
fn peers() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    target.parent().unwrap().join("peers")
}

/// Whether the peers were never installed here, and need not be: `.ci/run` says that they must be. What was left out is
/// said aloud.
fn left_out() -> bool {
    if peers().join("installed").exists() {
        return false;
    }
    let required = std::env::var_os("RPC_PEERS").is_some_and(|value| value == "required");
    assert!(!required, "run .ci/peers first");
    eprintln!("left out: the programs of others are not installed; .ci/peers does that");
    true
}

fn source(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("msgpack_rpc/peers").join(name)
}

/// A program that must be there.
fn program(path: impl AsRef<Path>) -> Command {
    let path = path.as_ref();
    let found = path.components().count() == 1 || path.exists();
    assert!(found, "{}: run .ci/peers first", path.display());
    Command::new(path)
}

/// Runs a program to its end, which the program itself sees to, and gives what it has printed.
async fn run(mut command: Command) -> String {
    let running = tokio::task::spawn_blocking(move || {
        let output = command.stdin(Stdio::null()).output();
        let output =
            output.unwrap_or_else(|error| panic!("{command:?}: {error}; run .ci/peers first"));
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(
            output.status.success(),
            "{command:?}: {}; if something is missing, run .ci/peers first\n{out}{error}",
            output.status
        );
        out
    });
    running.await.unwrap()
}

fn python(environment: &str) -> Command {
    program(peers().join(environment).join("bin/python"))
}

/// `tcp://host:port` in two words.
fn host_and_port(address: &str) -> (&str, &str) {
    let host = address.strip_prefix("tcp://").unwrap();
    host.rsplit_once(':').unwrap()
}

#[tokio::test]
async fn pynvim_is_served() {
    if left_out() {
        return;
    }
    // It takes the second element of an error.
    let server = Server::new().msgpack_rpc_errors(ErrorForm::Pair);
    let (serving, desk) = serve_with(server, Limits::default()).await;
    let (host, port) = host_and_port(serving.address());
    let mut command = python("pynvim");
    command.arg(source("pynvim_client.py")).args([host, port]);
    let expected = "\
add 5
echo {'a': [1, 2.5, None, 'ä', b'\\x00\\xff']}
notes ['from pynvim', 'in bytes']
divide failed: 1 cannot be divided by zero
take failed: only 4 pieces are left
ad failed: there is no method `ad` here; did you mean `add`?
add 1099511627775
";
    assert_eq!(run(command).await, expected);
    assert_eq!(desk.notes.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn msgpack_rpc_python_is_served() {
    if left_out() {
        return;
    }
    let (serving, _) = serve().await;
    let (host, port) = host_and_port(serving.address());
    let mut command = python("msgpack-rpc-python");
    command.arg(source("legacy_client.py")).args([host, port]);
    let expected = "\
add 5
echo {'a': [1, 2.5, None, 'ä', 18446744073709551615, -9223372036854775808]}
later [20, 1, 10] False
notes ['from 2018']
divide failed: 1 cannot be divided by zero
take failed: only 4 pieces are left
ad failed: there is no method `ad` here; did you mean `add`?
panics failed: the handler of Calculator/panics panicked; the server's log says why
add 1099511627775
";
    assert_eq!(run(command).await, expected);
}

/// A process that ends when this is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn msgpack_rpc_python_is_called() {
    if left_out() {
        return;
    }
    let mut command = python("msgpack-rpc-python");
    command.arg(source("legacy_server.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = Ended(command.spawn().expect("run .ci/peers first"));
    let out = server.0.stdout.take().unwrap();
    let port = tokio::task::spawn_blocking(move || {
        let mut port = String::new();
        BufReader::new(out).read_line(&mut port).map(|_| port)
    });
    let port = port.await.unwrap().unwrap();
    let address = format!("msgpack-rpc+tcp://127.0.0.1:{}", port.trim());
    let client = CalculatorClient::connect(&address).await.unwrap();
    assert_eq!(client.add(40, 2).await.unwrap(), 42);
    let value = Value::from(vec![Value::from("ä"), Value::Nil, Value::from(1.5)]);
    assert_eq!(client.echo(value.clone()).await.unwrap(), value);
    client.note("told".into()).await.unwrap();
    assert_eq!(client.notes().await.unwrap(), ["told"]);
    let failure = client.divide(1.0, 0.0).await.expect_err("that is an error");
    assert_eq!(failure.execution(), Execution::Executed);
    assert!(
        failure.to_string().contains("division by zero"),
        "{failure}"
    );
    let failure = client.peek().await.expect_err("it has no such method");
    assert!(
        failure.to_string().contains("'peek' method not found"),
        "{failure}"
    );
    let late = client.never().timeout(Duration::from_millis(100)).await;
    assert_eq!(late.expect_err("never").kind(), ErrorKind::DeadlineExceeded);
    let all: Vec<_> = (0..100).map(|n| client.add(n, n).start()).collect();
    for (n, call) in (0..).zip(all) {
        assert_eq!(call.await.unwrap(), 2 * n);
    }
}

async fn go(codec: &'static str, name: &'static str) {
    let (serving, _) = serve().await;
    let (host, port) = host_and_port(serving.address());
    // The same program with one of two codecs.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory).unwrap();
    let text = std::fs::read_to_string(source("client.go")).unwrap();
    let main = directory.join("main.go");
    std::fs::write(&main, text.replace("CODEC", codec)).unwrap();
    let mut command = program("/usr/lib/go-1.19/bin/go");
    command
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", peers().join("go-cache"))
        .arg("run")
        .arg(main)
        .arg(format!("{host}:{port}"));
    let expected = "\
add <nil> 5
sync <nil> LOUD
echo <nil> [1 -9223372036854775808 9223372036854775807]
pipelined 200 wrong 0
divide 1 cannot be divided by zero
take only 4 pieces are left
ad there is no method `ad` here; did you mean `add`?
add <nil> 42
";
    assert_eq!(run(command).await, expected);
}

#[tokio::test]
async fn go_with_ugorjis_codec_is_served() {
    if left_out() {
        return;
    }
    go("github.com/ugorji/go/codec", "go-ugorji").await;
}

#[tokio::test]
async fn go_with_hashicorps_codec_is_served() {
    if left_out() {
        return;
    }
    go("github.com/hashicorp/go-msgpack/codec", "go-hashicorp").await;
}

#[tokio::test]
async fn neovim_is_served() {
    if left_out() {
        return;
    }
    let (serving, _) = serve().await;
    let (host, port) = host_and_port(serving.address());
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("neovim-{port}"));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&paths).any(|path| path.join("nvim").exists());
    assert!(installed, "nvim: run .ci/peers first");
    let mut command = program("timeout");
    command
        .args(["30", "nvim", "--headless", "--clean"])
        .arg("--cmd")
        .arg(format!("let g:address = '{host}:{port}'"))
        .arg("--cmd")
        .arg(format!("let g:report = '{}'", report.display()))
        .arg("-S")
        .arg(source("neovim_client.vim"));
    run(command).await;
    let mut seen = String::new();
    std::fs::File::open(&report)
        .unwrap()
        .read_to_string(&mut seen)
        .unwrap();
    std::fs::remove_file(&report).unwrap();
    let place = "Vim(call):Error invoking '";
    let lines: Vec<String> = seen.lines().map(|line| line.replace(place, "")).collect();
    let expected = [
        "add 5",
        "Calculator.echo {'a': [1, 2.5, v:null, 'ä', v:true]}",
        "notes ['from Neovim']",
        "divide failed: divide' on channel 3: 1 cannot be divided by zero",
        "ad failed: ad' on channel 3: there is no method `ad` here; did you mean `add`?",
        "ask_back '== while my call is open =='",
        "add 42",
    ];
    assert_eq!(lines, expected);
}
