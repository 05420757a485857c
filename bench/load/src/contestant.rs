//! What a contestant provides: a server, a client, and how its tasks are spawned.

use std::any::Any;
use std::future::Future;

use tokio::task::JoinHandle;

use crate::plan::{Case, Plan};
use crate::tally::Tally;
use crate::work::{Job, Stamp};
use crate::{Error, Result};

/// One framework, or one way of using it.
pub trait Contestant: 'static {
    /// Whether client and server live on one thread, because the framework wants it so.
    const LOCAL: bool = false;

    /// One connection.
    type Client: Client;

    /// Listens on a free loopback port (or the plan's Unix socket) and serves until the process ends.
    fn serve(plan: &Plan) -> impl Future<Output = Result<Server>>;

    /// Opens one connection to the plan's address.
    fn connect(plan: &Plan) -> impl Future<Output = Result<Self::Client>>;

    /// Opens a connection that is called without an async runtime, where the plan's variant asks for one.
    ///
    /// # Errors
    ///
    /// The contestant has no such client, or nobody answers.
    fn blocking(plan: &Plan) -> Result<impl Blocking> {
        Err::<NoBlocking, _>(format!("`{}` has no blocking client", plan.variant).into())
    }
}

/// A server that runs.
pub struct Server {
    /// Where clients connect.
    pub address: String,
    /// What has to be kept until the process ends.
    pub keep: Box<dyn Any>,
}

/// One connection. Clones share it.
pub trait Client: Clone + 'static {
    /// Spawns [`work`](crate::work) for this client: on any thread, or on this one.
    fn start(self, job: Job) -> JoinHandle<Tally>;

    /// Makes one call and checks its answer. `body` is what an echo sends; its first bytes hold `number`.
    fn call(&self, case: Case, number: u64, body: &[u8])
    -> impl Future<Output = Result<(), Error>>;

    /// Reads a stream of `count` items of `size` bytes, and stamps each.
    fn stream(
        &self,
        _size: usize,
        _count: u64,
        _stamp: &mut Stamp<'_>,
    ) -> impl Future<Output = Result<(), Error>> {
        async { Err("this contestant has no streams here".into()) }
    }

    /// Spawns the upload of `count` pieces of `size` bytes over this connection.
    fn upload(self, _size: usize, _count: u64) -> JoinHandle<Result<(), Error>> {
        tokio::task::spawn(async { Err("this contestant has no upload here".into()) })
    }
}

/// One connection for one thread.
pub trait Blocking {
    /// Makes one call and checks its answer.
    ///
    /// # Errors
    ///
    /// The call failed, or its answer is wrong.
    fn call(&mut self, case: Case, number: u64, body: &[u8]) -> Result<()>;
}

/// For contestants without a blocking client.
pub enum NoBlocking {}

impl Blocking for NoBlocking {
    fn call(&mut self, _: Case, _: u64, _: &[u8]) -> Result<()> {
        match *self {}
    }
}
