//! Streams in all directions: `cargo run -p streams`.
//!
//! A market sends prices, takes a file in pieces, and talks both ways; once defined in `idl/market.idl`, and in
//! `by_trait.rs` once more as a trait. `server.rs` is the market, this file calls it in every way there is:
//!
//! 1. prices without end, of which the caller takes a few and drops the rest: the market stops at once
//! 2. a stream that does not open, and one that breaks in the middle, both with a declared error
//! 3. a file that goes up while it is read
//! 4. a chat, in which both sides send when they like
//! 5. the same from a thread without an async runtime
//! 6. the same by a trait

mod by_trait;
mod server;

use std::time::Duration;

use market::v1::{MarketBlockingClient, MarketClient, MarketError, MarketService};
use rpc_runtime::{CallError, ErrorKind, Result, Server, stream};

rpc_runtime::include_idl!();

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::new()
        .add(MarketService::new(server::Exchange::default()))
        .listen("tcp://127.0.0.1:0")
        .await?;
    let market = MarketClient::connect(server.address()).await?;

    prices(&market).await?;
    failures(&market).await?;
    upload(&market).await?;
    chat(&market).await?;
    let address = server.address().to_owned();
    let work = tokio::task::spawn_blocking(move || blocking(&address));
    work.await.expect("the thread ends")?;
    by_trait::run().await
}

async fn prices(market: &MarketClient) -> Result<()> {
    let mut prices = market.watch("ACME").start();
    for _ in 0..3 {
        if let Some(Ok(tick)) = prices.next().await {
            println!("prices      {} costs {}", tick.symbol, tick.cents);
        }
    }
    drop(prices);
    println!("prices      enough: the market hears of it and stops");
    Ok(())
}

async fn failures(market: &MarketClient) -> Result<()> {
    let mut prices = market.watch("NADA").start();
    if let Some(Err(CallError::Declared { error, status, .. })) = prices.next().await {
        println!("failures    not opened ({status}): {error}");
    }

    let mut prices = market.watch("OLDE").start();
    while let Some(item) = prices.next().await {
        match item {
            Ok(tick) => println!("failures    {} costs {}", tick.symbol, tick.cents),
            Err(CallError::Declared {
                error: MarketError::Closed { last_cents },
                ..
            }) => println!("failures    closed at {last_cents}"),
            Err(other) => println!("failures    the stream broke: {other}"),
        }
    }

    let late = market.watch("ACME").timeout(Duration::from_millis(50));
    let mut prices = late.start();
    let mut count = 0_u64;
    let failure = loop {
        match prices.next().await {
            Some(Ok(_)) => count += 1,
            Some(Err(failure)) => break failure,
            None => unreachable!("prices have no end"),
        }
    };
    assert!(count > 0 && failure.kind() == ErrorKind::DeadlineExceeded);
    println!("failures    50 ms are over");
    Ok(())
}

async fn upload(market: &MarketClient) -> Result<()> {
    let pieces = (0..64).map(|number| vec![number; 64 * 1024]);
    let length = market.upload("big.bin", stream::iter(pieces)).await?;
    println!("upload      {length} bytes in 64 pieces");
    Ok(())
}

async fn chat(market: &MarketClient) -> Result<()> {
    let (say, lines) = stream::pipe(4);
    let mut answers = market.chat(lines).await?;
    for line in ["hello", "how are you"] {
        say.send(line.to_owned()).await.expect("the market listens");
        if let Some(answer) = answers.next().await {
            println!("chat        {line}: {}", answer?);
        }
    }
    // Nothing more to say; the market answers what it has heard, and ends its stream too.
    drop(say);
    assert!(answers.next().await.is_none());
    Ok(())
}

/// No async runtime is used here: the socket is written and read on this thread.
fn blocking(address: &str) -> Result<()> {
    let market = MarketBlockingClient::connect(address)?;
    let prices = market.watch("ACME").expect("ACME is traded");
    for tick in prices.take(2) {
        let tick = tick.expect("the market is open");
        println!("blocking    {} costs {}", tick.symbol, tick.cents);
    }

    let length = market.upload("small.bin", [vec![1, 2], vec![3]])?;
    println!("blocking    {length} bytes");

    let mut chat = market.chat()?;
    chat.send(&"hello".to_owned())?;
    chat.finish();
    for answer in chat {
        println!("blocking    {}", answer?);
    }
    Ok(())
}
