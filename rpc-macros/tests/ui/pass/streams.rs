//! Streams of every kind, in every form that a trait may say them in, through a whole call.

#![deny(warnings)]
#![deny(clippy::all, clippy::pedantic)]

use rpc_runtime::{
    CallError, Channel, Context, Handle, Items, Server, Stream, StreamCall, rpc_service, stream,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    name: String,
    price: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closed(String);

#[rpc_service]
pub trait Market {
    /// A stream that may not open, and may break.
    async fn watch(&self, filter: &str) -> Result<impl Stream<Item = Result<Tick, Closed>>, Closed>;
    /// A stream that may not open, and does not break.
    async fn opened(&self, open: bool) -> Result<impl Stream<Item = u8> + Send, Closed>;
    /// A stream that may break.
    async fn broken(&self) -> impl Stream<Item = Result<u8, Closed>>;
    fn broken_at_once(&self) -> impl Stream<Item = Result<u8, Closed>>;
    /// Borrows from the service and the parameters.
    fn count_to(&self, words: &[String]) -> impl Stream<Item = String> + Send + use<'_, Self>;
    async fn upload(&self, name: &str, chunks: Items<Vec<u8>>) -> u64;
    async fn check(
        &self,
        ticks: impl rpc_runtime::Stream<Item = Tick>,
        ctx: &Context,
    ) -> Result<bool, Closed>;
    #[rpc(on_cancel = "finish")]
    async fn keep(&self, ticks: Items<Tick>);
    fn shout(&self, lines: rpc_runtime::Items<String>) -> impl Stream<Item = String>;
    async fn trade(
        &self,
        limit: f64,
        orders: Items<Tick>,
    ) -> Result<impl Stream<Item = Result<f64, Closed>>, Closed>;
}

macro_rules! with_defaults {
    ($name:ident, $item:ty, $stream:ty) => {
        #[rpc_service]
        trait $name {
            fn at_once(&self) -> impl Stream<Item = $item> {
                stream::iter([1, 2])
            }
            async fn whole(&self) -> $stream {
                stream::iter([3])
            }
            async fn fails(&self) -> Result<impl Stream<Item = Result<$item, String>>, String> {
                let fine = self.is_fine().await;
                if fine { Ok(stream::iter([Ok(4)])) } else { Err("not".to_owned()) }
            }
            #[cfg(not(test))]
            async fn last(&self, items: Items<$item>) -> impl Stream<Item = $item> {
                let mut items = items;
                let first = items.next().await;
                stream::iter(first.into_iter().flatten())
            }
            #[cfg(test)]
            async fn gone(&self, items: Items<$item>);
            async fn is_fine(&self) -> bool {
                true
            }
        }
    };
}

with_defaults!(Defaults, u32, impl Stream<Item = u32> + Send);

impl Defaults for Mine {}

#[rpc_service]
trait Counter {
    async fn add(&self, n: u64) -> u64;
    async fn itself(&self) -> Handle<CounterClient>;
    async fn other(&self, counter: Option<Handle<CounterClient>>) -> Option<rpc_runtime::Handle<CounterClient>>;
    async fn lent(&self, counter: &Handle<CounterClient>) -> Result<Handle<CounterClient>, String>;
}

struct Mine(Vec<String>);

fn tick(name: &str) -> Tick {
    Tick {
        name: name.to_owned(),
        price: 1.5,
    }
}

impl Market for Mine {
    async fn watch(
        &self,
        filter: &str,
    ) -> Result<impl Stream<Item = Result<Tick, Closed>>, Closed> {
        if filter.is_empty() {
            return Err(Closed("no filter".to_owned()));
        }
        let found = self.0.iter().filter(move |name| name.starts_with(filter));
        Ok(stream::iter(found.map(|name| Ok(tick(name)))))
    }

    async fn opened(&self, open: bool) -> Result<impl Stream<Item = u8> + Send, Closed> {
        if open {
            Ok(stream::iter(0..3))
        } else {
            Err(Closed("shut".to_owned()))
        }
    }

    async fn broken(&self) -> impl Stream<Item = Result<u8, Closed>> {
        stream::iter([Ok(1), Ok(2), Err(Closed("half".to_owned()))])
    }

    fn broken_at_once(&self) -> impl Stream<Item = Result<u8, Closed>> {
        stream::iter([Err(Closed("at once".to_owned()))])
    }

    fn count_to(&self, words: &[String]) -> impl Stream<Item = String> + Send + use<'_> {
        stream::iter(self.0.iter().cloned().chain(words.to_vec()))
    }

    async fn upload(&self, name: &str, mut chunks: Items<Vec<u8>>) -> u64 {
        let mut sum = name.len();
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => sum += chunk.len(),
                Err(_) => break,
            }
        }
        sum as u64
    }

    async fn check(
        &self,
        mut ticks: impl Stream<Item = Tick> + Send + Unpin + 'static,
        _: &Context,
    ) -> Result<bool, Closed> {
        use std::pin::Pin;
        let next = std::future::poll_fn(|cx| Pin::new(&mut ticks).poll_next(cx));
        Ok(next.await.is_some())
    }

    async fn keep(&self, ticks: Items<Tick>) {
        drop(ticks);
    }

    fn shout(&self, lines: Items<String>) -> impl Stream<Item = String> {
        drop(lines);
        stream::iter(["A".to_owned()])
    }

    async fn trade(
        &self,
        limit: f64,
        orders: Items<Tick>,
    ) -> Result<impl Stream<Item = Result<f64, Closed>>, Closed> {
        drop(orders);
        Ok(stream::iter([Ok(limit)]))
    }
}

async fn all<T, E>(call: StreamCall<T, E>) -> Vec<Result<T, CallError<E>>>
where
    T: Send + 'static,
    E: Send + 'static,
{
    let mut items = call.start();
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        found.push(item);
    }
    found
}

fn values<T: Clone, E>(found: &[Result<T, CallError<E>>]) -> Vec<T> {
    found.iter().filter_map(|item| item.as_ref().ok().cloned()).collect()
}

#[tokio::main]
async fn main() {
    let _ = CounterService::new(Count);
    let defaults = DefaultsClient::new(Channel::local(DefaultsService::new(Mine(Vec::new()))));
    assert_eq!(values(&all(defaults.at_once()).await), [1, 2]);
    assert_eq!(values(&all(defaults.whole()).await), [3]);
    assert_eq!(values(&all(defaults.fails()).await), [4]);
    assert_eq!(values(&all(defaults.last(stream::iter([5, 6]))).await), [5]);
    let names = vec!["ab".to_owned(), "cd".to_owned()];
    let server = Server::new().add(MarketService::new(Mine(names)));
    let server = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let client = MarketClient::connect(server.address()).await.unwrap();

    assert_eq!(values(&all(client.watch("a")).await), [tick("ab")]);
    assert!(matches!(
        &all(client.watch("")).await[..],
        [Err(CallError::Declared { error, .. })] if error.0 == "no filter"
    ));
    assert_eq!(values(&all(client.opened(true)).await), [0, 1, 2]);
    assert!(matches!(
        &all(client.opened(false)).await[..],
        [Err(CallError::Declared { error, .. })] if error.0 == "shut"
    ));
    let broken = all(client.broken()).await;
    assert_eq!(values(&broken), [1, 2]);
    assert!(matches!(
        broken.last(),
        Some(Err(CallError::Declared { error, .. })) if error.0 == "half"
    ));
    assert_eq!(all(client.broken_at_once()).await.len(), 1);
    let words = values(&all(client.count_to(&["ef".to_owned()])).await);
    assert_eq!(words, ["ab", "cd", "ef"]);
    let chunks = stream::iter(vec![vec![1, 2], vec![3]]);
    assert_eq!(client.upload("xyz", chunks).await.unwrap(), 6);
    assert!(client.check(stream::iter([tick("a")])).await.unwrap());
    assert!(!client.check(stream::iter([])).await.unwrap());
    client.keep(stream::iter([tick("a")])).await.unwrap();
    let shouted = all(client.shout(stream::iter(["a".to_owned()]))).await;
    assert_eq!(values(&shouted), ["A"]);
    assert_eq!(values(&all(client.trade(2.5, stream::iter([]))).await), [2.5]);
}

struct Count;

impl Counter for Count {
    async fn add(&self, n: u64) -> u64 {
        n + 1
    }
    async fn itself(&self) -> Handle<CounterClient> {
        Handle::new(CounterService::new(Self))
    }
    async fn other(&self, counter: Option<Handle<CounterClient>>) -> Option<Handle<CounterClient>> {
        counter
    }
    async fn lent(&self, counter: &Handle<CounterClient>) -> Result<Handle<CounterClient>, String> {
        let _ = counter.add(1).await;
        Ok(Handle::new(CounterService::new(Self)))
    }
}
