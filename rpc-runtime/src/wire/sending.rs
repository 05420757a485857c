//! What goes out for a request: its CALL, whole or cut, and the items of its stream.

use std::task::Waker;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Execution};
use crate::object::Loan;
use crate::wire::body::Body;
use crate::wire::calls::Calls;
use crate::wire::frame::{self, CallFrame, HEADER, Kind, LENGTH_FIELD, flag};
use crate::wire::hello::Hello;
use crate::wire::outbound::{Outbound, PIECE, WHOLE};
use crate::wire::streams::{Key, Leave, SMALLEST_WINDOW, Side, Streams};

/// Whether a body of this length, behind so much of fixed part and metadata, goes to this peer in pieces.
pub(crate) fn is_cut(before: usize, length: usize, peer: &Hello) -> bool {
    let frame = HEADER - LENGTH_FIELD + before + length;
    (length > WHOLE || frame > peer.max_frame as usize) && peer.max_message > 0
}

fn is_call_cut(call: &CallFrame<'_>, peer: &Hello) -> bool {
    let before = frame::call_len(call) - HEADER - call.params_len();
    is_cut(before, call.params_len(), peer)
}

/// Whether the peer takes a call of this length.
///
/// # Errors
///
/// `resource_exhausted`, not sent.
pub(crate) fn check_length(call: &CallFrame<'_>, peer: &Hello, name: &str) -> Result<(), Error> {
    if call.flags & flag::STREAM_IN != 0 && !peer.takes_streams() {
        let windows = (peer.stream_window, peer.connection_window);
        let text = match windows {
            (0, 0) => format!(
                "{name} takes no streams: it speaks MessagePack-RPC, or has announced no windows for them"
            ),
            (stream, connection) => format!(
                "{name} takes no streams: the windows that it announces are {stream} and {connection} bytes; {SMALLEST_WINDOW} are the least"
            ),
        };
        return Err(Error::new(ErrorKind::Unimplemented, text).with_peer(name));
    }
    let (length, limit) = if is_call_cut(call, peer) {
        (call.params_len(), peer.max_message)
    } else {
        let length = frame::call_len(call) - frame::LENGTH_FIELD;
        (length, peer.max_frame)
    };
    if length as u64 <= u64::from(limit) {
        return Ok(());
    }
    let text = format!(
        "the call takes {length} bytes, {name} accepts {limit}; send less at once, or as a stream, or raise the limits there"
    );
    Err(Error::new(ErrorKind::ResourceExhausted, text)
        .with_peer(name)
        .hopeless())
}

/// Appends a call that fits, under an ID that was just taken. The time is told if its parameters are
/// [large](super::on_the_way::LARGE).
pub(crate) fn write_call(
    id: u32,
    call: &CallFrame<'_>,
    loans: &[Loan],
    (peer, large): (&Hello, Option<Instant>),
    (calls, out, streams): (&mut Calls, &mut Outbound, &mut Streams),
) {
    let start = out.end();
    let cut = is_call_cut(call, peer);
    let held = large.is_some_and(|now| is_held(id, call, cut, (peer, now), out));
    if held || cut {
        let front = CallFrame {
            flags: call.flags | flag::MORE,
            params: &[],
            large: None,
            ..*call
        };
        frame::write_call(out.buffer(), id, &front);
        // Not known before the last piece is cut.
        calls.sent_at(id, start, u64::MAX);
        let body = call.large.cloned().unwrap_or_else(|| {
            let mut params = call.params.to_vec();
            loans.iter().for_each(|loan| loan.fill(&mut params));
            Body::new(params, Vec::new())
        });
        let key = (Side::Ours, id);
        if held {
            out.hold_body(key, body);
        } else {
            out.add_body(key, body);
        }
    } else {
        frame::write_call(out.buffer(), id, call);
        let buffer = out.buffer();
        let params_at = buffer.len() - call.params.len();
        loans
            .iter()
            .for_each(|loan| loan.fill(&mut buffer[params_at..]));
        if let Some(large) = call.large {
            out.append(large);
        }
        let end = out.end();
        calls.sent_at(id, start, end);
    }
    let (sends, receives) = (
        call.flags & flag::STREAM_IN != 0,
        call.flags & flag::STREAM_OUT != 0,
    );
    if sends || receives {
        streams.open((Side::Ours, id), receives, sends);
    }
}

/// Whether a large call has to wait; else it is noted that it goes out. One that cannot be cut does not wait, and one to which
/// nothing comes back says nothing about its peer.
#[cold]
fn is_held(
    id: u32,
    call: &CallFrame<'_>,
    cut: bool,
    (peer, now): (&Hello, Instant),
    out: &mut Outbound,
) -> bool {
    let length = call.params_len();
    let may_wait = length as u64 <= u64::from(peer.max_message);
    if !may_wait || call.flags & flag::ONE_WAY != 0 || !out.is_paced() {
        return false;
    }
    if !out.has_room(now) {
        return true;
    }
    out.begins(id, length, now);
    if !cut {
        out.is_out(id, now);
    }
    false
}

/// Flags of ITEM, DATA and CREDIT frames that we send for a request.
pub(crate) fn sender(key: Key) -> u8 {
    match key.0 {
        Side::Ours => 0,
        Side::Theirs => flag::CALLEE,
    }
}

/// One item after the other on its way out, whole or in pieces.
#[derive(Debug)]
pub(crate) struct Sending {
    key: Key,
    body: Vec<u8>,
    at: usize,
    begun: bool,
    /// [`flag::COMPRESSED`] if it is.
    packed: u8,
}

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    All,
    /// There is no credit for more.
    Wait,
    /// The reader is gone, or the request is over.
    Stopped,
    /// Too much of our output is unread.
    NoRoom,
}

impl Sending {
    /// Items of a call of ours.
    pub(crate) fn ours(id: u32) -> Self {
        Self::new((Side::Ours, id))
    }

    /// Items of the answer to a call of the peer.
    pub(crate) fn theirs(id: u32) -> Self {
        Self::new((Side::Theirs, id))
    }

    fn new(key: Key) -> Self {
        Self {
            key,
            body: Vec::new(),
            at: 0,
            begun: false,
            packed: 0,
        }
    }

    /// The empty body of the next item, to be filled.
    pub(crate) fn next_body(&mut self) -> &mut Vec<u8> {
        if self.body.capacity() > PIECE {
            self.body = Vec::new();
        }
        self.body.clear();
        (self.at, self.begun, self.packed) = (0, false, 0);
        &mut self.body
    }

    /// The body of the next item as it is to be sent.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Sends this instead, which is the same compressed.
    pub(crate) fn replace_by_packed(&mut self, packed: Vec<u8>) {
        (self.body, self.packed) = (packed, flag::COMPRESSED);
    }

    /// Whether the peer takes the item that was written into the body.
    ///
    /// # Errors
    ///
    /// `resource_exhausted`: nothing of the item was sent, but the call was, and may be at work.
    pub(crate) fn check_item(&self, peer: &Hello, name: &str) -> Result<(), Error> {
        let length = self.body.len();
        if length <= peer.whole() || length as u64 <= u64::from(peer.max_message) {
            return Ok(());
        }
        let text = format!(
            "an item takes {length} bytes, {name} accepts {}; send smaller items, or raise `Limits::max_message_bytes` there",
            peer.max_message
        );
        let error = Error::new(ErrorKind::ResourceExhausted, text);
        Err(error.with_execution(Execution::Unknown).with_peer(name))
    }

    /// Sends as much as there is credit for and room, up to `queue` unsent bytes.
    pub(crate) fn advance(
        &mut self,
        streams: &mut Streams,
        out: &mut Outbound,
        queue: u64,
        by: Option<&Waker>,
    ) -> Sent {
        let key = self.key;
        loop {
            if out.queued() > queue {
                return if streams.is_stopped(key) {
                    Sent::Stopped
                } else {
                    Sent::NoRoom
                };
            }
            let left = self.body.len() - self.at;
            let whole = !self.begun && left <= streams.largest_whole();
            // The front of a cut item is empty.
            let wanted = match (whole, self.begun) {
                (true, _) => left,
                (false, true) => left.min(streams.piece()),
                (false, false) => 0,
            };
            let given = match streams.leave(key, wanted, whole, by) {
                Leave::Bytes(given) => given,
                Leave::Stopped => return Sent::Stopped,
                Leave::Wait => return Sent::Wait,
            };
            if whole {
                frame::write_item(out.buffer(), sender(key) | self.packed, key.1, &self.body);
                return Sent::All;
            }
            if !self.begun {
                self.begun = true;
                frame::write_front(out.buffer(), Kind::Item, sender(key) | self.packed, key.1);
                continue;
            }
            let piece = &self.body[self.at..self.at + given];
            self.at += given;
            let last = self.at == self.body.len();
            let more = if last { 0 } else { flag::MORE };
            let flags = sender(key) | flag::OF_ITEM | more;
            frame::write_data(out.buffer(), flags, key.1, piece);
            if last {
                return Sent::All;
            }
        }
    }
}
