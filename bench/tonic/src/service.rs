//! The server's side.

use std::pin::Pin;

use bench_load::{Order as Sample, body};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::generated::bench_server::Bench;
use crate::generated::{
    AddRequest, Body, GetRequest, ItemsRequest, Length, ListRequest, Order, Orders, Sum,
};

/// Holds what is answered.
pub(crate) struct Shop {
    order: Order,
    orders: Vec<Order>,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self {
            order: Order::from(&Sample::sample(0)),
            orders: Sample::samples().iter().map(Order::from).collect(),
        }
    }
}

#[tonic::async_trait]
impl Bench for Shop {
    type ItemsStream = Pin<Box<dyn Stream<Item = Result<Body, Status>> + Send>>;

    async fn add(&self, request: Request<AddRequest>) -> Result<Response<Sum>, Status> {
        let AddRequest { a, b } = request.into_inner();
        Ok(Response::new(Sum {
            sum: a.wrapping_add(b),
        }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Order>, Status> {
        Ok(Response::new(Order {
            id: request.into_inner().id,
            ..self.order.clone()
        }))
    }

    async fn list(&self, _: Request<ListRequest>) -> Result<Response<Orders>, Status> {
        Ok(Response::new(Orders {
            orders: self.orders.clone(),
        }))
    }

    async fn echo(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn items(
        &self,
        request: Request<ItemsRequest>,
    ) -> Result<Response<Self::ItemsStream>, Status> {
        let ItemsRequest { size, count } = request.into_inner();
        let item = body(size as usize);
        let items = tokio_stream::iter((0..count).map(move |number| {
            let mut body = item.clone();
            if let Some(place) = body.first_chunk_mut() {
                *place = number.to_le_bytes();
            }
            Ok(Body { body })
        }));
        Ok(Response::new(Box::pin(items)))
    }

    async fn upload(&self, request: Request<Streaming<Body>>) -> Result<Response<Length>, Status> {
        let mut pieces = request.into_inner();
        let mut length = 0;
        while let Some(piece) = pieces.message().await? {
            length += piece.body.len() as u64;
        }
        Ok(Response::new(Length { length }))
    }
}
