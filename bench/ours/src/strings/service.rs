//! The server's side: what the generated trait asks for. It is a module of `small` too.

use std::sync::Arc;

use bench_load::{Order as Sample, body};
use rpc_runtime::{Bytes, Items, Shared, Stream, stream};

use super::bench::v1::{Bench, BenchService, Line, Order};

/// What is served.
pub(crate) fn service() -> BenchService<Shop> {
    BenchService::new(Shop::new())
}

/// Holds what is answered.
pub(crate) struct Shop {
    order: Order,
    orders: Vec<Order>,
    shared: Arc<[Order]>,
}

impl Shop {
    fn new() -> Self {
        let orders: Vec<_> = Sample::samples().iter().map(Order::from).collect();
        Self {
            order: Order::from(&Sample::sample(0)),
            shared: orders.clone().into(),
            orders,
        }
    }
}

impl Bench for Shop {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    async fn get(&self, id: u64) -> Order {
        Order {
            id,
            ..self.order.clone()
        }
    }

    async fn list(&self) -> Vec<Order> {
        self.orders.clone()
    }

    async fn list_by_reference(&self) -> Shared<[Order]> {
        self.shared.clone().into()
    }

    async fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    async fn items(&self, size: u64, count: u64) -> impl Stream<Item = Bytes> {
        let item = body(size as usize);
        stream::iter((0..count).map(move |number| {
            let mut item = item.clone();
            if let Some(place) = item.first_chunk_mut() {
                *place = number.to_le_bytes();
            }
            item.into()
        }))
    }

    async fn upload(&self, mut pieces: Items<Bytes>) -> u64 {
        let mut length = 0;
        while let Some(Ok(piece)) = pieces.next().await {
            length += piece.len() as u64;
        }
        length
    }
}

impl From<&Sample> for Order {
    fn from(order: &Sample) -> Self {
        let line = |line: &bench_load::Line| Line {
            article: line.article.as_str().into(),
            quantity: line.quantity,
            cents: line.cents,
        };
        Self {
            id: order.id,
            customer: order.customer,
            name: order.name.as_str().into(),
            email: order.email.as_str().into(),
            street: order.street.as_str().into(),
            city: order.city.as_str().into(),
            note: order.note.as_str().into(),
            status: order.status,
            created_ms: order.created_ms,
            changed_ms: order.changed_ms,
            lines: order.lines.iter().map(line).collect(),
        }
    }
}
