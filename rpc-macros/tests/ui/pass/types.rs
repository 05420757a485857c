//! Types of many kinds: with a form of their own, with serde, in each other.

#![deny(warnings)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rpc_runtime::{Decimal, Timestamp, Uuid, Value, rpc_service};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    name: String,
    tags: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Problem {
    Missing { id: u64 },
    Other(String),
}

#[rpc_service]
trait Types {
    async fn scalars(&self, a: i8, b: u64, c: i128, d: f32, e: bool, f: char, g: usize) -> (u64, char);
    async fn times(&self, wait: Duration, at: Timestamp) -> Duration;
    async fn ids(&self, id: Uuid, money: Decimal, any: Value) -> Value;
    async fn maps(&self, map: HashMap<String, Item>, set: BTreeSet<u8>) -> BTreeMap<String, Vec<Item>>;
    async fn arrays(&self, bytes: [u8; 4], numbers: [u16; 2]) -> [u16; 2];
    async fn pointers(&self, boxed: Box<Item>) -> Box<Item>;
    async fn shared(&self, text: Arc<String>) -> Arc<String>;
    async fn borrowed(&self, item: &Item, items: &[Item], text: &String, bytes: &[u8]) -> Vec<u8>;
    async fn optional(&self, item: Option<Item>, text: Option<&str>) -> Option<Item>;
    async fn fails(&self, id: u64) -> Result<Item, Problem>;
    async fn tuple(&self, pair: (String, Item)) -> (String, Item);
}

fn item() -> Item {
    Item { name: "n".to_owned(), tags: vec!["t".to_owned()] }
}

struct Mine;

impl Types for Mine {
    async fn scalars(&self, _: i8, b: u64, _: i128, _: f32, _: bool, f: char, _: usize) -> (u64, char) {
        (b, f)
    }
    async fn times(&self, wait: Duration, _: Timestamp) -> Duration {
        wait
    }
    async fn ids(&self, _: Uuid, _: Decimal, any: Value) -> Value {
        any
    }
    async fn maps(&self, map: HashMap<String, Item>, _: BTreeSet<u8>) -> BTreeMap<String, Vec<Item>> {
        map.into_iter().map(|(key, item)| (key, vec![item])).collect()
    }
    async fn arrays(&self, _: [u8; 4], numbers: [u16; 2]) -> [u16; 2] {
        numbers
    }
    async fn pointers(&self, boxed: Box<Item>) -> Box<Item> {
        boxed
    }
    async fn shared(&self, text: Arc<String>) -> Arc<String> {
        text
    }
    async fn borrowed(&self, item: &Item, items: &[Item], text: &String, bytes: &[u8]) -> Vec<u8> {
        assert_eq!((item.name.as_str(), items.len(), text.as_str()), ("n", 2, "text"));
        bytes.to_vec()
    }
    async fn optional(&self, item: Option<Item>, text: Option<&str>) -> Option<Item> {
        item.filter(|_| text.is_some())
    }
    async fn fails(&self, id: u64) -> Result<Item, Problem> {
        if id == 0 { Err(Problem::Missing { id }) } else { Ok(item()) }
    }
    async fn tuple(&self, pair: (String, Item)) -> (String, Item) {
        pair
    }
}

#[tokio::main]
async fn main() {
    let client = TypesClient::new(rpc_runtime::Channel::local(TypesService::new(Mine)));
    assert_eq!(client.scalars(-1, u64::MAX, -1, 1.5, true, 'x', 3).await.unwrap(), (u64::MAX, 'x'));
    let wait = Duration::from_millis(1500);
    assert_eq!(client.times(wait, Timestamp::now()).await.unwrap(), wait);
    let any = Value::Array(vec![Value::Nil, Value::Bool(true)]);
    assert_eq!(client.ids(Uuid([1; 16]), Decimal::default(), any.clone()).await.unwrap(), any);
    let maps = client.maps(HashMap::from([("k".to_owned(), item())]), BTreeSet::from([1])).await.unwrap();
    assert_eq!(maps["k"], [item()]);
    assert_eq!(client.arrays([1; 4], [1, 2]).await.unwrap(), [1, 2]);
    assert_eq!(*client.pointers(Box::new(item())).await.unwrap(), item());
    assert_eq!(client.shared(Arc::new("s".to_owned())).await.unwrap(), "s");
    assert_eq!(client.borrowed(&item(), &[item(), item()], &"text".to_owned(), b"b").await.unwrap(), b"b");
    assert_eq!(client.optional(Some(item()), Some("x")).await.unwrap(), Some(item()));
    assert_eq!(client.optional(Some(item()), None).await.unwrap(), None);
    assert_eq!(client.fails(1).await.unwrap(), item());
    assert!(client.fails(0).await.is_err());
    assert_eq!(client.tuple(("a".to_owned(), item())).await.unwrap().0, "a");
}
