//! Results that handlers do not give away, in both doors, and bytes that stay where they were received.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
use std::borrow::Cow;
use std::sync::Arc;

use by_reference::shop::v1::{Order, Refused};
use rpc_runtime::codec::{Decode, Encode, Reader};
use rpc_runtime::{Bytes, Channel, rpc_service};

#[allow(dead_code, reason = "its client calls what another trait serves")]
mod owned {
    //! Results that are given away.

    use super::*;

    #[rpc_service(package = "lent.v1")]
    pub(crate) trait Words {
        async fn numbers(&self) -> Vec<u64>;
        async fn text(&self) -> String;
        async fn data(&self) -> Vec<u8>;
        async fn maybe(&self, there: bool) -> Option<String>;
        async fn tried(&self, well: bool) -> Result<Vec<String>, String>;
        async fn forever(&self) -> String;
    }
}

mod lent {
    //! The same results, behind pointers.

    use super::*;

    #[rpc_service(package = "lent.v1")]
    pub(crate) trait Words {
        async fn numbers(&self) -> Arc<[u64]>;
        async fn text(&self) -> Cow<'static, str>;
        async fn data(&self) -> Arc<[u8]>;
        async fn maybe(&self, there: bool) -> Option<Arc<str>>;
        async fn tried(&self, well: bool) -> Result<Arc<Vec<String>>, String>;
        async fn forever(&self) -> &'static str;
    }
}

struct Speaker {
    numbers: Arc<[u64]>,
    words: Arc<Vec<String>>,
}

impl lent::Words for Speaker {
    async fn numbers(&self) -> Arc<[u64]> {
        self.numbers.clone()
    }
    async fn text(&self) -> Cow<'static, str> {
        "text".into()
    }
    async fn data(&self) -> Arc<[u8]> {
        Arc::from([1, 2, 3])
    }
    async fn maybe(&self, there: bool) -> Option<Arc<str>> {
        there.then(|| "maybe".into())
    }
    async fn tried(&self, well: bool) -> Result<Arc<Vec<String>>, String> {
        well.then(|| self.words.clone()).ok_or("badly".into())
    }
    async fn forever(&self) -> &'static str {
        "forever"
    }
}

fn speaker() -> Speaker {
    Speaker {
        numbers: Arc::from([1, 300, u64::MAX]),
        words: Arc::new(vec!["a".into(), "b".into()]),
    }
}

#[tokio::test]
async fn what_is_lent_arrives_as_what_is_owned() {
    assert_eq!(
        lent::WordsClient::SERVICE.fingerprint,
        owned::WordsClient::SERVICE.fingerprint
    );
    for (lent, owned) in lent::WordsClient::SERVICE
        .methods
        .iter()
        .zip(owned::WordsClient::SERVICE.methods)
    {
        assert_eq!(
            (lent.id, lent.fingerprint, lent.signature),
            (owned.id, owned.fingerprint, owned.signature)
        );
    }
    let channel = Channel::local(lent::WordsService::new(speaker()));
    let client = owned::WordsClient::new(channel.clone());
    assert_eq!(client.numbers().await.unwrap(), [1, 300, u64::MAX]);
    assert_eq!(client.text().await.unwrap(), "text");
    assert_eq!(client.data().await.unwrap(), [1, 2, 3]);
    assert_eq!(client.maybe(true).await.unwrap().as_deref(), Some("maybe"));
    assert_eq!(client.maybe(false).await.unwrap(), None);
    assert_eq!(client.tried(true).await.unwrap(), ["a", "b"]);
    assert!(client.tried(false).await.is_err());
    assert_eq!(client.forever().await.unwrap(), "forever");

    // The client of the trait itself gets what somebody owns.
    let client = lent::WordsClient::new(channel);
    let numbers: Vec<u64> = client.numbers().await.unwrap();
    let text: String = client.text().await.unwrap();
    let maybe: Option<String> = client.maybe(true).await.unwrap();
    assert_eq!((numbers.len(), text.len(), maybe.is_some()), (3, 4, true));
    let view = client.tried(true).view().await.unwrap();
    assert_eq!(view.get().unwrap(), ["a", "b"]);
}

/// A type that only knows serde, and cannot be cloned.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Unique {
    name: String,
}

#[rpc_service(package = "lent.v1")]
trait Uniques {
    async fn one(&self) -> Arc<Unique>;
    async fn all(&self) -> Arc<[Unique]>;
    async fn order(&self, id: u64) -> Result<Arc<Order>, Refused>;
    fn at_once(&self) -> Arc<Unique>;
}

struct Keeper(Arc<Unique>);

impl Uniques for Keeper {
    async fn one(&self) -> Arc<Unique> {
        self.0.clone()
    }
    async fn all(&self) -> Arc<[Unique]> {
        let unique = |name: &str| Unique { name: name.into() };
        Arc::from([unique("a"), unique("b")])
    }
    async fn order(&self, id: u64) -> Result<Arc<Order>, Refused> {
        match id {
            0 => Err(Refused::Busy("later".into())),
            id => Ok(Arc::new(Order::new(id, "ann", vec![]))),
        }
    }
    fn at_once(&self) -> Arc<Unique> {
        self.0.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_know_serde_only_are_lent_too() {
    let name = || Unique { name: "x".into() };
    let channel = Channel::local(UniquesService::new(Keeper(Arc::new(name()))));
    let client = UniquesClient::new(channel);
    assert_eq!(client.one().await.unwrap(), name());
    assert_eq!(client.at_once().await.unwrap(), name());
    assert_eq!(client.all().await.unwrap().len(), 2);
    assert_eq!(client.order(5).await.unwrap().id, 5);
    assert!(client.order(0).await.is_err());
}

#[test]
fn large_bytes_are_a_piece_of_the_frame_and_small_ones_a_copy() {
    for (length, shared) in [(100_000, true), (4_096, true), (4_095, false), (0, false)] {
        let mut message = Vec::new();
        Bytes::from(vec![7; length]).encode(&mut message);
        let frame = Bytes::from(message);
        let mut input = Reader::new(&frame).in_frame(&frame);
        let bytes = Bytes::decode(&mut input).unwrap();
        assert_eq!(bytes, vec![7; length]);
        let within = frame.as_ptr_range().contains(&bytes.as_ptr());
        assert_eq!(within, shared, "{length}");
        // Without a frame there is nothing to be a piece of.
        assert_eq!(Bytes::decode(&mut Reader::new(&frame)).unwrap(), bytes);
    }
}
