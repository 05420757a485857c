//! Calls to which nothing comes back.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::client::call::polled_again;
use crate::client::channel::Channel;
use crate::client::request::Request;
use crate::error::{Error, Result};
use crate::security::Token;
use crate::task::{Work, boxed};

/// A one-way call that has not started: `.await` it to know that it was handed to a connection, or
/// [`OneWay::forget`] it. Dropping it before that does nothing.
#[must_use = "a call does nothing until it is awaited or forgotten"]
pub struct OneWay {
    channel: Channel,
    request: Request,
    mistake: Option<Error>,
}

impl OneWay {
    pub(crate) fn new(channel: Channel, request: Request) -> Self {
        Self::of(channel, request, None)
    }

    pub(crate) fn of(channel: Channel, request: Request, mistake: Option<Error>) -> Self {
        Self {
            channel,
            request,
            mistake,
        }
    }

    /// Limits the time for connecting and sending, and for the handler.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.options = self.request.options.timeout(limit);
        self
    }

    /// Sends an entry beside the parameters; see [`Call::metadata`](crate::Call::metadata).
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        if let Err(error) = self.request.options.metadata.insert(key, value) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Shows this token with the call (metadata key `authorization`), instead of the connection's. It is sent where
    /// [`ChannelBuilder::token`](crate::ChannelBuilder::token) sends one, else the call fails with
    /// `failed_precondition`.
    pub fn token(mut self, token: Token) -> Self {
        self.request.options = self.request.options.token(token);
        self
    }

    /// Sends it now, without saying whether that worked.
    pub fn forget(self) {
        let channel = self.channel.clone();
        let mut future = self.into_future();
        if let OneWayFuture(State::Slow(_)) = &future {
            channel.spawn(boxed(async move {
                let _ = Pin::new(&mut future).await;
            }));
        }
    }
}

impl IntoFuture for OneWay {
    type Output = Result<()>;
    type IntoFuture = OneWayFuture;

    /// Hands the call over if that needs no waiting; the future does the rest.
    fn into_future(self) -> OneWayFuture {
        let sent = match self.mistake {
            Some(mistake) => Err(mistake),
            None => self
                .request
                .prepare(self.channel.limits())
                .and_then(|prepared| {
                    let prepared = prepared.one_way();
                    let sent = self.channel.try_send(&prepared)?;
                    Ok((!sent).then_some(prepared))
                }),
        };
        OneWayFuture(match sent {
            Ok(None) => State::Ended(Some(Ok(()))),
            Ok(Some(prepared)) => State::Slow(self.channel.send(prepared)),
            Err(error) => State::Ended(Some(Err(error))),
        })
    }
}

/// A one-way call being handed over. Dropping it gives up what was not handed over.
#[must_use = "futures do nothing unless awaited"]
pub struct OneWayFuture(State);

enum State {
    Ended(Option<Result<()>>),
    Slow(Work<'static, Result<()>>),
}

impl Future for OneWayFuture {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.0 {
            State::Ended(outcome) => {
                Poll::Ready(outcome.take().unwrap_or_else(|| Err(polled_again())))
            }
            State::Slow(rest) => rest.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for OneWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneWay({} on {:?})", self.request.method, self.channel)
    }
}

impl fmt::Debug for OneWayFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneWayFuture")
    }
}
