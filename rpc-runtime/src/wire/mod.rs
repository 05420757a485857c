//! The protocol without sockets and clocks: bytes and time in, bytes and events out.
//!
//! Read in this order: [`frame`] (what one frame looks like), [`hello`] (what both sides say first), [`inbound`]
//! (received bytes to frames), [`run`] (items that come together), [`pieces`] (cut bodies to whole ones), [`outbound`]
//! (frames to bytes, and which of them the kernel has), [`calls`] (our calls on their way, and what is known of each),
//! [`streams`] (items and credit), [`on_the_way`] (how many large calls at once), [`sending`] (a call and its items into the
//! output), [`deadlines`] (when calls of the peer must end), [`budgets`] (what a peer may have us do for nothing),
//! [`compression`]. `link/` puts a socket under it, `client/blocking/` another one.

pub(crate) mod body;
pub(crate) mod budgets;
pub(crate) mod by_id;
pub(crate) mod calls;
pub(crate) mod compression;
pub(crate) mod deadlines;
pub(crate) mod frame;
pub(crate) mod hello;
pub(crate) mod inbound;
pub(crate) mod on_the_way;
pub(crate) mod outbound;
pub(crate) mod pieces;
pub(crate) mod run;
pub(crate) mod sending;
pub(crate) mod streams;

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
