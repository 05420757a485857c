//! Rules: a table of every method and every identity, and all the ways to write a rule wrong.

use std::collections::BTreeMap;

use rpc_runtime::reflection::ReflectionClient;
use rpc_runtime::{
    Channel, ErrorKind, Execution, Identity, IdentityKind, Login, Rule, Server, Serving,
};

use crate::raw::{Raw, call};
use crate::service::*;

const VAULT: &str = "guarded.v1.Vault";

/// Believes whatever name a token says; tests of rules need names only.
fn named(server: Server) -> Server {
    server.authenticate(async |login: Login| {
        Ok(login.token().map(|token| Identity::new(token.reveal())))
    })
}

async fn listen(server: Server) -> Serving {
    server.listen("tcp://127.0.0.1:0").await.unwrap()
}

async fn of(serving: &Serving, name: &str) -> Channel {
    let builder = Channel::builder();
    let builder = match name {
        "nobody" => builder,
        name => builder.token(token(name)),
    };
    builder.connect(serving.address()).await.unwrap()
}

/// Every method of the server, called by its number alone, with no parameters: who is let through gets any other answer
/// than a refusal.
async fn allowed(serving: &Serving, name: &str) -> BTreeMap<String, &'static str> {
    let channel = of(serving, name).await;
    let mut outcome = BTreeMap::new();
    for service in serving.services() {
        // Nothing comes back from one-way methods; they have a test of their own.
        for method in service.methods.iter().filter(|method| !method.oneway) {
            let returns = rpc_runtime::__private::Returns::plain(rpc_runtime::__private::Codec::<
                rpc_runtime::Value,
            >::direct());
            let answer = channel.call(method, returns, |out| out.push(0x90)).await;
            let told = match answer.map_err(|error| (error.kind(), error.execution())) {
                Err((ErrorKind::PermissionDenied, Execution::NotStarted)) => "denied",
                Err((ErrorKind::Unauthenticated, Execution::NotStarted)) => "unknown",
                Err((ErrorKind::PermissionDenied | ErrorKind::Unauthenticated, _)) => "started",
                _ => "yes",
            };
            outcome.insert(method.to_string(), told);
        }
    }
    outcome
}

#[tokio::test]
async fn every_method_is_for_exactly_those_that_its_rules_name() {
    let ann = || Rule::identity(IdentityKind::Credentials, "ann");
    let serving = listen(
        named(vault(&Guarded::default()))
            .rule("guarded.v1.Vault", Rule::authenticated())
            .rule("guarded.v1.Vault/open", ann())
            .rule(
                "guarded.v1.Vault/open",
                Rule::when(|access| {
                    access
                        .identity()
                        .is_some_and(|who| who.name().starts_with("boss-"))
                }),
            )
            .rule("guarded.v1.Vault/close", Rule::deny())
            .rule("guarded.v1.Vault/close", Rule::all())
            .rule("guarded.v1.Vault/put", Rule::all())
            .rule("rpc.reflection.v1.Reflection", ann()),
    )
    .await;
    let table: &[(&str, [&str; 4])] = &[
        //                                             nobody     ann       bob       boss-1
        ("guarded.v1.Vault/who", ["unknown", "yes", "yes", "yes"]),
        ("guarded.v1.Vault/open", ["unknown", "yes", "denied", "yes"]),
        (
            "guarded.v1.Vault/close",
            ["unknown", "denied", "denied", "denied"],
        ),
        ("guarded.v1.Vault/put", ["yes", "yes", "yes", "yes"]),
        (
            "rpc.reflection.v1.Reflection/services",
            ["unknown", "yes", "denied", "denied"],
        ),
    ];
    for (column, name) in ["nobody", "ann", "bob", "boss-1"].into_iter().enumerate() {
        let mut outcome = allowed(&serving, name).await;
        for (method, expected) in table {
            let told = outcome.remove(*method);
            assert_eq!(told, Some(expected[column]), "{method} for {name}");
        }
        // Whatever else the framework has mounted has no rule, and so is for nobody.
        for (method, told) in outcome {
            assert!(
                matches!(told, "denied" | "unknown"),
                "{method} for {name}: {told}"
            );
        }
    }
}

#[tokio::test]
async fn without_rules_everything_is_open() {
    let serving = listen(vault(&Guarded::default())).await;
    let outcome = allowed(&serving, "nobody").await;
    assert!(outcome.values().all(|told| *told == "yes"), "{outcome:?}");
}

#[tokio::test]
async fn a_refused_one_way_call_does_not_run() {
    let guarded = Guarded::default();
    let serving = listen(
        named(vault(&guarded))
            .rule(VAULT, Rule::all())
            .rule("guarded.v1.Vault/ring", Rule::authenticated()),
    )
    .await;
    let client = VaultClient::new(of(&serving, "nobody").await);
    client.ring().await.unwrap();
    // The answer to a later call on the same connection shows that the earlier one was looked at.
    client.who().await.unwrap();
    assert_eq!(guarded.ran(), 1);
}

#[tokio::test]
async fn nothing_of_a_refused_call_is_decoded() {
    let serving = listen(named(vault(&Guarded::default())).rule(VAULT, Rule::deny())).await;
    let (mut raw, _) = Raw::open(serving.address()).await;
    let method = VaultClient::SERVICE
        .methods
        .iter()
        .find(|method| method.name == "open");
    // What comes as parameters is no MessagePack at all: to find that out would be to look at it.
    raw.send(&call(1, method.unwrap().id, &[0xc1, 0xc1, 0xc1]))
        .await;
    let answer = raw.next().await.unwrap();
    assert_eq!((answer.kind, answer.id), (4, 1));
    assert_eq!(
        answer.rest[..3],
        [16, 1, 0],
        "unauthenticated, not started: {answer:?}"
    );
}

#[tokio::test]
async fn who_may_not_call_anything_of_a_service_is_not_told_that_it_is_there() {
    let serving = listen(
        named(vault(&Guarded::default()))
            .rule(VAULT, Rule::identity(IdentityKind::Credentials, "ann")),
    )
    .await;
    let (ann, bob) = (of(&serving, "ann").await, of(&serving, "bob").await);
    assert!(ann.peer_fingerprint(VAULT).is_some());
    assert_eq!(bob.peer_fingerprint(VAULT), None);
    let error = newer::VaultClient::new(bob)
        .explode()
        .await
        .expect_err("no such method");
    assert_eq!(error.kind(), ErrorKind::Unimplemented, "{error}");
    assert!(!error.to_string().contains("served:"), "{error}");
}

#[tokio::test]
async fn a_client_survives_that_reflection_is_denied_when_it_wants_to_explain_a_mistake() {
    let serving = listen(named(vault(&Guarded::default())).rule(VAULT, Rule::all())).await;
    let channel = of(&serving, "ann").await;
    let error = newer::VaultClient::new(channel.clone())
        .explode()
        .await
        .expect_err("no method");
    assert_eq!(error.kind(), ErrorKind::Unimplemented, "{error}");
    assert_eq!(error.execution(), Execution::NotStarted);
    assert!(
        error.to_string().contains("no method here has the call ID"),
        "{error}"
    );
    VaultClient::new(channel.clone())
        .who()
        .await
        .expect("the connection lives");
    let error = ReflectionClient::new(channel)
        .services()
        .await
        .expect_err("denied");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let address = serving.address().to_owned();
    let blocking = tokio::task::spawn_blocking(move || {
        let client = newer::VaultBlockingClient::connect(&address).unwrap();
        let error = client.explode().expect_err("no method");
        assert_eq!(error.kind(), ErrorKind::Unimplemented, "{error}");
    });
    blocking.await.unwrap();
}

#[tokio::test]
async fn a_rule_that_panics_denies_and_the_connection_lives() {
    let serving = listen(
        named(vault(&Guarded::default()))
            .rule(VAULT, Rule::all())
            .rule(
                "guarded.v1.Vault/open",
                Rule::when(|_| panic!("a defect in a rule")),
            ),
    )
    .await;
    let client = VaultClient::new(of(&serving, "ann").await);
    let error = client.open(1).await.expect_err("the rule panics");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    client.who().await.unwrap();
}

#[tokio::test]
async fn a_rule_for_what_is_not_mounted_is_told_by_listen() {
    let cases = [
        (
            "guarded.v1.Valut",
            "no such service is mounted",
            "did you mean `guarded.v1.Vault`?",
        ),
        ("Vault", "write package.Service", "guarded.v1.Vault"),
        (
            "guarded.v1.Vault/opne",
            "guarded.v1.Vault has no such method",
            "did you mean `open`?",
        ),
        ("guarded.v1.Vault/", "has no such method", "open"),
        ("", "no such service", "guarded.v1.Vault"),
    ];
    for (target, what, hint) in cases {
        let server = vault(&Guarded::default()).rule(target, Rule::all());
        let error = server.listen("tcp://127.0.0.1:0").await.expect_err(target);
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        let text = error.to_string();
        assert!(
            text.contains(what) && text.contains(hint),
            "{target}: {text}"
        );
    }
}

#[tokio::test]
async fn a_rule_that_is_true_of_nobody_is_told_by_listen() {
    let cases = [
        (Rule::spiffe("spifffe://example.org/x"), "is no SPIFFE ID"),
        (Rule::spiffe(""), "is no SPIFFE ID"),
        (
            Rule::identity(IdentityKind::Spiffe, "example.org/x"),
            "begin with spiffe://",
        ),
        (
            Rule::identity(IdentityKind::Dns, "Shop.example"),
            "in lower case: `shop.example`",
        ),
        (
            Rule::identity(IdentityKind::Credentials, ""),
            "Rule::authenticated()",
        ),
    ];
    for (rule, what) in cases {
        let server = vault(&Guarded::default()).rule("*", rule);
        let error = server.listen("tcp://127.0.0.1:0").await.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        let text = error.to_string();
        assert!(
            text.contains("the rule for `*`") && text.contains(what),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_rule_sees_who_calls_what_from_where() {
    let serving = listen(named(vault(&Guarded::default())).rule(
        "*",
        Rule::when(|access| {
            access.peer().starts_with("tcp://127.0.0.1:")
                && access.method().name == "who"
                && access.identity().is_some_and(|who| who.name() == "ann")
        }),
    ))
    .await;
    let client = VaultClient::new(of(&serving, "ann").await);
    assert_eq!(client.who().await.unwrap(), "ann");
    let error = client.open(1).await.expect_err("another method");
    assert!(
        error
            .to_string()
            .contains("ann may not call guarded.v1.Vault/open"),
        "{error}"
    );
}

mod lending {
    use rpc_runtime::{Context, Handle, rpc_service};

    #[rpc_service(package = "guarded.v1")]
    pub trait Drawer {
        async fn look(&self, context: &Context) -> String;
    }

    #[rpc_service(package = "guarded.v1")]
    pub trait Desk {
        async fn drawer(&self) -> Handle<DrawerClient>;
    }

    pub struct Wooden;

    impl Drawer for Wooden {
        async fn look(&self, context: &Context) -> String {
            context.identity().unwrap().name().to_owned()
        }
    }

    impl Desk for Wooden {
        async fn drawer(&self) -> Handle<DrawerClient> {
            Handle::new(DrawerService::new(Wooden))
        }
    }
}

#[tokio::test]
async fn an_object_is_for_whom_it_was_given_to() {
    use lending::*;
    let bob = Rule::identity(IdentityKind::Credentials, "bob");
    let server = || Server::new().add(DeskService::new(Wooden));
    let serving = listen(named(server()).rule("guarded.v1.Desk", Rule::authenticated())).await;
    let desk = DeskClient::new(of(&serving, "ann").await);
    assert_eq!(desk.drawer().await.unwrap().look().await.unwrap(), "ann");
    let desk = DeskClient::new(of(&serving, "nobody").await);
    assert_eq!(
        desk.drawer().await.expect_err("nobody").kind(),
        ErrorKind::Unauthenticated
    );

    // Where its service is mounted as well, the rules for that hold for the object too.
    let serving = listen(
        named(server().add(DrawerService::new(Wooden)))
            .rule("guarded.v1.Desk", Rule::authenticated())
            .rule("guarded.v1.Drawer", bob),
    )
    .await;
    for (name, expected) in [("ann", None), ("bob", Some("bob"))] {
        let desk = DeskClient::new(of(&serving, name).await);
        let seen = desk.drawer().await.unwrap().look().await;
        assert_eq!(seen.ok().as_deref(), expected, "{name}");
    }
}

/// What the second door answers to a call by name.
async fn by_name(serving: &Serving, method: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = serving.address().trim_start_matches("tcp://");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let mut request = vec![0x94, 0, 1, 0xa0 | u8::try_from(method.len()).unwrap()];
    request.extend_from_slice(method.as_bytes());
    request.push(0x90);
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        // What comes first is told by its front, a response; the rest is text enough to look into.
        while !answer.ends_with(&[0xc0]) && !answer.ends_with(b"nobody") {
            if stream.read_buf(&mut answer).await.unwrap() == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(LONG, read).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_rules_hold_for_the_second_door_and_for_every_spelling_of_a_name() {
    let guarded = Guarded::default();
    let serving = listen(
        named(vault(&guarded))
            .rule(VAULT, Rule::all())
            .rule("guarded.v1.Vault/close", Rule::authenticated()),
    )
    .await;
    assert!(by_name(&serving, "who").await.ends_with("nobody"));
    let before = guarded.ran();
    for spelling in [
        "close",
        "Vault.close",
        "Vault/close",
        "guarded.v1.Vault/close",
    ] {
        let answer = by_name(&serving, spelling).await;
        assert!(
            answer.contains("is not for everybody"),
            "{spelling}: {answer}"
        );
    }
    assert_eq!(guarded.ran(), before);

    let refuses = async |_: Login| {
        let text = "this server knows everybody it serves";
        Err(rpc_runtime::Error::new(ErrorKind::Unauthenticated, text))
    };
    let serving = listen(vault(&guarded).authenticate(refuses)).await;
    let answer = by_name(&serving, "who").await;
    assert!(!answer.contains("nobody"), "{answer}");
    assert_eq!(guarded.ran(), before);
    assert_eq!(serving.connections(), 0);
}
