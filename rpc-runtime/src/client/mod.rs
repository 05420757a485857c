//! The caller's side: channels, calls and the ways to finish one.

mod batch;
mod blocking;
mod builder;
mod call;
mod channel;
mod direct;
mod items;
mod local;
mod one_way;
mod options;
mod pending;
mod profile;
mod request;
mod retry;
mod returns;
mod stream_call;
mod upload;
mod view;

pub(crate) use direct::Direct;
pub(crate) use items::no_streams;
pub(crate) use profile::Profile;
pub(crate) use request::{Prepared, Request};
pub(crate) use retry::{Tried, first_over};
pub(crate) use upload::Turn;

pub use batch::Batch;
pub use blocking::{BlockingChannel, BlockingChannelBuilder, BlockingExchange, BlockingItems};
pub use builder::ChannelBuilder;
pub use call::{Call, CallFuture};
pub use channel::Channel;
pub use items::{Items, Unbroken};
pub use one_way::{OneWay, OneWayFuture};
pub use options::CallOptions;
pub use pending::{Callback, Pending};
pub use retry::RetryPolicy;
pub use returns::Returns;
pub use stream_call::StreamCall;
pub use view::{View, Views};
