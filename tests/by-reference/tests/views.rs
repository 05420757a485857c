//! Views: the same rules as for owned values, in both clients.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
use std::collections::{BTreeMap, BTreeSet};

use by_reference::shop::v1::{
    Line, Order, OrderRef, Payment, Point, Refused, Shop, ShopBlockingClient, ShopClient,
    ShopService, State,
};
use rpc_runtime::codec::{Decode, DecodeError, Encode, Reader};
use rpc_runtime::{Bytes, CallError, Channel, ErrorKind, Server, Shared, Viewable};

fn order(id: u64) -> Order {
    Order {
        state: State::Paid,
        tags: BTreeSet::from(["a".into(), "b".into()]),
        attrs: BTreeMap::from([("k".into(), "v".into())]),
        photo: Some(Bytes::from_static(&[1, 2, 3])),
        parent: Some(Box::new(Order::new(id + 1, "parent", vec![]))),
        digest: Some([1, 2, 3, 4]),
        secret: Some("hush".into()),
        place: Some(Point::new(1.0, 2.0)),
        payment: Some(Payment::Card("4711".into())),
        ..Order::new(id, "ann", vec![Line::new("kettle").with_note("blue")])
    }
}

fn bytes<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

fn read<'de, T: Decode<'de>>(message: &'de [u8]) -> Result<T, DecodeError> {
    let mut input = Reader::new(message);
    let value = T::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

#[test]
fn a_view_borrows_and_is_equal_to_the_owned_value() {
    let message = bytes(&order(7));
    let view: OrderRef<'_> = read(&message).unwrap();
    assert_eq!(view.to_owned(), order(7));
    assert_eq!(Order::from_view(&view), order(7));
    let within = |text: &str| message.as_ptr_range().contains(&text.as_ptr());
    assert!(within(view.customer) && within(view.lines[0].product));
    assert!(view.tags.iter().copied().all(within));
    assert_eq!(view.photo, Some(&[1, 2, 3][..]));
    assert_eq!(view.raw, b"ab");
    assert_eq!(view.parent.as_ref().unwrap().customer, "parent");
    assert!(!format!("{view:?}").contains("hush"));
}

#[test]
fn a_view_reads_and_refuses_what_the_owned_value_does() {
    let whole = bytes(&order(7));
    let mut cases: Vec<Vec<u8>> = vec![
        // Only what is required; nil for the rest; a newer field; by name, in any order, with names nobody knows.
        b"\x95\x07\xa3ann\xc0\xc0\x90".to_vec(),
        b"\x9f\x07\xa3ann\xc0\xc0\x90\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0".to_vec(),
        b"\xdc\x00\x11\x07\xa3ann\xc0\xc0\x90\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\x91\x91\x05\xa1x".to_vec(),
        b"\x84\xa5lines\x90\xa8customer\xa3ann\xa3new\x91\x01\xa2id\x07".to_vec(),
        // Missing, wrong, cut off, not UTF-8.
        b"\x91\x07".to_vec(),
        b"\x80".to_vec(),
        b"\x95\x07\x08\xc0\xc0\x90".to_vec(),
        b"\x95\x07\xa3ann\xc0\xc0\x91\x91\x05".to_vec(),
        b"\x95\x07\xa1\xff\xc0\xc0\x90".to_vec(),
        b"\xa3ann".to_vec(),
        b"\x95\x07\xa3ann\xc0\xc0\x90\x00".to_vec(),
        vec![],
    ];
    cases.extend((0..whole.len()).map(|end| whole[..end].to_vec()));
    for case in cases {
        let owned = read::<Order>(&case);
        let view = read::<OrderRef<'_>>(&case);
        assert_eq!(view.map(|view| view.to_owned()), owned, "{case:x?}");
    }
    let view: OrderRef<'_> = read(b"\x95\x07\xa3ann\xc0\xc0\x90").unwrap();
    assert_eq!((view.greeting, view.raw), ("hello", &b"ab"[..]));
    assert_eq!(view.tags, BTreeSet::from(["plain"]));
}

struct Store;

impl Shop for Store {
    async fn list(&self) -> Result<Vec<Order>, Refused> {
        Ok((0..200).map(order).collect())
    }
    async fn catalogue(&self) -> Shared<[Order]> {
        vec![order(1), order(2)].into()
    }
    async fn order(&self, id: u64) -> Result<Shared<Order>, Refused> {
        match id {
            0 => Err(Refused::Unknown { id }),
            id => Ok(order(id).into()),
        }
    }
    async fn find(&self, id: u64) -> Option<Shared<Order>> {
        (id > 0).then(|| order(id).into())
    }
    async fn motto(&self) -> Shared<str> {
        "to each his own".into()
    }
    async fn photo(&self) -> Shared<[u8]> {
        Bytes::from(vec![7; 100_000]).into()
    }
    async fn echo(&self, body: Bytes) -> Bytes {
        body
    }
    async fn copies(&self, order: Order, count: u32) -> Vec<Order> {
        vec![order; count as usize]
    }
    async fn count(&self) -> u64 {
        200
    }
}

#[tokio::test]
async fn a_reply_is_seen_without_being_copied() {
    let client = ShopClient::new(Channel::local(ShopService::new(Store)));
    let reply = client.list().view().await.unwrap();
    let within = |text: &str| reply.bytes().as_ptr_range().contains(&text.as_ptr());
    assert_eq!(reply.get().unwrap().len(), 200);
    let mut count = 0;
    for (index, order) in reply.iter().unwrap().enumerate() {
        let order = order.unwrap();
        assert_eq!(order.id, index as u64);
        assert!(within(order.customer));
        count += 1;
    }
    assert_eq!(count, 200);
    assert_eq!(reply.to_owned().unwrap(), client.list().await.unwrap());

    // Options, errors and plain results are as they are without a view.
    let error = client.order(0).view().await.unwrap_err();
    assert!(matches!(
        error,
        CallError::Declared {
            error: Refused::Unknown { id: 0 },
            ..
        }
    ));
    let one = client.order(3).view().await.unwrap();
    assert_eq!(one.get().unwrap().to_owned(), order(3));
    let none = client.find(0).view().await.unwrap();
    assert_eq!(none.get().unwrap(), None);
    let motto = client.motto().view().await.unwrap();
    assert_eq!(motto.get().unwrap(), "to each his own");
    let photo = client.photo().view().await.unwrap();
    assert_eq!(photo.get().unwrap(), [7; 100_000]);
    let count = client.count().view().await.unwrap();
    assert_eq!(count.get().unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocking_client_has_views_too() {
    let serving = Server::new()
        .add(ShopService::new(Store))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let address = serving.addresses()[0].to_string();
    tokio::task::spawn_blocking(move || {
        let client = ShopBlockingClient::connect(&address).unwrap();
        let reply = client.list_view().unwrap();
        let ids: Vec<u64> = reply
            .iter()
            .unwrap()
            .map(|order| order.unwrap().id)
            .collect();
        assert_eq!(ids, (0..200).collect::<Vec<_>>());
        assert!(client.order_view(0).is_err());
        assert_eq!(client.order_view(3).unwrap().to_owned().unwrap(), order(3));
    })
    .await
    .unwrap();
    drop(serving);
}

/// Serves the same methods with other types.
#[rpc_runtime::rpc_service(package = "shop.v1", name = "Shop")]
trait Liar {
    async fn list(&self) -> Vec<u64>;
    async fn motto(&self) -> u64;
    async fn count(&self) -> String;
}

struct Other;

impl Liar for Other {
    async fn list(&self) -> Vec<u64> {
        vec![1, 2]
    }
    async fn motto(&self) -> u64 {
        7
    }
    async fn count(&self) -> String {
        "many".into()
    }
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_told_when_it_is_read() {
    let client = ShopClient::new(Channel::local(LiarService::new(Other)));
    let reply = client.list().view().await.unwrap();
    let error = reply.get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss);
    let text = "result: [0]: expected an array, found an integer; compare the definitions";
    assert!(error.to_string().contains(text), "{error}");
    let elements: Vec<_> = reply.iter().unwrap().collect();
    assert!(elements.len() == 1 && elements[0].is_err());
    let motto = client.motto().view().await.unwrap();
    assert!(motto.get().is_err() && motto.to_owned().is_err());
}
