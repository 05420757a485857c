//! vox as its documentation shows it, over TCP. It is a release candidate.
//!
//! There is one variant, `tcp`. It has neither streams nor Unix sockets here.

#![allow(missing_docs, reason = "vox generates a function without")]

use bench_load::{
    Case, Client, Contestant, Error, Job, LIST_LENGTH, Order as Sample, Plan, Result, Server,
    Tally, body_is_right, list_is_right,
};
use tokio::task::JoinHandle;

/// As in [`Sample`].
#[derive(Clone, Debug, facet::Facet)]
pub struct Order {
    id: u64,
    customer: u64,
    name: String,
    email: String,
    street: String,
    city: String,
    note: String,
    status: u32,
    created_ms: u64,
    changed_ms: u64,
    lines: Vec<Line>,
}

/// As in [`bench_load::Line`].
#[derive(Clone, Debug, facet::Facet)]
pub struct Line {
    article: String,
    quantity: u32,
    cents: u64,
}

/// What every contestant serves.
#[vox::service]
pub trait Bench {
    /// Adds.
    async fn add(&self, a: u64, b: u64) -> u64;
    /// Answers one order.
    async fn get(&self, id: u64) -> Order;
    /// Answers 200 orders.
    async fn list(&self) -> Vec<Order>;
    /// Answers what it is given.
    async fn echo(&self, body: Vec<u8>) -> Vec<u8>;
}

#[derive(Clone)]
struct Shop(std::sync::Arc<[Order]>);

impl Bench for Shop {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    async fn get(&self, id: u64) -> Order {
        Order {
            id,
            ..self.0[0].clone()
        }
    }

    async fn list(&self) -> Vec<Order> {
        self.0.to_vec()
    }

    async fn echo(&self, body: Vec<u8>) -> Vec<u8> {
        body
    }
}

/// The contestant.
pub struct Vox;

impl Contestant for Vox {
    type Client = Connection;

    async fn serve(_: &Plan) -> Result<Server> {
        let shop = Shop(Sample::samples().iter().map(Order::from).collect());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("tcp://{}", listener.local_addr()?);
        tokio::spawn(async move {
            if let Err(error) = vox::serve_listener(listener, BenchDispatcher::new(shop)).await {
                eprintln!("{error:?}");
            }
        });
        Ok(Server {
            address,
            keep: Box::new(()),
        })
    }

    async fn connect(plan: &Plan) -> Result<Connection> {
        let client: BenchClient = vox::connect_lane(plan.address.clone())
            .await
            .map_err(told)?;
        Ok(Connection { client })
    }
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
        let right = match case {
            Case::Add => self.client.add(number, 1).await.map_err(told)? == number + 1,
            Case::Get => is_right(&self.client.get(number).await.map_err(told)?, number),
            Case::List => are_right(&self.client.list().await.map_err(told)?),
            Case::Echo => {
                let answer = self.client.echo(body.to_vec()).await.map_err(told)?;
                body_is_right(&answer, body.len(), number)
            }
            Case::ListByReference | Case::Stream => return Err("vox is not asked for it".into()),
        };
        if right {
            Ok(())
        } else {
            Err("a wrong answer".into())
        }
    }
}

fn told(error: impl std::fmt::Debug) -> Error {
    format!("{error:?}").into()
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

impl From<&Sample> for Order {
    fn from(order: &Sample) -> Self {
        let line = |line: &bench_load::Line| Line {
            article: line.article.clone(),
            quantity: line.quantity,
            cents: line.cents,
        };
        let order = order.clone();
        Self {
            id: order.id,
            customer: order.customer,
            name: order.name,
            email: order.email,
            street: order.street,
            city: order.city,
            note: order.note,
            status: order.status,
            created_ms: order.created_ms,
            changed_ms: order.changed_ms,
            lines: order.lines.iter().map(line).collect(),
        }
    }
}
