//! A canary: a secret that goes through everything must turn up in no log, no message and no `Debug` text.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "in a test a panic is the report"
)]

use std::fmt::Debug;
use std::sync::Mutex;

use rpc_runtime::{
    BlockingChannel, CallOptions, Channel, Context, Login, Metadata, Rule, Server, Token, Tokens,
    rpc_service,
};

const CANARY: &str = "canary-5e1f";

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps everything that anybody logs.
struct Everything;

impl log::Log for Everything {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        see(format!(
            "{} {} {}",
            record.level(),
            record.target(),
            record.args()
        ));
    }

    fn flush(&self) {}
}

fn see(text: String) {
    SEEN.lock().unwrap().push(text);
}

fn show(what: &str, value: &dyn Debug) {
    see(format!("{what}: {value:?} {value:#?}"));
}

#[rpc_service(package = "canary")]
trait Cage {
    async fn sing(&self, context: &Context) -> String;
    async fn breaks(&self, context: &Context) -> String;
}

struct Bird;

impl Cage for Bird {
    async fn sing(&self, context: &Context) -> String {
        show("context", context);
        show("metadata", context.metadata());
        show("identity", &context.identity());
        "tweet".to_owned()
    }

    async fn breaks(&self, context: &Context) -> String {
        panic!("while working on {context:?} with {:?}", context.metadata())
    }
}

fn canary(end: &str) -> Token {
    Token::new(format!("{CANARY}-{end}")).unwrap()
}

#[tokio::test]
async fn a_secret_shows_nowhere() {
    log::set_logger(&Everything).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    std::panic::set_hook(Box::new(|info| see(info.to_string())));

    let tokens = Tokens::new()
        .add(canary("good"), "bird")
        .add(canary("other"), "other");
    show("tokens", &tokens);
    let tokens = std::sync::Arc::new(tokens);
    let authenticator = move |login: Login| {
        show("login", &login);
        show("token", &login.token());
        let tokens = tokens.clone();
        async move {
            use rpc_runtime::Authenticator;
            tokens.authenticate(login).await
        }
    };
    let server = Server::new()
        .add(CageService::new(Bird))
        .authenticate(authenticator)
        .rule(
            "canary.Cage",
            Rule::when(|access| {
                show("access", access);
                access.identity().is_some_and(|who| who.name() == "bird")
            }),
        );
    show("server", &server);
    let serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    show("serving", &serving);

    let builder = Channel::builder().token(canary("good"));
    show("builder", &builder);
    let channel = builder.connect(serving.address()).await.unwrap();
    show("channel", &channel);
    let client = CageClient::new(channel);
    client.sing().await.unwrap();
    let call = client.sing().token(canary("good"));
    show("call", &call);
    call.await.unwrap();
    let pending = client.sing().token(canary("good")).start();
    show("pending", &pending);
    pending.await.unwrap();
    let options = CallOptions::new().token(canary("good"));
    show("options", &options);
    client.sing().options(options.clone()).await.unwrap();
    let mut metadata = Metadata::new();
    metadata.insert("authorization", CANARY).unwrap();
    metadata.insert("tenant", "blue").unwrap();
    show("metadata", &metadata);
    assert!(
        format!("{metadata:?}").contains("blue"),
        "the rest is shown"
    );

    for wrong in [canary("wrong"), canary("other")] {
        let failure = client
            .sing()
            .token(wrong.clone())
            .await
            .expect_err("refused");
        show("failure", &failure);
        see(failure.to_string());
        let builder = Channel::builder().token(wrong);
        match builder.connect(serving.address()).await {
            Err(error) => show("error", &error),
            Ok(channel) => show(
                "failure",
                &CageClient::new(channel).sing().await.expect_err("no"),
            ),
        }
    }
    show(
        "broken",
        &client
            .breaks()
            .token(canary("good"))
            .await
            .expect_err("it panics"),
    );
    show(
        "no token",
        &Token::new(format!("{CANARY}\n")).expect_err("a line break"),
    );
    // As raw metadata, malformed on purpose: too long to be a token.
    let long = format!("{CANARY}{}", "x".repeat(5_000));
    show(
        "long",
        &client
            .sing()
            .metadata("authorization", &*long)
            .await
            .expect_err("too long"),
    );

    let address = serving.address().to_owned();
    let blocking = tokio::task::spawn_blocking(move || {
        let builder = BlockingChannel::builder().token(canary("good"));
        show("blocking builder", &builder);
        let channel = builder.connect(&address).unwrap();
        show("blocking channel", &channel);
        let client = CageBlockingClient::new(channel.with_options(options));
        client.sing().unwrap();
        let wrong = BlockingChannel::builder().token(canary("wrong"));
        show(
            "blocking error",
            &wrong.connect(&address).expect_err("refused"),
        );
    });
    blocking.await.unwrap();
    drop(serving);

    let seen = SEEN.lock().unwrap();
    assert!(seen.len() > 40, "{}", seen.len());
    let refusals = seen
        .iter()
        .filter(|line| line.contains("rpc_runtime::audit"))
        .count();
    assert!(refusals >= 4, "refusals are logged: {seen:#?}");
    let leaks: Vec<_> = seen.iter().filter(|line| line.contains(CANARY)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
