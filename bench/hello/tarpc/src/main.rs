//! A greeting over TCP with tarpc.

use futures::{StreamExt, future};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context};

/// Greets.
#[tarpc::service]
pub trait Greeter {
    /// Greets somebody.
    async fn hello(name: String) -> String;
}

#[derive(Clone)]
struct English;

impl Greeter for English {
    async fn hello(self, _: context::Context, name: String) -> String {
        format!("Hello, {name}!")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tarpc::serde_transport::tcp::listen("127.0.0.1:0", Bincode::default).await?;
    let address = listener.local_addr();
    let channels = listener
        .filter_map(|stream| future::ready(stream.ok()))
        .map(BaseChannel::with_defaults);
    tokio::spawn(channels.for_each(|channel| async move {
        let answers = channel.execute(English.serve());
        tokio::spawn(answers.for_each(|answer| async move {
            tokio::spawn(answer);
        }));
    }));
    let transport = tarpc::serde_transport::tcp::connect(address, Bincode::default).await?;
    let greeter = GreeterClient::new(client::Config::default(), transport).spawn();
    println!(
        "{}",
        greeter
            .hello(context::current(), "world".to_owned())
            .await?
    );
    Ok(())
}
