//! Waits on a thread that has no async runtime.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};

/// A waker that ends [`thread::park`] of the thread that asked for it.
pub(crate) fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
