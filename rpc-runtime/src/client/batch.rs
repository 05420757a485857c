//! Several calls in one write.

use std::sync::Arc;

use crate::client::call::Call;
use crate::client::pending::Pending;
use crate::link::Link;

/// Calls that leave together: added calls wait in the output of their connection until [`Batch::send`] writes them at
/// once. Replies come as they come.
///
/// ```no_run
/// # use rpc_runtime::{Batch, Call};
/// # async fn f(first: Call<u64>, second: Call<String>) -> rpc_runtime::Result<()> {
/// let mut batch = Batch::new();
/// let number = batch.add(first);
/// let text = batch.add(second);
/// batch.send();
/// println!("{} {}", number.await?, text.await?);
/// # Ok(()) }
/// ```
///
/// Dropping a batch sends it. A call on a channel without a connection starts on its own.
#[derive(Debug, Default)]
pub struct Batch {
    links: Vec<Arc<Link>>,
}

impl Batch {
    /// Makes a batch without calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a call; what comes back waits for [`Batch::send`].
    pub fn add<T: 'static, E: 'static>(&mut self, call: Call<T, E>) -> Pending<T, E> {
        let future = call.start_unflushed();
        if let Some(link) = future.link()
            && !self.links.iter().any(|known| Arc::ptr_eq(known, link))
        {
            self.links.push(link.clone());
        }
        Pending::new(future)
    }

    /// Writes everything that was added.
    pub fn send(self) {}

    /// Sends calls of one kind together; the answers are in the same order.
    pub fn start<T: 'static, E: 'static>(
        calls: impl IntoIterator<Item = Call<T, E>>,
    ) -> Vec<Pending<T, E>> {
        let mut batch = Self::new();
        calls.into_iter().map(|call| batch.add(call)).collect()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for link in self.links.drain(..) {
            link.flush();
        }
    }
}
