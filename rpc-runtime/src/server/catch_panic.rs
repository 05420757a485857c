//! Ends a handler that panics instead of the task that polls it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::server::incoming::Answer;

/// A handler whose panic is an end like any other: what it held is dropped, and the call in it answers by that.
pub(crate) struct CatchPanic(pub(crate) Answer);

impl Future for CatchPanic {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) | Err(_) => Poll::Ready(()),
        }
    }
}
