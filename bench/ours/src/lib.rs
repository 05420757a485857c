//! This project's framework, as a user gets it: deadlines, cancellation, limits, counters and the structure check on.
//!
//! | variant | what it is |
//! |---|---|
//! | `async` | the generated asynchronous client |
//! | `blocking` | the generated blocking client, for lone calls |

mod client;
mod crowd;
mod service;

use bench_load::{Blocking, Case, Contestant, Order, Plan, Result, Server};
use rpc_runtime::{BlockingChannel, Channel, Limits};

use crate::bench::v1::{BenchBlockingClient, BenchClient, BenchService};
pub use crate::client::Connection;

rpc_runtime::include_idl!();

/// The contestant.
pub struct Ours;

impl Contestant for Ours {
    type Client = Connection;

    async fn serve(plan: &Plan) -> Result<Server> {
        let address = match plan.unix {
            true => format!("unix://{}", plan.address),
            false => "tcp://127.0.0.1:0".to_owned(),
        };
        let service = BenchService::new(service::Shop::new());
        let server = rpc_runtime::Server::new().limits(limits(plan)).add(service);
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
        Ok(Connection::new(BenchClient::new(channel)))
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

impl From<&Order> for bench::v1::Order {
    fn from(order: &Order) -> Self {
        let line = |line: &bench_load::Line| bench::v1::Line {
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
