//! Items that a caller sends: pulled from its stream as far as there is credit, on a task of their own.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::codec::Codec;
use crate::error::{Error, ErrorKind, Execution};
use crate::link::{Link, Ticket};
use crate::task::{Work, boxed, spawn_on};
use crate::wire::sending::Sending;

/// Items sent or encoded in one turn, so that a stream that is always ready leaves others a turn too.
const ITEMS: usize = 64;

/// What was sent is written after this, however little it is.
const LONGEST_WAIT: Duration = Duration::from_millis(1);

/// The items of a call. They can be sent once: a stream cannot be run again.
#[derive(Clone)]
pub(crate) struct Upload(Arc<Mutex<Option<Source>>>);

/// Appends the next item to a buffer; `false` after the last one.
type Source = Pin<Box<dyn Encoded + Send>>;

trait Encoded {
    fn poll_item(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<bool>;

    /// Sends all of them. It is asked for here, so that only programs that send streams have the code for it.
    fn send(self: Pin<Box<Self>>, link: Arc<Link>, id: u32) -> Work<'static, ()>;
}

struct Items<S, T> {
    items: Pin<Box<S>>,
    codec: Codec<T>,
}

impl<S, T> Encoded for Items<S, T>
where
    S: Stream<Item = T> + Send + 'static,
    T: 'static,
{
    fn poll_item(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<bool> {
        let next = self.items.as_mut().poll_next(cx);
        next.map(|item| match item {
            Some(item) => {
                (self.codec.encode)(&item, out);
                true
            }
            None => false,
        })
    }

    fn send(self: Pin<Box<Self>>, link: Arc<Link>, id: u32) -> Work<'static, ()> {
        boxed(send(link, id, self))
    }
}

impl Upload {
    pub(crate) fn new<S, T>(items: S, codec: Codec<T>) -> Self
    where
        S: Stream<Item = T> + Send + 'static,
        T: 'static,
    {
        let items = Box::pin(items);
        let source: Source = Box::pin(Items { items, codec });
        Self(Arc::new(Mutex::new(Some(source))))
    }

    /// Whether an attempt has begun to send the items.
    pub(crate) fn has_begun(&self) -> bool {
        self.lock().is_none()
    }

    /// Begins to send the items of a call; they stop when its ticket is dropped or its answer is taken.
    pub(crate) fn begin(&self, ticket: &mut Ticket, runtime: &Handle) {
        let Some(source) = self.lock().take() else {
            return;
        };
        let (link, id) = (ticket.link().clone(), ticket.id());
        let sending = source.send(link, id);
        ticket.sends(spawn_on(runtime, sending).abort_handle());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upload")
    }
}

/// What a stream to send comes up with.
enum Next {
    Item,
    End,
    /// Nothing, and nobody would read it.
    Stopped,
}

/// Leaves others a turn after some items, and has what was sent written: often enough for who waits for it, and not so often
/// that a write carries next to nothing.
#[derive(Default)]
pub(crate) struct Turn {
    items: usize,
    /// The latest turn that was written.
    written: Option<Instant>,
}

impl Turn {
    /// After each item.
    pub(crate) async fn next(&mut self, link: &Link) {
        self.items += 1;
        if !self.items.is_multiple_of(ITEMS) {
            return;
        }
        let now = Instant::now();
        let written = *self.written.get_or_insert(now);
        if now - written >= LONGEST_WAIT || link.has_much() {
            link.flush();
            self.written = Some(now);
        }
        yield_now().await;
    }
}

async fn send(link: Arc<Link>, id: u32, mut source: Source) {
    link.until_call_is_out(id).await;
    let mut sending = Sending::ours(id);
    let mut turn = Turn::default();
    loop {
        let body = sending.next_body();
        let next = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| source.as_mut().poll_item(cx, body)));
            match polled {
                Ok(Poll::Pending) => {
                    // Nothing more comes in this turn.
                    link.flush();
                    link.poll_stopped(id, cx).map(|()| Ok(Next::Stopped))
                }
                Ok(Poll::Ready(true)) => Poll::Ready(Ok(Next::Item)),
                Ok(Poll::Ready(false)) => Poll::Ready(Ok(Next::End)),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        });
        match next.await {
            Ok(Next::Item) => {
                if let Err(error) = sending.check_item(link.peer_hello(), link.peer()) {
                    return link.give_up_call(id, error);
                }
            }
            Ok(Next::End) => return link.send_end(id),
            Ok(Next::Stopped) => return,
            Err(panic) => return link.give_up_call(id, panicked(&*panic)),
        }
        if !link.send_item(&mut sending).await {
            return;
        }
        turn.next(&link).await;
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::new(
        ErrorKind::Cancelled,
        format!("the stream of items to send panicked: {text}"),
    )
    .with_execution(Execution::Unknown)
}
