//! Streams as the synchronous client sees them: an iterator, and an exchange.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::thread;

use super::BlockingChannel;
use super::connection::Connection;
use crate::breaker::Pass;
use crate::client::request::Prepared;
use crate::client::retry::{Stage, Tried};
use crate::client::returns::Returns;
use crate::codec::Codec;
use crate::descriptor::MethodDescriptor;
use crate::error::{CallError, Error, ErrorKind, Execution, Result};
use crate::link::Event;
use crate::wire::calls::Answer;
use crate::wire::sending::Sending;

/// The stream that a call answers with, read by a thread that may wait: an iterator of `Result<T, CallError<E>>`.
///
/// What ends the stream too early is an `Err`, after which nothing comes. Dropping it cancels the call.
#[must_use = "dropping a stream cancels it"]
pub struct BlockingItems<T, E = Infallible> {
    open: Option<Open>,
    returns: Returns<T, E>,
    method: &'static MethodDescriptor,
}

/// A call that sends and answers with a stream, driven by one thread: [`BlockingExchange::send`], and the items of the
/// answer as an iterator.
///
/// Sending waits while the peer leaves too much unread; if it waits for this side to read at the same time, only a time
/// limit ends that. Dropping it cancels the call.
#[must_use = "dropping an exchange cancels it"]
pub struct BlockingExchange<I, T, E = Infallible> {
    items: BlockingItems<T, E>,
    codec: Codec<I>,
    sending: Sending,
    finished: bool,
}

/// A call with streams that is on its way. Dropping it cancels the call.
struct Open {
    connection: Arc<Connection>,
    id: u32,
    pass: Pass,
    /// An item has come.
    heard: bool,
    prepared: Prepared,
}

impl Open {
    /// The next item, or the end, with a word to the circuit breaker.
    fn next_event(&mut self) -> Event {
        let event = self.connection.next_event(self.id, self.prepared.deadline);
        match &event {
            Event::Item(_) => {
                self.heard = true;
                // A stream may go on for long: a probe has shown enough.
                if self.pass.is_probe()
                    && let Some(breaker) = &self.connection.breaker
                {
                    breaker.succeeded(std::mem::take(&mut self.pass));
                }
            }
            // It may be meant to run out of time.
            Event::Over(Answer::Failed(error))
                if self.heard && error.kind() == ErrorKind::DeadlineExceeded => {}
            Event::Over(answer) => self
                .connection
                .settle(std::mem::take(&mut self.pass), answer),
        }
        event
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connection.give_pass_back(self.pass);
        self.connection.abandon(self.id);
    }
}

impl<T, E> Iterator for BlockingItems<T, E> {
    type Item = Result<T, CallError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.open.as_mut()?.next_event() {
            Event::Item(body) => {
                let item = self.returns.decode(Answer::Result(body), self.method);
                if item.is_err() {
                    // What cannot be read now will not be read later.
                    self.open = None;
                }
                Some(item)
            }
            Event::Over(answer) => {
                self.open = None;
                match answer {
                    Answer::Result(_) | Answer::Lent(_) => None,
                    answer => Some(self.returns.decode(answer, self.method)),
                }
            }
        }
    }
}

impl<I, T, E> BlockingExchange<I, T, E> {
    /// Sends an item, waiting while the peer leaves too much unread.
    ///
    /// # Errors
    ///
    /// The peer reads no more, or the time is up: what the call has come to is told by the iterator. It was said before
    /// that nothing more is sent ([`BlockingExchange::finish`]): `failed_precondition`. The item is larger than the peer
    /// takes: `resource_exhausted`, and the exchange goes on.
    pub fn send(&mut self, item: &I) -> Result<()> {
        let method = self.items.method;
        if self.finished {
            let text = "an item after `finish`: call `finish` when nothing more is to be sent";
            return Err(Error::new(ErrorKind::FailedPrecondition, text).in_call(method));
        }
        let stopped = || {
            let text = "the peer reads no more of this stream; its answer says why";
            let error = Error::new(ErrorKind::Cancelled, text);
            error.with_execution(Execution::Unknown).in_call(method)
        };
        let open = self.items.open.as_ref().ok_or_else(stopped)?;
        (self.codec.encode)(item, self.sending.next_body());
        let checked = open.connection.check_item(&self.sending);
        checked.map_err(|error| error.in_call(method))?;
        if open
            .connection
            .send_item(&mut self.sending, open.prepared.deadline)
        {
            Ok(())
        } else {
            Err(stopped())
        }
    }

    /// Says that nothing more is sent; the answers go on. Saying it again does nothing.
    pub fn finish(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if let Some(open) = &self.items.open {
            open.connection.send_end(open.id);
        }
    }
}

impl<I, T, E> Iterator for BlockingExchange<I, T, E> {
    type Item = Result<T, CallError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.items.next()
    }
}

impl BlockingChannel {
    /// Makes a call whose answer is a stream. Generated clients call this.
    ///
    /// # Errors
    ///
    /// It could not be sent; what happens later is told by the iterator.
    #[doc(hidden)]
    pub fn stream<T, E>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<BlockingItems<T, E>, CallError<E>> {
        let open = Some(self.open_streams(method, params)?);
        Ok(BlockingItems {
            open,
            returns,
            method,
        })
    }

    /// Makes a call that sends what an iterator gives, and waits for its answer. Generated clients call this.
    ///
    /// # Errors
    ///
    /// What the call failed with.
    #[doc(hidden)]
    pub fn upload<T, E, I>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        items: impl IntoIterator<Item = I>,
        codec: Codec<I>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<T, CallError<E>> {
        // If the iterator panics, this is dropped, which cancels the call: half of a stream is not the stream.
        let mut open = self.open_streams(method, params)?;
        let mut sending = Sending::ours(open.id);
        let mut all = true;
        for item in items {
            (codec.encode)(&item, sending.next_body());
            let checked = open.connection.check_item(&sending);
            checked.map_err(|error| error.in_call(method))?;
            all = open
                .connection
                .send_item(&mut sending, open.prepared.deadline);
            if !all {
                break;
            }
        }
        if all {
            open.connection.send_end(open.id);
        }
        let pass = std::mem::take(&mut open.pass);
        let answer = open.connection.wait(open.id, pass, open.prepared.deadline);
        returns.decode(answer, method)
    }

    /// Makes a call that sends a stream and whose answer is one. Generated clients call this.
    ///
    /// # Errors
    ///
    /// It could not be sent; what happens later is told by the iterator.
    #[doc(hidden)]
    pub fn exchange<I, T, E>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        codec: Codec<I>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<BlockingExchange<I, T, E>, CallError<E>> {
        let open = self.open_streams(method, params)?;
        let sending = Sending::ours(open.id);
        let items = BlockingItems {
            open: Some(open),
            returns,
            method,
        };
        Ok(BlockingExchange {
            items,
            codec,
            sending,
            finished: false,
        })
    }

    /// Sends the CALL; tries other addresses as long as nothing was sent.
    fn open_streams(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Open> {
        let mut prepared = self.prepare(method, params)?;
        let mut tried = Tried::default();
        loop {
            let connection = self
                .reach(&mut prepared, &mut tried)
                .map_err(|error| error.in_call(method))?;
            let error = match connection.begin_streams(&prepared) {
                Ok((id, pass)) => {
                    return Ok(Open {
                        connection,
                        id,
                        pass,
                        heard: false,
                        prepared,
                    });
                }
                Err(error) => error,
            };
            tried.pass_over(connection.peer());
            let pause = tried
                .after(&mut prepared, &self.shared.retry, Stage::Calling, error)
                .map_err(|error| error.in_call(method))?;
            thread::sleep(pause);
        }
    }
}

impl<T, E> fmt::Debug for BlockingItems<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.open.is_some() { "open" } else { "over" };
        write!(f, "BlockingItems({}, {state})", self.method)
    }
}

impl<I, T, E> fmt::Debug for BlockingExchange<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockingExchange({:?})", self.items)
    }
}
