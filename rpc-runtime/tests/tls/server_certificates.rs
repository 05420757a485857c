//! What a client says of the server's certificate.

use rpc_runtime::{
    BlockingChannel, Channel, ClientTls, ErrorKind, Execution, Limits, Server, ServerTls,
};

use crate::certificates::{Authority, Flaw, self_signed_server};
use crate::service::*;

#[tokio::test]
async fn a_call_over_tls_is_answered() {
    let ca = Authority::new("ca");
    let serving = serve(server_tls(&ca.server(&["127.0.0.1"]))).await;
    assert!(serving.address().starts_with("tls://127.0.0.1:"));
    let client = connect(&serving, trusts(&ca)).await.unwrap();
    assert_eq!(client.who().await.unwrap(), "nobody");
    let large = vec![7; 3 << 20];
    assert_eq!(client.echo(large.clone()).await.unwrap(), large);
}

#[tokio::test]
async fn many_large_calls_at_once_over_tls_are_answered() {
    let ca = Authority::new("ca");
    let serving = serve(server_tls(&ca.server(&["127.0.0.1"]))).await;
    let client = connect(&serving, trusts(&ca)).await.unwrap();
    let calls: Vec<_> = (0..20u8)
        .map(|byte| client.echo(vec![byte; 700_000]).start())
        .collect();
    for (byte, call) in (0..20u8).zip(calls) {
        assert_eq!(call.await.unwrap(), vec![byte; 700_000]);
    }
}

#[tokio::test]
async fn the_blocking_client_speaks_tls() {
    let ca = Authority::new("ca");
    let serving = serve(server_tls(&ca.server(&["127.0.0.1"]))).await;
    let (address, tls) = (serving.address().to_owned(), trusts(&ca));
    let other = Authority::new("other");
    let work = tokio::task::spawn_blocking(move || {
        let channel = BlockingChannel::builder()
            .tls(tls)
            .connect(&address)
            .unwrap();
        let client = MirrorBlockingClient::new(channel);
        let large: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
        assert_eq!(client.echo(large.clone()).unwrap(), large);
        std::thread::scope(|scope| {
            for byte in 0..8u8 {
                let client = client.clone();
                scope.spawn(move || {
                    for _ in 0..5 {
                        assert_eq!(client.echo(vec![byte; 300_000]).unwrap().len(), 300_000);
                    }
                });
            }
        });
        let wrong = BlockingChannel::builder()
            .tls(trusts(&other))
            .connect(&address);
        wrong.expect_err("another CA")
    });
    let error = work.await.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(
        error.to_string().contains("CA that is not among the roots"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_certificate_that_is_not_good_is_refused_by_its_reason() {
    let (ca, stranger) = (Authority::new("ca"), Authority::new("stranger"));
    let ip = &["127.0.0.1"];
    let cases = [
        (
            ca.flawed_server(ip, Flaw::Expired),
            "the server's certificate has expired on 2",
        ),
        (
            ca.flawed_server(ip, Flaw::NotYetValid),
            "is not valid yet, but from 2",
        ),
        (
            ca.flawed_server(ip, Flaw::WrongUse),
            "is not meant for this use",
        ),
        (
            stranger.server(ip),
            "comes from a CA that is not among the roots here",
        ),
        (
            self_signed_server("127.0.0.1"),
            "is self-signed and not among the roots",
        ),
        (
            ca.server(&["shop.example"]),
            "is not for `127.0.0.1` but for shop.example; connect by that name",
        ),
    ];
    for (made, expected) in cases {
        let serving = serve(server_tls(&made)).await;
        let error = refused(&serving, trusts(&ca)).await;
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        assert_eq!(error.execution(), Execution::NotSent);
        assert!(!error.retryable());
        assert_eq!(serving.connections(), 0);
    }
}

#[tokio::test]
async fn a_revoked_server_certificate_is_refused() {
    let ca = Authority::new("ca");
    let (good, bad) = (ca.server(&["127.0.0.1"]), ca.server(&["127.0.0.1"]));
    let tls = || trusts(&ca).revoked(ca.revokes(&[&bad])).unwrap();
    let serving = serve(server_tls(&bad)).await;
    let error = refused(&serving, tls()).await;
    assert!(
        error.to_string().contains("was revoked by its CA"),
        "{error}"
    );
    serving.reload_tls(&server_tls(&good)).unwrap();
    connect(&serving, tls()).await.unwrap().who().await.unwrap();
}

#[tokio::test]
async fn another_name_can_be_expected_of_a_server() {
    let ca = Authority::new("ca");
    let serving = serve(server_tls(&ca.server(&["shop.example"]))).await;
    let tls = trusts(&ca).server_name("shop.example").unwrap();
    connect(&serving, tls).await.unwrap().who().await.unwrap();
    let error = trusts(&ca).server_name("no name").expect_err("a space");
    assert!(
        error.to_string().contains("`no name` is no host name"),
        "{error}"
    );
}

#[tokio::test]
async fn a_reloaded_certificate_is_used_for_new_connections_and_old_ones_go_on() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let serving = serve(server_tls(&old.server(&["127.0.0.1"]))).await;
    let before = connect(&serving, trusts(&old)).await.unwrap();
    before.who().await.unwrap();
    serving
        .reload_tls(&server_tls(&new.server(&["127.0.0.1"])))
        .unwrap();
    before.who().await.expect("an open connection goes on");
    let after = connect(&serving, trusts(&new)).await.unwrap();
    after.who().await.unwrap();
    let error = refused(&serving, trusts(&old)).await;
    assert!(error.to_string().contains("not among the roots"), "{error}");
    before.who().await.expect("still");
    after.who().await.expect("and the new one");
    assert_eq!(serving.connections(), 2);
}

#[tokio::test]
async fn a_tls_address_without_a_configuration_says_what_to_do() {
    let error = Server::new()
        .listen("tls://127.0.0.1:0")
        .await
        .expect_err("no certificate");
    assert!(
        error.to_string().contains("ServerTls::from_files"),
        "{error}"
    );
    let error = Channel::connect("tls://127.0.0.1:1")
        .await
        .expect_err("no roots");
    assert!(
        error.to_string().contains("ClientTls::from_file"),
        "{error}"
    );
    let error = BlockingChannel::connect("tls://127.0.0.1:1").expect_err("no roots");
    assert!(
        error.to_string().contains("ClientTls::from_file"),
        "{error}"
    );
    let error = Channel::connect("list://tls://127.0.0.1:1")
        .await
        .expect_err("no roots");
    assert!(
        error.to_string().contains("ClientTls::from_file"),
        "{error}"
    );
}

#[tokio::test]
async fn instances_of_a_list_may_speak_tls() {
    let ca = Authority::new("ca");
    let made = ca.server(&["127.0.0.1"]);
    let (one, two) = (
        serve(server_tls(&made)).await,
        serve(server_tls(&made)).await,
    );
    let plain = Server::new()
        .add(MirrorService::new(Echo))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let addresses = [one.address(), two.address(), plain.address()].join(",");
    let channel = Channel::builder()
        .tls(trusts(&ca))
        .connect(format!("list://{addresses}"))
        .await
        .unwrap();
    let client = MirrorClient::new(channel);
    for _ in 0..6 {
        client.who().await.unwrap();
    }
    assert_eq!(
        [one.connections(), two.connections(), plain.connections()],
        [1, 1, 1]
    );
}

#[tokio::test]
async fn neither_side_falls_back_to_plain() {
    let ca = Authority::new("ca");
    let plain = Server::new()
        .add(MirrorService::new(Echo))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let address = plain.address().replace("tcp://", "tls://");
    let channel = Channel::builder().tls(trusts(&ca)).connect(&address).await;
    let error = channel.expect_err("the port is plain");
    assert!(
        error
            .to_string()
            .contains("or it listens without TLS (tcp://)"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    let blocking = tokio::task::spawn_blocking({
        let (tls, address) = (trusts(&ca), address.clone());
        move || BlockingChannel::builder().tls(tls).connect(&address)
    });
    let error = blocking.await.unwrap().expect_err("the port is plain");
    assert!(
        error
            .to_string()
            .contains("or it listens without TLS (tcp://)"),
        "{error}"
    );

    let serving = serve(server_tls(&ca.server(&["127.0.0.1"]))).await;
    let address = serving.address().replace("tls://", "tcp://");
    let error = Channel::connect(&address)
        .await
        .expect_err("the port wants TLS");
    assert!(
        error.to_string().contains("takes TLS only: write tls://"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_the_handshake_covers_tls() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let ca = Authority::new("ca");
    let limits = Limits {
        max_handshaking: 1,
        ..Limits::default()
    };
    let server = Server::new().add(MirrorService::new(Echo)).limits(limits);
    let serving = server
        .tls(server_tls(&ca.server(&["127.0.0.1"])))
        .listen("tls://127.0.0.1:0")
        .await
        .unwrap();
    let port = serving.address().trim_start_matches("tls://").to_owned();
    for first in [&b""[..], &[0x16, 3, 1], &[0x16, 3, 1, 2, 0, 1, 0]] {
        let began = tokio::time::Instant::now();
        let mut stranger = tokio::net::TcpStream::connect(&port).await.unwrap();
        stranger.write_all(first).await.unwrap();
        let mut rest = Vec::new();
        let _ = stranger.read_to_end(&mut rest).await;
        let took = began.elapsed().as_secs();
        assert!((9..=12).contains(&took), "{first:?}: {took} s");
    }
    // A byte a second of a ClientHello that never ends earns no time.
    let began = tokio::time::Instant::now();
    let stranger = tokio::net::TcpStream::connect(&port).await.unwrap();
    let (mut reader, mut writer) = stranger.into_split();
    let trickle = async {
        for byte in [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]
            .into_iter()
            .chain([3; 200])
        {
            if writer.write_all(&[byte]).await.is_err() {
                std::future::pending().await
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    let mut rest = Vec::new();
    tokio::select! {
        end = reader.read_to_end(&mut rest) => drop(end),
        () = trickle => panic!("all of it was taken"),
    }
    let took = began.elapsed().as_secs();
    assert!((9..=12).contains(&took), "a trickle: {took} s");
    // Its place among the handshakes is free again.
    connect(&serving, trusts(&ca))
        .await
        .unwrap()
        .who()
        .await
        .unwrap();
}

#[tokio::test]
async fn who_finds_no_room_at_a_tls_server_is_told_that_and_nothing_of_tls() {
    let ca = Authority::new("ca");
    for (limits, text) in [
        (
            Limits {
                max_connections: 1,
                ..Limits::default()
            },
            "this server has 1 connections, more are not taken",
        ),
        (
            Limits {
                max_connections_per_ip: Some(1),
                ..Limits::default()
            },
            "127.0.0.1 has 1 connections to this server",
        ),
    ] {
        let server = Server::new().add(MirrorService::new(Echo)).limits(limits);
        let serving = server
            .tls(server_tls(&ca.server(&["127.0.0.1"])))
            .listen("tls://127.0.0.1:0")
            .await
            .unwrap();
        let first = connect(&serving, trusts(&ca)).await.unwrap();
        let refused = connect(&serving, trusts(&ca)).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::ResourceExhausted, "{refused}");
        assert_eq!(refused.execution(), Execution::NotSent, "{refused}");
        assert!(refused.to_string().contains(text), "{refused}");
        let (tls, address) = (trusts(&ca), serving.address().to_owned());
        let blocking = move || BlockingChannel::builder().tls(tls).connect(&address);
        let refused = tokio::task::spawn_blocking(blocking).await.unwrap();
        let refused = refused.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::ResourceExhausted, "{refused}");
        assert_eq!(first.who().await.unwrap(), "nobody", "who is in is served");
    }
}

#[tokio::test]
async fn a_tls_handshake_under_way_counts_among_the_handshakes() {
    use tokio::io::AsyncReadExt;
    let ca = Authority::new("ca");
    let limits = Limits {
        max_handshaking: 1,
        ..Limits::default()
    };
    let server = Server::new().add(MirrorService::new(Echo)).limits(limits);
    let serving = server
        .tls(server_tls(&ca.server(&["127.0.0.1"])))
        .listen("tls://127.0.0.1:0")
        .await
        .unwrap();
    let port = serving.address().trim_start_matches("tls://");
    let slow = tokio::net::TcpStream::connect(port).await.unwrap();
    // The second one is closed at once, which shows that the first one has been taken in.
    let mut second = tokio::net::TcpStream::connect(port).await.unwrap();
    assert_eq!(second.read(&mut [0; 1]).await.unwrap_or(0), 0);
    drop(slow);
    // Its place is free as soon as the server has seen that.
    for _ in 0..1_000 {
        if let Ok(client) = connect(&serving, trusts(&ca)).await {
            client.who().await.unwrap();
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the place of a handshake that broke off is never free");
}

#[test]
fn mistakes_in_pem_are_told() {
    let ca = Authority::new("ca");
    let (one, two) = (ca.server(&["a.example"]), ca.server(&["b.example"]));
    let told =
        |outcome: rpc_runtime::Result<ServerTls>| outcome.expect_err("a mistake").to_string();
    let swapped = told(ServerTls::from_pem(&one.key, &one.certificate));
    assert!(
        swapped.contains("no CERTIFICATE in the PEM text, but a PRIVATE KEY"),
        "{swapped}"
    );
    let binary = told(ServerTls::from_pem([0x30, 0x82, 0, 1], &one.key));
    assert!(binary.contains("PEM begins with"), "{binary}");
    let no_key = told(ServerTls::from_pem(&one.certificate, &one.certificate));
    assert!(
        no_key.contains("no PRIVATE KEY in the PEM text"),
        "{no_key}"
    );
    let mixed = told(ServerTls::from_pem(&one.certificate, &two.key));
    assert!(
        mixed.contains("does not belong to the certificate"),
        "{mixed}"
    );
    let missing = told(ServerTls::from_files("/nowhere/a.pem", "/nowhere/a.key"));
    assert!(missing.contains("cannot read /nowhere/a.pem"), "{missing}");
    let empty = ClientTls::from_pem("").expect_err("empty").to_string();
    assert!(empty.contains("it is empty"), "{empty}");
    let junk =
        ClientTls::from_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(junk.is_err());
    let lists = ClientTls::from_pem(ca.pem())
        .unwrap()
        .revoked(&one.certificate);
    assert!(
        lists
            .expect_err("no list")
            .to_string()
            .contains("no X509 CRL")
    );
}
