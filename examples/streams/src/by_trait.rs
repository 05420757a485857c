//! The same without an `.idl` file: streams in a trait.

use rpc_runtime::{Items, Server, Stream, rpc_service, stream};

/// Prices out, pieces in, talk both ways.
#[rpc_service]
pub trait Bourse {
    /// A stream that needs no waiting before its first item needs no `async`.
    fn count(&self, from: u64) -> impl Stream<Item = u64>;

    /// May fail before the first item, and after any.
    async fn watch(&self, symbol: &str) -> Result<impl Stream<Item = Result<u64, String>>, String>;

    /// `Items` tells of a stream that broke.
    async fn upload(&self, name: &str, pieces: Items<Vec<u8>>) -> u64;

    /// Bare items, for those who need not know: when the caller is gone, the method is dropped.
    async fn pass_on(&self, lines: impl Stream<Item = String>) -> impl Stream<Item = String>;
}

struct Small;

impl Bourse for Small {
    fn count(&self, from: u64) -> impl Stream<Item = u64> {
        stream::iter(from..)
    }

    async fn watch(&self, symbol: &str) -> Result<impl Stream<Item = Result<u64, String>>, String> {
        if symbol.is_empty() {
            return Err("no symbol".to_owned());
        }
        let length = symbol.len() as u64;
        Ok(stream::iter([Ok(length), Err("closed".to_owned())]))
    }

    async fn upload(&self, name: &str, mut pieces: Items<Vec<u8>>) -> u64 {
        let mut length = name.len() as u64;
        while let Some(Ok(piece)) = pieces.next().await {
            length += piece.len() as u64;
        }
        length
    }

    async fn pass_on(
        &self,
        lines: impl Stream<Item = String> + Send + Unpin + 'static,
    ) -> impl Stream<Item = String> {
        lines
    }
}

/// Calls it within this process.
pub(crate) async fn run() -> rpc_runtime::Result<()> {
    let server = Server::new()
        .add(BourseService::new(Small))
        .listen("mem://bourse")
        .await?;
    let bourse = BourseClient::connect(server.address()).await?;

    let mut numbers = bourse.count(7).await?;
    while let Some(number) = numbers.next().await {
        let number = number?;
        println!("by trait    {number}");
        if number == 9 {
            break;
        }
    }

    let mut prices = bourse.watch("ACME").start();
    while let Some(item) = prices.next().await {
        match item {
            Ok(price) => println!("by trait    ACME costs {price}"),
            Err(error) => println!("by trait    {error}"),
        }
    }

    let pieces = stream::iter([vec![1, 2], vec![3]]);
    println!("by trait    {} bytes", bourse.upload("", pieces).await?);

    let lines = stream::iter(["once".to_owned(), "more".to_owned()]);
    let mut passed = bourse.pass_on(lines).await?;
    while let Some(line) = passed.next().await {
        println!("by trait    {}", line?);
    }
    Ok(())
}
