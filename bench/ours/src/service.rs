//! The server's side: what the generated trait asks for.

use std::sync::Arc;

use bench_load::{Order as Sample, body};
use rpc_runtime::{Bytes, Items, Shared, Stream, stream};

use crate::bench::v1::{Bench, Order};

/// Holds what is answered.
pub(crate) struct Shop {
    order: Order,
    orders: Vec<Order>,
    shared: Arc<[Order]>,
}

impl Shop {
    pub(crate) fn new() -> Self {
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
