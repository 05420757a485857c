//! tarpc as its documentation shows it: a trait, bincode over TCP, one task for each request.
//!
//! There is one variant, `bincode`. Its deadlines are on (10 s, its default); it has neither streams nor Unix sockets here.

use std::future::Future;

use bench_load::{
    Case, Client, Contestant, Error, Job, LIST_LENGTH, Order, Plan, Result, Server, Tally,
    body_is_right, list_is_right,
};
use futures::{StreamExt, future};
use serde_bytes::ByteBuf;
use tarpc::context::{self, Context};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tokio::task::JoinHandle;

/// What every contestant serves.
#[tarpc::service]
pub trait Bench {
    /// Adds.
    async fn add(a: u64, b: u64) -> u64;
    /// Answers one order.
    async fn get(id: u64) -> Order;
    /// Answers 200 orders.
    async fn list() -> Vec<Order>;
    /// Answers what it is given.
    async fn echo(body: ByteBuf) -> ByteBuf;
}

#[derive(Clone)]
struct Shop(std::sync::Arc<[Order]>);

impl Bench for Shop {
    async fn add(self, _: Context, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    async fn get(self, _: Context, id: u64) -> Order {
        Order {
            id,
            ..self.0[0].clone()
        }
    }

    async fn list(self, _: Context) -> Vec<Order> {
        self.0.to_vec()
    }

    async fn echo(self, _: Context, body: ByteBuf) -> ByteBuf {
        body
    }
}

/// The contestant.
pub struct Tarpc;

impl Contestant for Tarpc {
    type Client = Connection;

    async fn serve(_: &Plan) -> Result<Server> {
        let shop = Shop(Order::samples().into());
        let mut listener =
            tarpc::serde_transport::tcp::listen("127.0.0.1:0", Bincode::default).await?;
        listener.config_mut().max_frame_length(LONGEST);
        let address = listener.local_addr().to_string();
        let serving = listener
            .filter_map(|stream| future::ready(stream.ok()))
            .map(BaseChannel::with_defaults)
            .for_each(move |channel| {
                tokio::spawn(channel.execute(shop.clone().serve()).for_each(spawn));
                future::ready(())
            });
        tokio::spawn(serving);
        Ok(Server {
            address,
            keep: Box::new(()),
        })
    }

    async fn connect(plan: &Plan) -> Result<Connection> {
        let mut connecting = tarpc::serde_transport::tcp::connect(&plan.address, Bincode::default);
        connecting.config_mut().max_frame_length(LONGEST);
        let client = BenchClient::new(tarpc::client::Config::default(), connecting.await?).spawn();
        Ok(Connection { client })
    }
}

async fn spawn(answering: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(answering);
}

/// One connection.
#[derive(Clone)]
pub struct Connection {
    client: BenchClient,
}

impl Client for Connection {
    fn start(self, job: Job) -> JoinHandle<Tally> {
        tokio::spawn(bench_load::work(self, job))
    }

    async fn call(&self, case: Case, number: u64, body: &[u8]) -> Result<(), Error> {
        let context = context::current();
        let right = match case {
            Case::Add => self.client.add(context, number, 1).await? == number + 1,
            Case::Get => is_right(&self.client.get(context, number).await?, number),
            Case::List => are_right(&self.client.list(context).await?),
            Case::Echo => {
                let answer = self.client.echo(context, ByteBuf::from(body)).await?;
                body_is_right(&answer, body.len(), number)
            }
            Case::ListByReference | Case::Stream => return Err("tarpc has no such thing".into()),
        };
        if right {
            Ok(())
        } else {
            Err("a wrong answer".into())
        }
    }
}

fn is_right(order: &Order, id: u64) -> bool {
    order.id == id
        && order.customer == 7_000_000_001
        && order.name.len() == 18
        && order.changed_ms == 1_767_312_000_123
        && order.lines.len() == 3
}

fn are_right(orders: &[Order]) -> bool {
    orders
        .get(LIST_LENGTH - 1)
        .is_some_and(|order| order.lines.len() == 3)
        && list_is_right(orders.iter().map(|order| order.id))
}

/// Frames of as many bytes as the project's framework takes by default.
const LONGEST: usize = 16 << 20;
