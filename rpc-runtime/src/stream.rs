//! Ways to make streams: from what is there, or from another task.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;

/// Makes a stream of what an iterator gives.
///
/// ```
/// use rpc_runtime::stream;
///
/// let numbers = stream::iter(1..=3);
/// # let _ = numbers;
/// ```
pub fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter(items.into_iter())
}

/// What [`iter`] makes.
#[derive(Clone, Debug)]
pub struct Iter<I>(I);

impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// Makes a stream that is written from elsewhere: what is sent into one end comes out of the other. At most `capacity`
/// items (1 at least) wait in between.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use rpc_runtime::stream;
///
/// let (sender, receiver) = stream::pipe(8);
/// tokio::spawn(async move {
///     for number in 0..100 {
///         if sender.send(number).await.is_err() {
///             return; // nobody reads any more
///         }
///     }
/// });
/// # drop(receiver);
/// # }
/// ```
pub fn pipe<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (Sender(sender), Receiver(receiver))
}

/// The writing end of a [`pipe`]. The stream ends when the last clone of it is dropped.
pub struct Sender<T>(mpsc::Sender<T>);

/// The reading end of a [`pipe`]. Dropping it tells the writers.
pub struct Receiver<T>(mpsc::Receiver<T>);

/// Nobody reads the stream any more; here is what could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed<T>(pub T);

impl<T> Sender<T> {
    /// Sends an item, waiting for room. Dropping the future sends nothing.
    ///
    /// # Errors
    ///
    /// Nobody reads any more.
    pub async fn send(&self, item: T) -> Result<(), Closed<T>> {
        self.0.send(item).await.map_err(|error| Closed(error.0))
    }

    /// Completes when nobody reads any more. Dropping the future does nothing.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the stream any more")
    }
}

impl<T: fmt::Debug> std::error::Error for Closed<T> {}
