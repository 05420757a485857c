//! A judge from outside: `openssl s_client` against our server, our client against `openssl s_server`.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use rpc_runtime::{Channel, ErrorKind, Serving};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::certificates::Authority;
use crate::service::*;

const MISSING: &str = "the program `openssl` is needed for this test: apt-get install openssl";

/// Whether openssl is not here, and need not be: `.ci/run` says that it must be. What was left out is said aloud.
fn left_out() -> bool {
    if Command::new("openssl").arg("version").output().is_ok() {
        return false;
    }
    let required = std::env::var_os("RPC_PEERS").is_some_and(|value| value == "required");
    assert!(!required, "{MISSING}");
    eprintln!("left out: {MISSING}");
    true
}

/// Runs `openssl s_client` against a server; it ends by itself because its input does.
async fn s_client(
    serving: &Serving,
    options: &'static [&'static str],
    roots: &str,
) -> (bool, String) {
    let port = serving.address().trim_start_matches("tls://").to_owned();
    let roots = roots.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let directory = directory();
        let path = directory.path("roots.pem");
        std::fs::write(&path, roots).unwrap();
        let output: Output = Command::new("openssl")
            .args([
                "s_client",
                "-connect",
                &port,
                "-showcerts",
                "-verify_return_error",
            ])
            .args(["-verify_ip", "127.0.0.1", "-CAfile", &path])
            .args(options)
            .stdin(Stdio::null())
            .output()
            .expect(MISSING);
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    });
    work.await.unwrap()
}

#[tokio::test]
async fn openssl_reaches_our_server_by_tls_1_3_and_alpn_and_verifies_its_chain() {
    if left_out() {
        return;
    }
    let ca = Authority::new("the root of this test");
    let serving = serve(server_tls(&ca.server(&["127.0.0.1"]))).await;
    let (went_well, text) = s_client(&serving, &["-tls1_3", "-alpn", "rpcidl/1"], &ca.pem()).await;
    assert!(went_well, "{text}");
    for expected in [
        "TLSv1.3",
        "ALPN protocol: rpcidl/1",
        "Verify return code: 0 (ok)",
        "the root of this test",
        "BEGIN CERTIFICATE",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("Early data was accepted"), "{text}");
}

#[tokio::test]
async fn openssl_is_refused_with_tls_1_2_without_alpn_and_with_another_one() {
    if left_out() {
        return;
    }
    let ca = Authority::new("ca");
    let serving = serve(server_tls(&ca.server(&["127.0.0.1"]))).await;
    let (went_well, text) = s_client(&serving, &["-tls1_2", "-alpn", "rpcidl/1"], &ca.pem()).await;
    assert!(
        !went_well && text.contains("alert protocol version"),
        "{text}"
    );
    let (went_well, text) = s_client(&serving, &["-tls1_3", "-alpn", "h2"], &ca.pem()).await;
    assert!(
        !went_well && text.contains("no application protocol"),
        "{text}"
    );
    // Only after the handshake is it clear that no ALPN was agreed upon; no frame of it is read then.
    let (_, text) = s_client(&serving, &["-tls1_3", "-ign_eof"], &ca.pem()).await;
    assert!(
        text.contains("the client did not offer it (ALPN)"),
        "{text}"
    );
    assert_eq!(serving.connections(), 0);
    connect(&serving, trusts(&ca))
        .await
        .unwrap()
        .who()
        .await
        .unwrap();
}

#[tokio::test]
async fn openssl_is_refused_without_a_client_certificate_where_one_is_required() {
    if left_out() {
        return;
    }
    let ca = Authority::new("ca");
    let tls = server_tls(&ca.server(&["127.0.0.1"]))
        .require_clients(ca.pem())
        .unwrap();
    let serving = serve(tls).await;
    let options = &["-tls1_3", "-alpn", "rpcidl/1", "-ign_eof"];
    let (went_well, text) = s_client(&serving, options, &ca.pem()).await;
    assert!(
        !went_well && text.contains("certificate required"),
        "{text}"
    );
}

/// `openssl s_server`, until it is dropped.
struct Foreign {
    child: Child,
    address: String,
    _directory: Directory,
}

impl Foreign {
    async fn start(ca: &Authority, options: &[&str]) -> Self {
        let made = ca.server(&["127.0.0.1"]);
        let directory = directory();
        let (certificate, key) = (directory.path("server.pem"), directory.path("server.key"));
        std::fs::write(&certificate, &made.certificate).unwrap();
        std::fs::write(&key, &made.key).unwrap();
        let mut child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                &certificate,
                "-key",
                &key,
            ])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let stdout = tokio::process::ChildStdout::from_std(child.stdout.take().unwrap()).unwrap();
        let mut lines = BufReader::new(stdout).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().expect("it listens");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break format!("tls://{address}");
            }
        };
        // What it prints must be taken, or it stops.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            child,
            address,
            _directory: directory,
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_tls_server_that_is_none_of_ours_gives_a_readable_error() {
    if left_out() {
        return;
    }
    let ca = Authority::new("ca");
    let cases: [(&[&str], &str); 3] = [
        (&["-tls1_3"], "does not name `rpcidl/1` (ALPN)"),
        (
            &["-tls1_3", "-alpn", "h2"],
            "does not speak `rpcidl/1` under TLS (ALPN)",
        ),
        (&["-tls1_2", "-alpn", "rpcidl/1"], "does not take TLS 1.3"),
    ];
    for (options, expected) in cases {
        let foreign = Foreign::start(&ca, options).await;
        let channel = Channel::builder()
            .tls(trusts(&ca))
            .connect(&foreign.address)
            .await;
        let error = channel.expect_err(expected);
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    }
}

#[tokio::test]
async fn a_tls_server_that_says_our_alpn_and_no_hello_gives_a_readable_error() {
    if left_out() {
        return;
    }
    let ca = Authority::new("ca");
    let mut foreign = Foreign::start(&ca, &["-tls1_3", "-alpn", "rpcidl/1"]).await;
    foreign
        .child
        .stdin
        .take()
        .unwrap()
        .write_all(b"220 mail.example ready\n")
        .unwrap();
    let channel = Channel::builder()
        .tls(trusts(&ca))
        .connect(&foreign.address)
        .await;
    let error = channel.expect_err("no server of ours");
    assert!(
        error.to_string().contains("not this protocol")
            || error.to_string().contains("before HELLO"),
        "{error}"
    );
}

/// A directory that is removed when it is dropped.
struct Directory(std::path::PathBuf);

fn directory() -> Directory {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("rpc-runtime-tls-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).unwrap();
    Directory(path)
}

impl Directory {
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
