//! Futures and tasks of few types: the compiler makes everything around each type anew.

use std::pin::Pin;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Something to wait for, whatever it is.
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
pub(crate) fn spawn_on<T: Send + 'static>(
    runtime: &Handle,
    work: Work<'static, T>,
) -> JoinHandle<T> {
    runtime.spawn(work)
}
