//! This project's framework, as a user gets it: deadlines, cancellation, limits, counters and the structure check on.
//!
//! | variant | what it is |
//! |---|---|
//! | `async` | the generated asynchronous client |
//! | `blocking` | the generated blocking client, for lone calls |
//! | `small` | `async` with small strings on both sides |

mod crowd;
pub mod small;
pub mod strings;

use bench_load::{
    Blocking, Case, Client, Contestant, Error, Job, Plan, Result, Server, Stamp, Tally,
};
use rpc_runtime::{BlockingChannel, Channel, Limits};
use tokio::task::JoinHandle;

use crate::strings::bench::v1::BenchBlockingClient;
use crate::strings::client;

/// The contestant.
pub struct Ours;

impl Contestant for Ours {
    type Client = Connection;

    async fn serve(plan: &Plan) -> Result<Server> {
        let address = match plan.unix {
            true => format!("unix://{}", plan.address),
            false => "tcp://127.0.0.1:0".to_owned(),
        };
        let server = rpc_runtime::Server::new().limits(limits(plan));
        let server = match is_small(plan) {
            true => server.add(small::service::service()),
            false => server.add(strings::service::service()),
        };
        let serving = crowd::mount(server, plan.methods).listen(address).await?;
        Ok(Server {
            address: serving.address().to_owned(),
            keep: Box::new(serving),
        })
    }

    async fn connect(plan: &Plan) -> Result<Connection> {
        let channel = Channel::builder()
            .limits(limits(plan))
            .connect(&plan.address)
            .await?;
        Ok(match is_small(plan) {
            true => Connection::Small(small::client::Connection::new(channel)),
            false => Connection::Strings(strings::client::Connection::new(channel)),
        })
    }

    fn blocking(plan: &Plan) -> Result<impl Blocking> {
        let channel = BlockingChannel::builder()
            .limits(limits(plan))
            .connect(&plan.address)?;
        Ok(BlockingConnection {
            client: BenchBlockingClient::new(channel),
        })
    }
}

fn is_small(plan: &Plan) -> bool {
    plan.variant == "small"
}

/// One connection of either kind.
#[derive(Clone)]
pub enum Connection {
    /// With `String`.
    Strings(strings::client::Connection),
    /// With `SmolStr`.
    Small(small::client::Connection),
}

impl Client for Connection {
    fn start(self, job: Job) -> JoinHandle<Tally> {
        match self {
            Self::Strings(connection) => connection.start(job),
            Self::Small(connection) => connection.start(job),
        }
    }

    async fn call(&self, case: Case, number: u64, body: &[u8]) -> Result<(), Error> {
        match self {
            Self::Strings(connection) => connection.call(case, number, body).await,
            Self::Small(connection) => connection.call(case, number, body).await,
        }
    }

    async fn stream(&self, size: usize, count: u64, stamp: &mut Stamp<'_>) -> Result<(), Error> {
        match self {
            Self::Strings(connection) => connection.stream(size, count, stamp).await,
            Self::Small(connection) => connection.stream(size, count, stamp).await,
        }
    }

    fn upload(self, size: usize, count: u64) -> JoinHandle<Result<(), Error>> {
        match self {
            Self::Strings(connection) => connection.upload(size, count),
            Self::Small(connection) => connection.upload(size, count),
        }
    }
}

/// The defaults, except where a case asks for more than they allow.
fn limits(plan: &Plan) -> Limits {
    let mut limits = Limits::default();
    limits.max_inflight_per_connection = limits
        .max_inflight_per_connection
        .max(plan.in_flight as u32);
    limits.max_connections = limits.max_connections.max(plan.connections as u32 + 16);
    let message = plan.size as u32 + 1_024;
    if message > limits.max_message_bytes {
        limits.max_message_bytes = message;
        limits.connection_memory = limits.connection_memory.max(4 * u64::from(message));
        limits.process_memory = limits.process_memory.max(8 * u64::from(message));
    }
    limits
}

struct BlockingConnection {
    client: BenchBlockingClient,
}

impl Blocking for BlockingConnection {
    fn call(&mut self, case: Case, number: u64, body: &[u8]) -> Result<()> {
        match case {
            Case::Add => client::sum_is_right(self.client.add(number, 1)?, number),
            Case::Get => client::order_is_right(&self.client.get(number)?, number),
            Case::List => client::orders_are_right(&self.client.list()?),
            Case::ListByReference => {
                client::views_are_right(self.client.list_by_reference_view()?.iter()?)
            }
            Case::Echo => client::echo_is_right(&self.client.echo(body)?, body, number),
            Case::Stream => Err("not measured without an async runtime".into()),
        }
    }
}
