//! A call whose answer is a stream, before it starts.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::client::channel::Channel;
use crate::client::items::{Answering, Items};
use crate::client::options::CallOptions;
use crate::client::pending::Callback;
use crate::client::request::Request;
use crate::client::retry::{RetryPolicy, Tried};
use crate::client::returns::Returns;
use crate::error::{CallError, Error, Result};
use crate::security::Token;
use crate::task::boxed;

/// A call whose answer is a stream and that has not started. It is finished in one of three ways:
///
/// | mode | how |
/// |---|---|
/// | asynchronous | `.await` gives [`Items`] when the call was handed to a connection |
/// | handle | [`StreamCall::start`] gives [`Items`] at once; what goes wrong is their first item |
/// | callback | [`StreamCall::on_item`] |
///
/// The blocking client has the same methods as plain functions that give an iterator. A streaming call has no time limit
/// unless one is given; a peer that is gone is found out by pings.
///
/// Dropping it before that does nothing.
#[must_use = "a call does nothing until it is awaited or started"]
pub struct StreamCall<T, E = Infallible> {
    channel: Channel,
    request: Request,
    returns: Returns<T, E>,
    /// A mistake in an option, told when the call is made.
    mistake: Option<Error>,
}

impl<T, E> StreamCall<T, E> {
    pub(crate) fn new(channel: Channel, request: Request, returns: Returns<T, E>) -> Self {
        Self {
            channel,
            request,
            returns,
            mistake: None,
        }
    }

    /// Limits the time of the whole call, from now to the last item.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.options = self.request.options.timeout(limit);
        self
    }

    /// Lets the call take for ever, which is the default unless the definition says otherwise.
    pub fn no_timeout(mut self) -> Self {
        self.request.options = self.request.options.no_timeout();
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

    /// Says that this call may run twice, although its definition does not say so. It matters until the first item.
    pub fn idempotent(mut self) -> Self {
        self.request.options = self.request.options.idempotent();
        self
    }

    /// Replaces the channel's [`RetryPolicy`] for this call, all but its budget. It matters until the first item.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.request.options = self.request.options.retry(policy);
        self
    }

    /// Makes one attempt: whatever fails, the call fails with it at once.
    pub fn no_retry(self) -> Self {
        self.retry(RetryPolicy::none())
    }

    /// Replaces all options at once.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.request.options = options;
        self
    }

    /// Starts the call now. What goes wrong is the first item. Dropping the items cancels the call.
    pub fn start(self) -> Items<T, E> {
        let (method, returns) = (self.request.method, self.returns);
        let prepared = match self.mistake {
            Some(mistake) => Err(mistake),
            None => self.request.prepare(self.channel.limits()),
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Items::failed(error, returns, method),
        };
        match self.channel.try_begin(&prepared, true, None) {
            Ok(Some(ticket)) => {
                let answering = Answering {
                    channel: self.channel,
                    prepared,
                    ticket,
                    tried: Tried::default(),
                    any: false,
                };
                Items::answering(answering, returns, method)
            }
            Ok(None) => Items::beginning(&self.channel, prepared, returns),
            Err(error) => Items::failed(error, returns, method),
        }
    }

    /// Starts the call now; `then` gets each item, and the error if there is one, on a task of the channel's runtime.
    /// Dropping the handle does not cancel the call; [`Callback::cancel`] does.
    pub fn on_item(self, mut then: impl FnMut(Result<T, CallError<E>>) + Send + 'static) -> Callback
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let channel = self.channel.clone();
        let mut items = self.start();
        let work = async move {
            while let Some(item) = items.next().await {
                then(item);
            }
        };
        Callback::new(channel.spawn(boxed(work)).abort_handle())
    }
}

impl<T: 'static, E: 'static> IntoFuture for StreamCall<T, E> {
    type Output = Result<Items<T, E>, CallError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            channel,
            request,
            returns,
            mistake,
        } = self;
        Box::pin(async move {
            let method = request.method;
            let begun = async {
                if let Some(mistake) = mistake {
                    return Err(mistake);
                }
                let prepared = request.prepare(channel.limits())?;
                channel.begin(prepared, Tried::default()).await
            };
            match begun.await {
                Ok(answering) => Ok(Items::answering(answering, returns, method)),
                Err(error) => Err(CallError::Failed(error.in_call(method))),
            }
        })
    }
}

impl<T, E> fmt::Debug for StreamCall<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "StreamCall({} on {:?})",
            self.request.method, self.channel
        )
    }
}
