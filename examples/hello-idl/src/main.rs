//! The same greeting from an .idl file: `cargo run -p hello-idl`.

use hello::v1::{GreetError, Greeter, GreeterClient, GreeterService, Guest, Language};
use rpc_runtime::{CallError, Server};

rpc_runtime::include_idl!();

struct Polite;

impl Greeter for Polite {
    async fn hello(&self, guest: Guest) -> Result<String, GreetError> {
        match guest.language {
            Language::English => Ok(format!("Hello, {}!", guest.name)),
            Language::French => Ok(format!("Bonjour, {} !", guest.name)),
            other => Err(GreetError::NotSpoken(other)),
        }
    }
}

#[tokio::main]
async fn main() -> rpc_runtime::Result<()> {
    let server = Server::new()
        .add(GreeterService::new(Polite))
        .listen("tcp://127.0.0.1:0")
        .await?;
    let greeter = GreeterClient::connect(server.address()).await?;
    println!("{}", greeter.hello(&Guest::new("Ann")).await?);
    println!(
        "{}",
        greeter
            .hello(&Guest::new("Zoé").with_language(Language::French))
            .await?
    );

    // Number 7 is no language of this version; it travels all the same, and the handler sees it.
    match greeter
        .hello(&Guest::new("Kim").with_language(Language::Unrecognized(7)))
        .await
    {
        Err(CallError::Declared { error, status, .. }) => println!("refused ({status}): {error}"),
        other => println!("unexpected: {other:?}"),
    }
    // A rule of the definition is checked before the handler runs.
    if let Err(failure) = greeter.hello(&Guest::new("")).await {
        println!("{failure}");
    }
    Ok(())
}
