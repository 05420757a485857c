//! Hand-written frames without codec, services, deadlines or limits: what everything else is compared with.
//!
//! | variant | what it is |
//! |---|---|
//! | `yield` | echoes the case's bytes; both sides batch: the base for throughput |
//! | `exact` | the same, but a request of 16 bytes is answered by the case's bytes, as a typed call would be |
//! | `pingpong-tokio` | one call at a time, written and read by the caller's own task |
//! | `pingpong-std` | the same with blocking sockets on a thread: the base for lone calls |

mod batched;
mod frame;
mod pingpong;
mod server;
mod streamed;

use bench_load::{
    Blocking, Case, Client, Contestant, Error, Job, Plan, Result, Server, Stamp, Tally,
};
use tokio::task::JoinHandle;

use crate::frame::Sizes;

/// The contestant.
pub struct Limit;

impl Contestant for Limit {
    type Client = Connection;

    async fn serve(plan: &Plan) -> Result<Server> {
        if plan.variant == "pingpong-std" {
            pingpong::serve(plan)
        } else {
            server::serve(plan).await
        }
    }

    async fn connect(plan: &Plan) -> Result<Connection> {
        let sizes = Sizes::of(plan);
        if plan.case == Case::Stream {
            let stream = streamed::Stream::connect(plan).await?;
            return Ok(Connection::Stream(stream));
        }
        Ok(match plan.variant.as_str() {
            "pingpong-tokio" => Connection::PingPong(pingpong::Client::connect(plan, sizes).await?),
            _ => Connection::Batched(batched::Client::connect(plan, sizes).await?),
        })
    }

    fn blocking(plan: &Plan) -> Result<impl Blocking> {
        pingpong::BlockingClient::connect(plan)
    }
}

/// One connection of one of the variants.
#[derive(Clone)]
pub enum Connection {
    /// Many calls in flight.
    Batched(batched::Client),
    /// One call in flight.
    PingPong(pingpong::Client),
    /// Items.
    Stream(streamed::Stream),
}

impl Client for Connection {
    fn start(self, job: Job) -> JoinHandle<Tally> {
        tokio::spawn(bench_load::work(self, job))
    }

    async fn call(&self, _: Case, number: u64, body: &[u8]) -> Result<(), Error> {
        match self {
            Self::Batched(client) => client.call(number, body).await,
            Self::PingPong(client) => client.call(number, body).await,
            Self::Stream(_) => Err("a stream takes no calls".into()),
        }
    }

    async fn stream(&self, size: usize, count: u64, stamp: &mut Stamp<'_>) -> Result<(), Error> {
        match self {
            Self::Stream(stream) => stream.read(size, count, stamp).await,
            _ => Err("this connection takes calls".into()),
        }
    }
}
