//! Futures and tasks of few types, so that a program holds their code once.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};

/// Something to wait for, whatever it is: the compiler makes everything around each type of future anew.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Boxes what is waited for rarely. What awaits it does not hold all of it, and there is one of it in the program.
pub(crate) fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> Work<'a, T> {
    Box::pin(future)
}

/// Runs what takes long on a task of its own. One box more costs nothing beside that; another type of task would bring
/// some 10 KiB of the scheduler's code.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(boxed(work))
}

/// The same on a given runtime.
pub(crate) fn spawn_on(runtime: &Handle, work: Work<'static, ()>) -> JoinHandle<()> {
    runtime.spawn(work)
}

/// Work that somebody waits for on a task of its own. Dropping it ends the task.
pub(crate) struct Task<T> {
    outcome: oneshot::Receiver<T>,
    task: AbortHandle,
}

impl<T: Send + 'static> Task<T> {
    pub(crate) fn start(runtime: &Handle, work: Work<'static, T>) -> Self {
        let (done, outcome) = oneshot::channel();
        let task = spawn_on(runtime, boxed(async move { drop(done.send(work.await)) }));
        Self {
            outcome,
            task: task.abort_handle(),
        }
    }
}

impl<T> Future for Task<T> {
    /// `None` if the runtime has ended before.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(ready!(Pin::new(&mut self.outcome).poll(cx)).ok())
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
