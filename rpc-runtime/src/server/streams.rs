//! Streams of a call at the callee: the parameter that is one, and the answer that is one.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_core::Stream;

use crate::client::{Items, Turn};
use crate::codec::{Codec, ErrorCodec};
use crate::link::Responder;
use crate::server::incoming::{Incoming, Outgoing};
use crate::wire::sending::Sending;

impl Incoming {
    /// The stream that the caller sends. Dropping it tells the caller to send no more.
    pub fn items<T>(&self, codec: Codec<T>) -> Items<T> {
        let method = self.context().method();
        match self.responder() {
            Some(responder) => {
                Items::given(responder.link().clone(), responder.key(), codec, method)
            }
            None => Items::failed(
                crate::client::no_streams(),
                crate::client::Returns::plain(codec),
                method,
            ),
        }
    }

    /// Waits until the caller has taken enough of earlier answers.
    pub async fn room(&self) {
        if let Some(responder) = self.responder()
            && responder.link().is_crowded()
        {
            responder.link().until_writable().await;
        }
    }

    /// Answers with a stream.
    pub async fn stream<T>(&self, items: impl Stream<Item = T>, codec: Codec<T>) -> Outgoing {
        let Some(responder) = self.responder() else {
            return self.unserved();
        };
        let mut items = pin!(items);
        let mut sending = Sending::theirs(responder.key().1);
        let mut turn = Turn::default();
        loop {
            let next = poll_fn(|cx| flush_when_idle(responder, items.as_mut().poll_next(cx)));
            let Some(item) = next.await else {
                return self.done();
            };
            (codec.encode)(&item, sending.next_body());
            if !responder.link().send_item(&mut sending).await {
                return self.done();
            }
            turn.next(responder.link()).await;
        }
    }

    /// Answers with a stream that may end with the declared error.
    pub async fn stream_results<T, E>(
        &self,
        items: impl Stream<Item = Result<T, E>>,
        codec: Codec<T>,
        error: ErrorCodec<E>,
    ) -> Outgoing {
        let Some(responder) = self.responder() else {
            return self.unserved();
        };
        let mut items = pin!(items);
        let mut sending = Sending::theirs(responder.key().1);
        let mut turn = Turn::default();
        loop {
            let next = poll_fn(|cx| flush_when_idle(responder, items.as_mut().poll_next(cx)));
            match next.await {
                None => return self.done(),
                Some(Err(declared)) => return self.reply_error(&declared, error),
                Some(Ok(item)) => (codec.encode)(&item, sending.next_body()),
            }
            if !responder.link().send_item(&mut sending).await {
                return self.done();
            }
            turn.next(responder.link()).await;
        }
    }
}

fn flush_when_idle<T>(responder: &Responder, next: Poll<T>) -> Poll<T> {
    if next.is_pending() {
        responder.link().flush();
    }
    next
}
