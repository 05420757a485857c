//! Large bodies, which go out in parts from where they are: the same bytes arrive as if they had been copied.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
use by_reference::shop::v1::{
    Line, Order, Refused, Shop, ShopBlockingClient, ShopClient, ShopService,
};
use rpc_runtime::{Bytes, Channel, Limits, Server, Serving, Shared};

struct Mirror;

impl Shop for Mirror {
    async fn list(&self) -> Result<Vec<Order>, Refused> {
        Ok(Vec::new())
    }
    async fn catalogue(&self) -> Shared<[Order]> {
        Vec::new().into()
    }
    async fn order(&self, id: u64) -> Result<Shared<Order>, Refused> {
        Err(Refused::Unknown { id })
    }
    async fn find(&self, _: u64) -> Option<Shared<Order>> {
        None
    }
    async fn motto(&self) -> Shared<str> {
        "as it was".into()
    }
    async fn photo(&self) -> Shared<[u8]> {
        Bytes::new().into()
    }
    async fn echo(&self, body: Bytes) -> Bytes {
        // Every other one is answered by a task, not by the reader.
        if body.len().is_multiple_of(2) {
            tokio::task::yield_now().await;
        }
        body
    }
    async fn copies(&self, order: Order, count: u32) -> Vec<Order> {
        vec![order; count as usize]
    }
    async fn count(&self) -> u64 {
        0
    }
}

/// Around the lengths from which bytes are not copied, a body is cut, and more than one piece is written.
const LENGTHS: [usize; 14] = [
    0, 1, 4_096, 16_383, 16_384, 16_385, 65_535, 65_536, 66_555, 66_560, 66_561, 262_144,
    1_000_003, 3_000_000,
];

async fn serve(limits: Limits) -> (Serving, String) {
    let server = Server::new().limits(limits).add(ShopService::new(Mirror));
    let serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let address = serving.addresses()[0].to_string();
    (serving, address)
}

fn body(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// The photo is in the middle: behind it comes more of the order.
fn order(photo: usize) -> Order {
    Order {
        photo: Some(body(photo)),
        greeting: "behind it".into(),
        ..Order::new(7, "ann", vec![Line::new("kettle").with_note("blue")])
    }
}

async fn mirrors(client: &ShopClient) {
    for length in LENGTHS {
        assert!(
            client.echo(body(length)).await.unwrap() == body(length),
            "{length}"
        );
        let sent = order(length);
        let copies = client.copies(&sent, 3).await.unwrap();
        assert!(copies == vec![sent; 3], "{length}");
    }
}

#[tokio::test]
async fn bodies_of_all_lengths_arrive_as_they_were() {
    let (serving, address) = serve(Limits::default()).await;
    mirrors(&ShopClient::connect(&address).await.unwrap()).await;
    drop(serving);
    mirrors(&ShopClient::new(Channel::local(ShopService::new(Mirror)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_beside_each_other_and_beside_small_ones() {
    let (serving, address) = serve(Limits::default()).await;
    let client = ShopClient::connect(&address).await.unwrap();
    let calls = (0..200).map(|call| {
        let client = client.clone();
        let length = LENGTHS[call % LENGTHS.len()] / 3;
        tokio::spawn(async move {
            assert!(
                client.echo(body(length)).await.unwrap() == body(length),
                "{length}"
            );
            let copies = client.copies(&order(length), 2).await.unwrap();
            assert!(copies == vec![order(length); 2], "{length}");
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    drop(serving);
}

#[tokio::test]
async fn clients_take_bytes_of_every_form_and_keep_large_ones_where_they_are() {
    let (serving, address) = serve(Limits::default()).await;
    let client = ShopClient::connect(&address).await.unwrap();
    let vec = body(100).to_vec();
    assert_eq!(client.echo(&vec[..]).await.unwrap(), vec);
    assert_eq!(client.echo(&vec).await.unwrap(), vec);
    assert_eq!(client.echo(vec.clone()).await.unwrap(), vec);
    assert_eq!(client.echo(b"four").await.unwrap(), "four");
    for (length, shared) in [(15_000, false), (17_000, true), (1_000_000, true)] {
        let bytes = body(length);
        let call = client.echo(&bytes);
        assert_eq!(!bytes.is_unique(), shared, "{length}");
        assert!(call.await.unwrap() == bytes);
        assert!(client.echo(bytes.clone()).await.unwrap() == bytes);
        let copied = client.echo(&bytes[..]);
        assert!(copied.await.unwrap() == bytes);
    }
    drop(serving);
}

/// A peer that takes no pieces gets what fits into one frame as one frame.
#[tokio::test]
async fn they_do_without_pieces() {
    let whole = Limits {
        max_frame_bytes: 16 << 20,
        max_message_bytes: 0,
        ..Limits::default()
    };
    let (serving, address) = serve(whole.clone()).await;
    let builder = Channel::builder().limits(whole);
    mirrors(&ShopClient::new(builder.connect(&address).await.unwrap())).await;
    drop(serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_with_the_blocking_client() {
    let (serving, address) = serve(Limits::default()).await;
    tokio::task::spawn_blocking(move || {
        let client = ShopBlockingClient::connect(&address).unwrap();
        for length in LENGTHS {
            assert!(
                client.echo(body(length)).unwrap() == body(length),
                "{length}"
            );
            assert!(client.copies(&order(length), 3).unwrap() == vec![order(length); 3]);
        }
    })
    .await
    .unwrap();
    drop(serving);
}
