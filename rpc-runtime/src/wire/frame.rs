//! One frame: a fixed header, what its kind adds, metadata, a body. The layout is docs/wire.md.

use std::fmt;
use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::error::Execution;
use crate::object::Lent;
use crate::wire::body::Body;

/// First bytes of a connection: no MessagePack array, no letter, no TLS record, then the name and the version.
pub(crate) const PREFACE: [u8; 8] = [0xab, b'R', b'P', b'C', b'I', b'D', b'L', VERSION];

/// Version of the protocol.
pub(crate) const VERSION: u8 = 1;

/// Bytes before what a kind adds: length, kind, flags, metadata length, request ID.
pub(crate) const HEADER: usize = 12;

/// What the length field does not count: itself.
pub(crate) const LENGTH_FIELD: usize = 4;

/// Kinds of frames. Bit 7 marks kinds that a peer may skip when it does not know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Hello = 1,
    Call = 2,
    Reply = 3,
    Fail = 4,
    Item = 5,
    End = 6,
    Data = 7,
    Credit = 8,
    Cancel = 9,
    Ping = 10,
    Pong = 11,
    GoAway = 12,
    Release = 13,
}

/// Set on kinds that a peer may skip when it does not know them.
pub(crate) const IGNORABLE: u8 = 0x80;

/// An ignorable kind that no version gives a meaning: padding.
pub(crate) const PADDING: u8 = 0xff;

/// Where the kind stands in a frame.
pub(crate) const KIND_AT: usize = 4;

/// Bits of the flags byte; their meaning depends on the kind.
pub(crate) mod flag {
    /// CALL: nothing is to be answered.
    pub(crate) const ONE_WAY: u8 = 0x01;
    /// CALL: a stream of items follows from the caller.
    pub(crate) const STREAM_IN: u8 = 0x02;
    /// CALL: the answer is a stream of items.
    pub(crate) const STREAM_OUT: u8 = 0x04;
    /// CALL, REPLY, ITEM, DATA: the body goes on in DATA frames.
    pub(crate) const MORE: u8 = 0x08;
    /// CALL: this is a repetition; do not repeat calls that it causes.
    pub(crate) const NO_RETRY: u8 = 0x10;
    /// CALL: an object ID (u64) follows the fixed part.
    pub(crate) const TARGET: u8 = 0x20;
    /// Any: the body is compressed.
    pub(crate) const COMPRESSED: u8 = 0x40;
    /// REPLY: the body is the declared error.
    pub(crate) const ERROR: u8 = 0x01;
    /// REPLY: the result is an object that the callee lends.
    pub(crate) const LENDS: u8 = 0x02;
    /// ITEM, DATA, CREDIT: the sender is the callee of the request, as request IDs are counted by each side for itself.
    pub(crate) const CALLEE: u8 = 0x01;
    /// DATA: a piece of an item, which counts on the windows.
    pub(crate) const OF_ITEM: u8 = 0x02;
    /// CREDIT: the reader is gone, send no more items.
    pub(crate) const STOP: u8 = 0x02;
}

impl Kind {
    #[inline]
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Hello,
            2 => Self::Call,
            3 => Self::Reply,
            4 => Self::Fail,
            5 => Self::Item,
            6 => Self::End,
            7 => Self::Data,
            8 => Self::Credit,
            9 => Self::Cancel,
            10 => Self::Ping,
            11 => Self::Pong,
            12 => Self::GoAway,
            13 => Self::Release,
            _ => return None,
        })
    }

    /// Bytes between the header and the metadata.
    #[inline]
    pub(crate) fn fixed_len(self, flags: u8) -> usize {
        match self {
            Self::Call => 12 + if flags & flag::TARGET != 0 { 8 } else { 0 },
            Self::Reply if flags & flag::ERROR != 0 => 8,
            Self::Fail | Self::Ping | Self::Pong => 8,
            Self::Credit => 4,
            Self::GoAway | Self::Release => 12,
            Self::Hello | Self::Reply | Self::Item | Self::End | Self::Data | Self::Cancel => 0,
        }
    }
}

/// A frame cut out of the input. Metadata and body are views of the read buffer.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) request_id: u32,
    pub(crate) fixed: Fixed,
    pub(crate) metadata: Bytes,
    pub(crate) body: Bytes,
}

/// What stands between the header and the metadata. A copy, because a view of so little would cost more.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fixed {
    /// What is behind the length is of no meaning.
    bytes: [u8; Self::LONGEST],
    length: u8,
}

impl Fixed {
    /// That of a CALL on an object.
    const LONGEST: usize = 20;

    /// Copies `length` bytes from the front; no kind has more than [`Fixed::LONGEST`].
    #[inline]
    pub(crate) fn new(from: &[u8], length: usize) -> Self {
        // A copy of a length that the compiler knows is two instructions.
        let bytes = from.first_chunk().copied().unwrap_or_else(|| {
            let mut bytes = [0; Self::LONGEST];
            bytes[..from.len()].copy_from_slice(from);
            bytes
        });
        let length = length.min(Self::LONGEST) as u8;
        Self { bytes, length }
    }

    /// The token of a PING or PONG.
    pub(crate) fn token(&self) -> u64 {
        self.as_ref().get_u64_le()
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl PartialEq for Fixed {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Fixed {}

impl AsRef<[u8]> for Fixed {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// What a CALL carries besides metadata and parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallPart {
    pub(crate) call_id: u64,
    /// Milliseconds left; 0 = no limit.
    pub(crate) remaining_ms: u32,
}

/// What a frame of a stream costs of the windows: its bytes on the wire.
pub(crate) fn cost(body: usize) -> u64 {
    (HEADER + body) as u64
}

/// What a FAIL, or a REPLY with a declared error, carries besides its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailPart {
    pub(crate) status: u8,
    pub(crate) execution: Execution,
    pub(crate) retryable: bool,
    /// Milliseconds to wait before another attempt; 0 = not said.
    pub(crate) retry_after_ms: u32,
}

/// What a GOAWAY carries besides its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GoAwayPart {
    /// Calls above this request ID are not and will not be started.
    pub(crate) last_id: u32,
    pub(crate) reason: GoAwayReason,
    /// Whether another GOAWAY with the real last ID follows.
    pub(crate) is_final: bool,
    /// Milliseconds to wait before connecting again; 0 = not said.
    pub(crate) reconnect_ms: u32,
}

/// Longest time for which a GOAWAY keeps its receiver away, whatever it says: who comes after it at the same address
/// could not take the word back. Twice what our servers ask for at most.
pub(crate) const LONGEST_SPREAD: Duration = Duration::from_secs(60);

impl GoAwayPart {
    /// The time over which connecting again is to be spread, as far as it is heeded.
    pub(crate) fn spread(&self) -> Duration {
        Duration::from_millis(u64::from(self.reconnect_ms)).min(LONGEST_SPREAD)
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum GoAwayReason {
    /// The server shuts down, or the connection is old enough. Go elsewhere.
    Shutdown = 0,
    /// What was received breaks the protocol.
    Protocol = 1,
    /// A frame is larger than announced.
    FrameTooLarge = 2,
    /// A limit on connections, time or counts.
    Limit = 3,
    /// The versions of both sides do not meet.
    Version = 4,
    /// Nothing was heard for too long.
    Idle = 5,
    /// Credentials are missing or wrong.
    Unauthenticated = 6,
}

impl GoAwayReason {
    pub(crate) fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Shutdown,
            2 => Self::FrameTooLarge,
            3 => Self::Limit,
            4 => Self::Version,
            5 => Self::Idle,
            6 => Self::Unauthenticated,
            _ => Self::Protocol,
        }
    }
}

impl Frame {
    /// The fixed part of a CALL.
    #[inline]
    pub(crate) fn call_part(&self) -> CallPart {
        let mut fixed = &self.fixed.bytes[..];
        CallPart {
            call_id: fixed.get_u64_le(),
            remaining_ms: fixed.get_u32_le(),
        }
    }

    /// The object that a CALL with a target is for.
    pub(crate) fn target(&self) -> Option<u64> {
        (self.flags & flag::TARGET != 0).then(|| (&self.fixed.as_ref()[12..]).get_u64_le())
    }

    /// The object that a RELEASE gives back. An object is lent under an ID once, so the count is 1.
    pub(crate) fn released(&self) -> u64 {
        self.fixed.as_ref().get_u64_le()
    }

    /// The bytes that a CREDIT gives.
    pub(crate) fn credit(&self) -> u32 {
        self.fixed.as_ref().get_u32_le()
    }

    /// Bytes of the frame on the wire.
    pub(crate) fn cost(&self) -> u64 {
        cost(self.fixed.as_ref().len() + self.metadata.len() + self.body.len())
    }

    /// The fixed part of a FAIL or of a REPLY with a declared error.
    pub(crate) fn fail_part(&self) -> FailPart {
        let mut fixed = self.fixed.as_ref();
        let status = fixed.get_u8();
        let execution = match fixed.get_u8() {
            1 => Execution::NotStarted,
            3 => Execution::Executed,
            // Who answers a call has read it: 0, not sent, is a byte that somebody forgot to set.
            _ => Execution::Unknown,
        };
        let retryable = fixed.get_u8() != 0;
        fixed.advance(1);
        FailPart {
            status,
            execution,
            retryable,
            retry_after_ms: fixed.get_u32_le(),
        }
    }

    /// The fixed part of a GOAWAY.
    pub(crate) fn go_away_part(&self) -> GoAwayPart {
        let mut fixed = self.fixed.as_ref();
        let last_id = fixed.get_u32_le();
        let reason = GoAwayReason::from_byte(fixed.get_u8());
        let is_final = fixed.get_u8() != 0;
        fixed.advance(2);
        GoAwayPart {
            last_id,
            reason,
            is_final,
            reconnect_ms: fixed.get_u32_le(),
        }
    }
}

/// A CALL as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallFrame<'a> {
    pub(crate) part: CallPart,
    pub(crate) flags: u8,
    /// The object that is called, if it is one.
    pub(crate) target: Option<u64>,
    pub(crate) metadata: &'a [u8],
    pub(crate) params: &'a [u8],
    /// Parameters that are kept in parts; `params` is empty then.
    pub(crate) large: Option<&'a Body>,
    /// The objects among the parameters.
    pub(crate) lent: &'a [Lent],
}

impl CallFrame<'_> {
    /// Bytes of the parameters.
    pub(crate) fn params_len(&self) -> usize {
        self.params.len() + self.large.map_or(0, Body::len)
    }

    fn fixed_len(&self) -> usize {
        12 + if self.target.is_some() { 8 } else { 0 }
    }
}

/// Length of a CALL on the wire.
pub(crate) fn call_len(call: &CallFrame<'_>) -> usize {
    HEADER + call.fixed_len() + call.metadata.len() + call.params_len()
}

/// Appends a CALL, but for large parameters, which follow.
pub(crate) fn write_call(out: &mut Vec<u8>, request_id: u32, call: &CallFrame<'_>) {
    out.reserve(call_len(call) - call.large.map_or(0, Body::len));
    let target = call.target.map_or(0, |_| flag::TARGET);
    write_header(
        out,
        Kind::Call,
        call.flags | target,
        request_id,
        call.fixed_len(),
        call.metadata,
        call.params_len(),
    );
    out.extend_from_slice(&call.part.call_id.to_le_bytes());
    out.extend_from_slice(&call.part.remaining_ms.to_le_bytes());
    if let Some(object) = call.target {
        out.extend_from_slice(&object.to_le_bytes());
    }
    out.extend_from_slice(call.metadata);
    out.extend_from_slice(call.params);
}

/// Appends the front of a body that follows in DATA frames: ITEM, or REPLY with a result.
pub(crate) fn write_front(out: &mut Vec<u8>, kind: Kind, flags: u8, request_id: u32) {
    write_header(out, kind, flags | flag::MORE, request_id, 0, &[], 0);
}

/// Appends the front of a declared error that follows in DATA frames.
pub(crate) fn write_declared_front(out: &mut Vec<u8>, request_id: u32, part: &FailPart) {
    let flags = flag::ERROR | flag::MORE;
    write_header(out, Kind::Reply, flags, request_id, 8, &[], 0);
    write_fail_part(out, part);
}

/// Appends a whole ITEM.
pub(crate) fn write_item(out: &mut Vec<u8>, flags: u8, request_id: u32, body: &[u8]) {
    out.reserve(HEADER + body.len());
    write_header(out, Kind::Item, flags, request_id, 0, &[], body.len());
    out.extend_from_slice(body);
}

/// Appends an END.
pub(crate) fn write_end(out: &mut Vec<u8>, request_id: u32) {
    write_header(out, Kind::End, 0, request_id, 0, &[], 0);
}

/// Appends a DATA.
pub(crate) fn write_data(out: &mut Vec<u8>, flags: u8, request_id: u32, piece: &[u8]) {
    out.reserve(HEADER + piece.len());
    write_data_head(out, flags, request_id, piece.len());
    out.extend_from_slice(piece);
}

/// Appends a DATA up to its body, which comes next.
pub(crate) fn write_data_head(out: &mut Vec<u8>, flags: u8, request_id: u32, piece: usize) {
    write_header(out, Kind::Data, flags, request_id, 0, &[], piece);
}

/// Appends a CREDIT.
pub(crate) fn write_credit(out: &mut Vec<u8>, flags: u8, request_id: u32, bytes: u32) {
    write_header(out, Kind::Credit, flags, request_id, 4, &[], 0);
    out.extend_from_slice(&bytes.to_le_bytes());
}

/// Appends a RELEASE.
pub(crate) fn write_release(out: &mut Vec<u8>, object: u64, count: u32) {
    write_header(out, Kind::Release, 0, 0, 12, &[], 0);
    out.extend_from_slice(&object.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
}

/// Appends a REPLY with a result.
pub(crate) fn write_reply(out: &mut Vec<u8>, flags: u8, request_id: u32, body: &[u8]) {
    out.reserve(HEADER + body.len());
    write_reply_head(out, flags, request_id, body.len());
    out.extend_from_slice(body);
}

/// Appends the head of a REPLY whose result follows.
pub(crate) fn write_reply_head(out: &mut Vec<u8>, flags: u8, request_id: u32, result: usize) {
    write_header(out, Kind::Reply, flags, request_id, 0, &[], result);
}

/// Begins a REPLY whose result is appended next; returns where that begins, for [`end_reply`].
pub(crate) fn begin_reply(out: &mut Vec<u8>, request_id: u32) -> usize {
    write_header(out, Kind::Reply, 0, request_id, 0, &[], 0);
    out.len()
}

/// Fills in the length of a REPLY whose result is here.
pub(crate) fn end_reply(out: &mut [u8], result: usize) {
    let length = (HEADER - LENGTH_FIELD + out.len() - result) as u32;
    let at = result - HEADER;
    out[at..at + LENGTH_FIELD].copy_from_slice(&length.to_le_bytes());
}

/// Appends the head of a REPLY whose declared error follows.
pub(crate) fn write_declared_head(
    out: &mut Vec<u8>,
    request_id: u32,
    part: &FailPart,
    error: usize,
) {
    write_header(out, Kind::Reply, flag::ERROR, request_id, 8, &[], error);
    write_fail_part(out, part);
}

/// Appends a FAIL; the body is `[message]`, to which later versions append details.
pub(crate) fn write_fail(out: &mut Vec<u8>, request_id: u32, part: &FailPart, message: &str) {
    let body = message_body(message);
    write_header(out, Kind::Fail, 0, request_id, 8, &[], body.len());
    write_fail_part(out, part);
    out.extend_from_slice(&body);
}

/// Appends a HELLO.
pub(crate) fn write_hello(out: &mut Vec<u8>, body: &[u8]) {
    write_header(out, Kind::Hello, 0, 0, 0, &[], body.len());
    out.extend_from_slice(body);
}

/// Appends a CANCEL.
pub(crate) fn write_cancel(out: &mut Vec<u8>, request_id: u32) {
    write_header(out, Kind::Cancel, 0, request_id, 0, &[], 0);
}

/// Appends a PING or PONG.
pub(crate) fn write_ping(out: &mut Vec<u8>, kind: Kind, token: u64) {
    write_header(out, kind, 0, 0, 8, &[], 0);
    out.extend_from_slice(&token.to_le_bytes());
}

/// Appends a GOAWAY.
pub(crate) fn write_go_away(out: &mut Vec<u8>, part: &GoAwayPart, message: &str) {
    let body = message_body(message);
    write_header(out, Kind::GoAway, 0, 0, 12, &[], body.len());
    out.extend_from_slice(&part.last_id.to_le_bytes());
    out.extend_from_slice(&[part.reason as u8, u8::from(part.is_final), 0, 0]);
    out.extend_from_slice(&part.reconnect_ms.to_le_bytes());
    out.extend_from_slice(&body);
}

/// The message of a FAIL or GOAWAY, cut to what is readable; anything else gives an empty text.
pub(crate) fn read_message(body: &[u8]) -> String {
    let mut input = body;
    let Ok(length) = rmp::decode::read_array_len(&mut input) else {
        return String::new();
    };
    if length == 0 {
        return String::new();
    }
    let Ok((text, _)) = rmp::decode::read_str_from_slice(input) else {
        return String::new();
    };
    text.chars()
        .filter(|c| !c.is_control())
        .take(MESSAGE_CHARS)
        .collect()
}

/// Longest message shown, in characters.
const MESSAGE_CHARS: usize = 2_000;

fn message_body(message: &str) -> Vec<u8> {
    let text: String = message.chars().take(MESSAGE_CHARS).collect();
    let mut body = Vec::with_capacity(text.len() + 6);
    // Writing to a Vec cannot fail.
    let _ = rmp::encode::write_array_len(&mut body, 1);
    let _ = rmp::encode::write_str(&mut body, &text);
    body
}

fn write_header(
    out: &mut Vec<u8>,
    kind: Kind,
    flags: u8,
    request_id: u32,
    fixed: usize,
    metadata: &[u8],
    body: usize,
) {
    let length = HEADER - LENGTH_FIELD + fixed + metadata.len() + body;
    let mut header = [0; HEADER];
    // Senders check sizes against the peer's `max_frame` before, which is a u32; metadata is bounded by `Limits`.
    header[0..4].copy_from_slice(&(length as u32).to_le_bytes());
    header[4] = kind as u8;
    header[5] = flags;
    header[6..8].copy_from_slice(&(metadata.len() as u16).to_le_bytes());
    header[8..12].copy_from_slice(&request_id.to_le_bytes());
    out.extend_from_slice(&header);
}

fn write_fail_part(out: &mut Vec<u8>, part: &FailPart) {
    let execution = match part.execution {
        Execution::NotSent => 0,
        Execution::NotStarted => 1,
        Execution::Unknown => 2,
        Execution::Executed => 3,
    };
    out.extend_from_slice(&[part.status, execution, u8::from(part.retryable), 0]);
    out.extend_from_slice(&part.retry_after_ms.to_le_bytes());
}
