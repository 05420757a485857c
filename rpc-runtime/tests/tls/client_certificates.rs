//! Mutual TLS: what both sides say of the client's certificate, and whom the server sees.

use rpc_runtime::{Channel, ClientTls, ErrorKind};

use crate::certificates::{Authority, Flaw, Made, self_signed_client};
use crate::log;
use crate::service::*;

fn shows(authority: &Authority, made: &Made) -> ClientTls {
    trusts(authority)
        .certificate(&made.certificate, &made.key)
        .unwrap()
}

#[tokio::test]
async fn the_name_in_a_client_certificate_is_the_identity_of_its_calls() {
    let ca = Authority::new("ca");
    let tls = server_tls(&ca.server(&["127.0.0.1"]));
    let serving = serve(tls.require_clients(ca.pem()).unwrap()).await;
    let cases: [(&[&str], &str); 6] = [
        (
            &["spiffe://example.org/billing"],
            r#"Spiffe("spiffe://example.org/billing")"#,
        ),
        (
            &["billing.example", "spiffe://example.org/b"],
            r#"Spiffe("spiffe://example.org/b")"#,
        ),
        (
            &["Billing.example", "other.example"],
            r#"Dns("billing.example")"#,
        ),
        (
            &["https://example.org/x", "a.example"],
            r#"Dns("a.example")"#,
        ),
        (&["spiffe://a/b", "spiffe://a/c", "a.example"], "nobody"),
        (&["10.1.2.3"], "nobody"),
    ];
    for (names, expected) in cases {
        let client = connect(&serving, shows(&ca, &ca.client(names)))
            .await
            .unwrap();
        assert_eq!(client.who().await.unwrap(), expected, "{names:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_may_be_left_out_where_it_is_optional() {
    let ca = Authority::new("ca");
    let tls = server_tls(&ca.server(&["127.0.0.1"]))
        .accept_clients(ca.pem())
        .unwrap();
    let serving = serve(tls).await;
    let anonymous = connect(&serving, trusts(&ca)).await.unwrap();
    assert_eq!(anonymous.who().await.unwrap(), "nobody");
    let known = connect(&serving, shows(&ca, &ca.client(&["a.example"])))
        .await
        .unwrap();
    assert_eq!(known.who().await.unwrap(), r#"Dns("a.example")"#);
    let stranger = Authority::new("stranger");
    let error = refused(&serving, shows(&ca, &stranger.client(&["a.example"]))).await;
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
}

#[tokio::test]
async fn a_client_certificate_that_is_not_good_is_refused_by_its_reason() {
    log::listen();
    let (ca, stranger) = (Authority::new("ca"), Authority::new("stranger"));
    let revoked = ca.client(&["a.example"]);
    let tls = server_tls(&ca.server(&["127.0.0.1"]))
        .require_clients(ca.pem())
        .unwrap()
        .revoked(ca.revokes(&[&revoked]))
        .unwrap();
    let serving = serve(tls).await;
    let name = &["a.example"];
    let cases = [
        (
            Some(ca.flawed_client(name, Flaw::Expired)),
            "expired, or not valid yet",
            "the client's certificate has expired on 2",
        ),
        (
            Some(ca.flawed_client(name, Flaw::NotYetValid)),
            "expired, or not valid yet",
            "the client's certificate is not valid yet, but from 2",
        ),
        (
            Some(ca.flawed_client(name, Flaw::WrongUse)),
            "not meant for this use",
            "the client's certificate is not meant for this use",
        ),
        (
            Some(stranger.client(name)),
            "its CA is not known there",
            "the client's certificate comes from a CA that is not among the roots",
        ),
        (
            Some(self_signed_client("a.example")),
            "or it is self-signed",
            "the client's certificate is self-signed",
        ),
        (
            Some(revoked),
            "revoked",
            "the client's certificate was revoked by its CA",
        ),
        (
            None,
            "wants a certificate of this side: give it with ClientTls::certificate",
            "the client shows no certificate, and one is required here",
        ),
    ];
    for (made, expected, logged) in cases {
        let tls = made.map_or_else(|| trusts(&ca), |made| shows(&ca, &made));
        let error = refused(&serving, tls.clone()).await;
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        log::until(logged).await;
        let address = serving.address().to_owned();
        let blocking = tokio::task::spawn_blocking(move || {
            rpc_runtime::BlockingChannel::builder()
                .tls(tls)
                .connect(address)
        });
        let error = blocking.await.unwrap().expect_err(expected);
        assert!(
            error.to_string().contains(expected),
            "blocking, {expected}: {error}"
        );
    }
    // Whatever came before: the next good one is served.
    let client = connect(&serving, shows(&ca, &ca.client(name)))
        .await
        .unwrap();
    client.who().await.unwrap();
    assert_eq!(serving.connections(), 1);
}

#[tokio::test]
async fn new_revocation_lists_hold_from_the_next_handshake_on() {
    let ca = Authority::new("ca");
    let (own, made) = (ca.server(&["127.0.0.1"]), ca.client(&["a.example"]));
    let tls = server_tls(&own).require_clients(ca.pem()).unwrap();
    let serving = serve(tls.clone()).await;
    connect(&serving, shows(&ca, &made))
        .await
        .unwrap()
        .who()
        .await
        .unwrap();
    serving
        .reload_tls(&tls.revoked(ca.revokes(&[&made])).unwrap())
        .unwrap();
    let error = refused(&serving, shows(&ca, &made)).await;
    assert!(error.to_string().contains("revoked"), "{error}");
    let builder = Channel::builder().tls(shows(&ca, &ca.client(&["b.example"])));
    builder.connect(serving.address()).await.unwrap();
}
