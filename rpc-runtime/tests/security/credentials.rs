//! Tokens in HELLO and with single calls, and what becomes of those that are not good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rpc_runtime::{
    BlockingChannel, CallOptions, Channel, Error, ErrorKind, Execution, Identity, Limits, Login,
    Rule, Server, Token, Tokens,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::raw::{HELLO, PREFACE, Raw};
use crate::service::*;

fn tokens() -> Tokens {
    Tokens::new()
        .add(token("ann-1"), "ann")
        .add(token("ann-2"), "ann")
        .add(token("bob-1"), "bob")
}

#[tokio::test]
async fn a_token_in_hello_names_the_caller_of_every_call_on_every_private_transport() {
    let path = std::env::temp_dir().join(format!("rpc-vault-{}.sock", std::process::id()));
    let unix = format!("unix://{}", path.display());
    let mut serving = vault(&Guarded::default())
        .authenticate(tokens())
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    serving.listen(&unix).await.unwrap();
    serving.listen("mem://vault-tokens").await.unwrap();
    for address in serving.addresses().to_vec() {
        for (text, name) in [("ann-1", "ann"), ("ann-2", "ann"), ("bob-1", "bob")] {
            let client = with_token(&address, text).await.unwrap();
            assert_eq!(client.who().await.unwrap(), name, "{address}");
            assert_eq!(client.who().await.unwrap(), name, "{address}");
        }
        let blocking = tokio::task::spawn_blocking(move || {
            let channel = BlockingChannel::builder().token(token("bob-1"));
            let channel = channel.connect(&address).unwrap();
            let client = VaultBlockingClient::new(channel.clone());
            assert_eq!(client.who().unwrap(), "bob");
            let options = CallOptions::new().token(token("ann-1"));
            let client = VaultBlockingClient::new(channel.with_options(options));
            assert_eq!(client.who().unwrap(), "ann");
            let wrong = BlockingChannel::builder().token(token("eve-1"));
            let error = wrong.connect(&address).expect_err("wrong");
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        });
        blocking.await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_or_missing_token_is_refused_with_the_reason() {
    let guarded = Guarded::default();
    let serving = vault(&guarded)
        .authenticate(tokens())
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let missing = Channel::connect(serving.address()).await.expect_err("none");
    assert!(
        missing.to_string().contains("a token is needed here"),
        "{missing}"
    );
    let wrong = with_token(serving.address(), "ann-3")
        .await
        .expect_err("wrong");
    assert!(
        wrong.to_string().contains("the token is not known here"),
        "{wrong}"
    );
    for error in [missing, wrong] {
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert_eq!(error.execution(), Execution::NotSent);
        assert!(!error.retryable());
        assert!(!error.to_string().contains("ann-"), "{error}");
    }
    assert_eq!(guarded.ran(), 0);
    assert_eq!(serving.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_channel_does_not_ask_again_and_again() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let good = Arc::new(AtomicU32::new(1));
    let accepts = good.clone();
    let authenticator = move |_: Login| {
        count.fetch_add(1, Ordering::SeqCst);
        let refused = accepts.load(Ordering::SeqCst) == 0;
        async move {
            if refused {
                return Err(Error::new(ErrorKind::Unauthenticated, "not any more"));
            }
            Ok(Some(Identity::new("ann")))
        }
    };
    let guarded = Guarded::default();
    let mut serving = vault(&guarded)
        .authenticate(authenticator.clone())
        .listen("mem://vault-again")
        .await
        .unwrap();
    let client = with_token("mem://vault-again", "x").await.unwrap();
    client.who().await.unwrap();
    serving.shutdown(Duration::from_secs(1)).await;
    good.store(0, Ordering::SeqCst);
    let _serving = vault(&guarded)
        .authenticate(authenticator)
        .listen("mem://vault-again")
        .await
        .unwrap();
    asked.store(0, Ordering::SeqCst);
    for _ in 0..50 {
        let error = client.who().await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        assert_eq!(error.execution(), Execution::NotSent);
        assert!(error.to_string().contains("not any more"), "{error}");
    }
    let asked = asked.load(Ordering::SeqCst);
    assert!(
        (1..=5).contains(&asked),
        "asked {asked} times for 50 calls at once"
    );
}

#[tokio::test]
async fn a_call_may_bring_a_token_of_its_own() {
    let guarded = Guarded::default();
    let serving = vault(&guarded)
        .authenticate(tokens().let_strangers_in())
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = VaultClient::connect(serving.address()).await.unwrap();
    assert_eq!(client.who().await.unwrap(), "nobody");
    assert_eq!(client.who().token(token("ann-1")).await.unwrap(), "ann");
    assert_eq!(
        client
            .who()
            .metadata("authorization", "Bearer bob-1")
            .await
            .unwrap(),
        "bob"
    );
    assert_eq!(client.who().await.unwrap(), "nobody", "it was for one call");
    let large = client.put(vec![1; 3 << 20]).token(token("ann-1"));
    assert_eq!(large.await.unwrap(), 3 << 20);
    let before = guarded.ran();
    let error = client.who().token(token("eve-1")).await.expect_err("wrong");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert_eq!(error.execution(), Execution::NotStarted);
    let large = client.put(vec![1; 3 << 20]).token(token("eve-1"));
    assert_eq!(
        large.await.expect_err("wrong").execution(),
        Execution::NotStarted
    );
    assert_eq!(guarded.ran(), before);
    assert_eq!(
        client.who().await.unwrap(),
        "nobody",
        "the connection lives"
    );
}

#[tokio::test]
async fn an_authenticator_that_takes_its_time_holds_up_no_other_call() {
    let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let authenticator = {
        let (began, go) = (began.clone(), go.clone());
        move |login: Login| {
            let (began, go) = (began.clone(), go.clone());
            async move {
                if login.token().is_some_and(|token| token.reveal() == "slow") {
                    began.notify_one();
                    go.notified().await;
                    return Ok(Some(Identity::new("tortoise")));
                }
                Ok(None)
            }
        }
    };
    let guarded = Guarded::default();
    let limits = Limits {
        max_inflight_per_connection: 3,
        ..Limits::default()
    };
    let serving = vault(&guarded)
        .limits(limits)
        .authenticate(authenticator)
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = VaultClient::connect(serving.address()).await.unwrap();
    let first = client.who().token(token("slow")).start();
    timeout(LONG, began.notified()).await.unwrap();
    assert_eq!(client.who().await.unwrap(), "nobody", "others pass");
    // A caller that gives up frees the place of its call.
    let second = client.who().token(token("slow")).start();
    timeout(LONG, began.notified()).await.unwrap();
    drop(second);
    let late = client
        .who()
        .token(token("slow"))
        .timeout(Duration::from_millis(50));
    assert_eq!(
        late.await.expect_err("late").kind(),
        ErrorKind::DeadlineExceeded
    );
    assert_eq!(guarded.ran(), 1, "none of them ran");
    assert_eq!(
        timeout(LONG, client.who()).await.unwrap().unwrap(),
        "nobody"
    );
    go.notify_waiters();
    assert_eq!(timeout(LONG, first).await.unwrap().unwrap(), "tortoise");
}

#[tokio::test(start_paused = true)]
async fn authentication_is_under_the_time_limit_of_the_handshake() {
    let never = async |_: Login| std::future::pending().await;
    let serving = vault(&Guarded::default())
        .authenticate(never)
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let began = Instant::now();
    let mut raw = Raw::silent(serving.address()).await;
    raw.send(&[PREFACE, HELLO].concat()).await;
    raw.rest().await;
    let took = began.elapsed().as_secs();
    assert!((10..=12).contains(&took), "{took} s");
}

#[tokio::test]
async fn an_authenticator_that_panics_ends_what_it_was_asked_for_and_nothing_else() {
    let panics = async |login: Login| match login.token().map(Token::reveal) {
        Some("bomb") => panic!("a defect in an authenticator"),
        _ => Ok(None),
    };
    let guarded = Guarded::default();
    let serving = vault(&guarded)
        .authenticate(panics)
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = VaultClient::connect(serving.address()).await.unwrap();
    let error = with_token(serving.address(), "bomb")
        .await
        .expect_err("it panics");
    assert_eq!(error.execution(), Execution::NotSent, "{error}");
    let error = client
        .who()
        .token(token("bomb"))
        .await
        .expect_err("it panics");
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert_eq!(guarded.ran(), 0);
    assert_eq!(client.who().await.unwrap(), "nobody");
}

#[tokio::test]
async fn that_it_cannot_be_said_who_somebody_is_may_pass() {
    let down = async |_: Login| Err(Error::new(ErrorKind::Unavailable, "the directory is down"));
    let serving = vault(&Guarded::default())
        .authenticate(down)
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let error = with_token(serving.address(), "x").await.expect_err("down");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains("the directory is down"),
        "{error}"
    );
    assert!(error.retryable());
}

/// Accepts tokens of the form `name-seconds`.
async fn for_a_time(login: Login) -> rpc_runtime::Result<Option<Identity>> {
    let text = login.token().map(Token::reveal).unwrap_or_default();
    let (name, seconds) = text.split_once('-').unwrap();
    let time = Duration::from_secs(seconds.parse().unwrap());
    Ok(Some(Identity::new(name).valid_for(time)))
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_refused_and_the_next_connection_brings_new_ones() {
    let guarded = Guarded::default();
    let _serving = vault(&guarded)
        .authenticate(for_a_time)
        .listen("mem://vault-expiry")
        .await
        .unwrap();
    let given = Arc::new(AtomicU32::new(0));
    let count = given.clone();
    let builder = Channel::builder().credentials(move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move { Token::new(format!("ann{number}-60")) }
    });
    let client = VaultClient::new(builder.connect("mem://vault-expiry").await.unwrap());
    assert_eq!(client.who().await.unwrap(), "ann0");
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(client.who().await.unwrap(), "ann0");
    tokio::time::advance(Duration::from_secs(1)).await;
    let before = guarded.ran();
    let error = client.who().await.expect_err("expired");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert_eq!(error.execution(), Execution::NotStarted);
    assert!(error.to_string().contains("have expired"), "{error}");
    assert_eq!(guarded.ran(), before);
    assert_eq!(timeout(LONG, client.who()).await.unwrap().unwrap(), "ann1");
    assert_eq!(given.load(Ordering::SeqCst), 2);
    // A call's own credentials expire by themselves.
    let error = client
        .who()
        .token(token("bob-0"))
        .await
        .expect_err("expired");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
}

#[tokio::test]
async fn a_token_that_cannot_be_had_fails_the_connection_with_that_reason() {
    let serving = vault(&Guarded::default())
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let builder = Channel::builder().credentials(async || {
        Err(Error::new(
            ErrorKind::Unauthenticated,
            "the vault is sealed",
        ))
    });
    let error = builder.connect(serving.address()).await.expect_err("none");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
}

#[tokio::test]
async fn an_anonymous_connection_with_rules_is_for_calls_with_tokens() {
    let serving = vault(&Guarded::default())
        .authenticate(tokens().let_strangers_in())
        .rule("guarded.v1.Vault", Rule::authenticated())
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = VaultClient::connect(serving.address()).await.unwrap();
    let error = client.who().await.expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert_eq!(client.who().token(token("bob-1")).await.unwrap(), "bob");
}

#[tokio::test]
async fn a_stream_may_bring_a_token_of_its_own() {
    use rpc_runtime::health::{HealthClient, Status};
    let serving = vault(&Guarded::default())
        .authenticate(tokens().let_strangers_in())
        .rule("rpc.health.v1.Health", Rule::authenticated())
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = HealthClient::connect(serving.address()).await.unwrap();
    let mut items = client.watch("").token(token("ann-1")).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), Status::Serving);
    for call in [client.watch(""), client.watch("").token(token("eve-1"))] {
        let first = async { call.await?.next().await.unwrap() };
        let error = timeout(LONG, first).await.unwrap().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        assert_eq!(error.execution(), Execution::NotStarted);
    }
    serving.set_serving("", false).unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), Status::NotServing);
}

/// The address of this machine in a network, if it has one.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// Where this machine has no network, `link::tests` and `security::credentials::tests` show the same without one.
#[tokio::test]
async fn no_token_travels_over_plain_tcp_to_another_address() {
    let Some(ip) = own_address() else { return };
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let authenticator = move |login: Login| {
        count.fetch_add(u32::from(login.token().is_some()), Ordering::SeqCst);
        async { Ok(None) }
    };
    let serving = Server::new()
        .add(VaultService::new(Guarded::default()))
        .authenticate(authenticator)
        .listen(format!("tcp://{ip}:0"))
        .await
        .unwrap();
    let error = with_token(serving.address(), "ann-1")
        .await
        .expect_err("plain");
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert!(
        error
            .to_string()
            .contains("others could read it on the way; use tls://"),
        "{error}"
    );
    let client = VaultClient::connect(serving.address()).await.unwrap();
    for call in [
        client.who().token(token("ann-1")),
        client.who().metadata("authorization", "ann-1"),
    ] {
        let error = call.await.expect_err("plain");
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
        assert_eq!(error.execution(), Execution::NotSent);
    }
    let address = serving.address().to_owned();
    let blocking = tokio::task::spawn_blocking(move || {
        let builder = BlockingChannel::builder().token(token("ann-1"));
        let error = builder.connect(&address).expect_err("plain");
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
        let channel = BlockingChannel::connect(&address).unwrap();
        let options = CallOptions::new().token(token("ann-1"));
        let client = VaultBlockingClient::new(channel.with_options(options));
        let error = client.who().expect_err("plain");
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
    });
    blocking.await.unwrap();
    assert_eq!(client.who().await.unwrap(), "nobody");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "no token has arrived");
}
