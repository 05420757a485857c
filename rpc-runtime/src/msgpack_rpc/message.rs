//! One message: found in what was received, taken apart, written.

use bytes::{Buf, Bytes, BytesMut};

use crate::codec::{CheckLimits, Progress, Reader, write};
use crate::limits::Limits;

/// Larger messages do not share the read buffer with what comes after them.
const KEPT_BUFFER: usize = 256 << 10;

/// What a peer says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// `[0, id, method, params]`
    Request {
        id: u64,
        method: Bytes,
        params: Bytes,
    },
    /// `[1, id, error, result]`; the error is `None` where it was nil.
    Answer {
        id: u64,
        error: Option<Bytes>,
        result: Bytes,
    },
    /// `[2, method, params]`
    Notification { method: Bytes, params: Bytes },
}

/// Why no message can be made of the input, and which request that concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) id: Option<u64>,
    pub(super) text: String,
}

/// Cuts messages out of what was received. Holds at most one incomplete message and what was read past the last one.
#[derive(Debug)]
pub(super) struct Messages {
    buffer: BytesMut,
    progress: Progress,
    limits: CheckLimits,
    max_message: usize,
}

impl Messages {
    /// Goes on after `received`.
    pub(super) fn new(received: BytesMut, limits: &Limits) -> Self {
        // The message is an array around what the limits are about, with three values beside it. What is nested too
        // deep has an end that can be found all the same: then it is one call that is refused, not the connection.
        let check = CheckLimits {
            max_depth: usize::MAX,
            max_nodes: limits.max_nodes.saturating_add(4),
        };
        Self {
            buffer: received,
            progress: Progress::new(check),
            limits: check,
            max_message: limits.max_message_bytes as usize,
        }
    }

    /// Where received bytes are appended.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether part of a message is here and the rest is not.
    pub(super) fn has_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Bytes of a message that is not complete.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// The request that is being received, if that much of it is here.
    pub(super) fn partial_id(&self) -> Option<u64> {
        request_id(&self.buffer)
    }

    /// The next whole message, `None` if more bytes are needed.
    pub(super) fn next_message(&mut self) -> Result<Option<Message>, Broken> {
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let broken = |text| Broken {
            id: request_id(&self.buffer),
            text,
        };
        check_front(&self.buffer).map_err(broken)?;
        let found = self
            .progress
            .advance(&self.buffer)
            .map_err(|malformed| broken(malformed.to_string()))?;
        let least = self.progress.at_least();
        if least > self.max_message {
            let text = format!(
                "a message of {}{least} bytes, {} are allowed",
                if found.is_some() { "" } else { "at least " },
                self.max_message
            );
            return Err(broken(text));
        }
        let Some(length) = found else {
            return Ok(None);
        };
        self.progress = Progress::new(self.limits);
        let message = self.buffer.split_to(length).freeze();
        if length > KEPT_BUFFER {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        read(&message).map(Some)
    }
}

/// Looks at the first bytes: a stranger is not listened to until it has sent as much as a message may have.
fn check_front(bytes: &[u8]) -> Result<(), String> {
    let (count, front) = match *bytes {
        [byte @ 0x90..=0x9f, ..] => (u32::from(byte & 15), 1),
        [0xdc, a, b, ..] => (u32::from(u16::from_be_bytes([a, b])), 3),
        [0xdd, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]), 5),
        [0xdc | 0xdd, ..] | [] => return Ok(()),
        [byte, ..] => {
            return Err(format!(
                "a message is an array, this begins with the byte {byte:02x}{}",
                seems(bytes)
            ));
        }
    };
    let kind = bytes.get(front).copied();
    match (count, kind) {
        (4, None | Some(0 | 1)) | (3, None | Some(2)) => Ok(()),
        // Any other form of an integer: told when the whole message is here.
        (3 | 4, Some(0x80..)) => Ok(()),
        (3 | 4, Some(kind @ 0..=2)) => Err(wrong_count(kind.into(), count)),
        (3 | 4, Some(kind)) => Err(unknown_kind(kind.into())),
        _ => Err(format!(
            "a message is an array of 3 or 4 values, this one has {count}"
        )),
    }
}

/// What a stranger's first bytes look like.
fn seems(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'H', b'T', b'T', b'P', ..] => " (the peer speaks HTTP)",
        [0xab, ..] => " (the peer speaks the protocol of tcp:// addresses)",
        [0x15 | 0x16, 0x03, ..] => " (the peer speaks TLS)",
        _ => "",
    }
}

fn wrong_count(kind: i128, count: u32) -> String {
    let (name, expected) = match kind {
        0 => ("request", "[0, ID, method, params]"),
        1 => ("answer", "[1, ID, error, result]"),
        _ => ("notification", "[2, method, params]"),
    };
    format!("a {name} is {expected}, this one has {count} values")
}

fn unknown_kind(kind: i128) -> String {
    format!("message type {kind} is not known: 0 is a request, 1 an answer, 2 a notification")
}

/// The ID of a request whose first bytes are here.
fn request_id(bytes: &[u8]) -> Option<u64> {
    let front = match bytes.first()? {
        0x90..=0x9f => 1,
        0xdc => 3,
        0xdd => 5,
        _ => return None,
    };
    let mut input = Reader::new(bytes.get(front..)?);
    (input.integer().ok()? == 0).then_some(())?;
    input.integer().ok()?.try_into().ok()
}

fn read(message: &Bytes) -> Result<Message, Broken> {
    let fail = |text: String| Broken {
        id: request_id(message),
        text,
    };
    let unreadable = |error: crate::codec::DecodeError| fail(error.to_string());
    let mut input = Reader::new(message);
    let count = input.array().map_err(unreadable)?;
    let kind = input
        .integer()
        .map_err(|error| fail(format!("message type: {error}")))?;
    let mut number = || {
        let id = input
            .integer()
            .map_err(|error| fail(format!("message ID: {error}")))?;
        u64::try_from(id)
            .map_err(|_| fail(format!("message ID {id} is no number of at most 64 bits")))
    };
    let id = match (kind, count) {
        (0 | 1, 4) => number()?,
        (2, 3) => 0,
        (0..=2, _) => return Err(fail(wrong_count(kind, count as u32))),
        _ => return Err(fail(unknown_kind(kind))),
    };
    let first = input.raw().map_err(unreadable)?;
    let second = input.raw().map_err(unreadable)?;
    input.finish().map_err(unreadable)?;
    let (first, second) = (message.slice_ref(first), message.slice_ref(second));
    Ok(match kind {
        0 => Message::Request {
            id,
            method: first,
            params: second,
        },
        1 => Message::Answer {
            id,
            error: (first.chunk() != [NIL]).then_some(first),
            result: second,
        },
        _ => Message::Notification {
            method: first,
            params: second,
        },
    })
}

/// Appends a request; `params` is MessagePack already.
pub(super) fn write_request(out: &mut Vec<u8>, id: u32, method: &str, params: &[u8]) {
    write::array(out, 4);
    write::uint(out, 0);
    write::uint(out, id.into());
    write::str(out, method);
    write::raw(out, params);
}

/// Appends a notification.
pub(super) fn write_notification(out: &mut Vec<u8>, method: &str, params: &[u8]) {
    write::array(out, 3);
    write::uint(out, 2);
    write::str(out, method);
    write::raw(out, params);
}

/// Appends the answer of a call that went well.
pub(super) fn write_result(out: &mut Vec<u8>, id: u64, result: &[u8]) {
    write::array(out, 4);
    write::uint(out, 1);
    write::uint(out, id);
    write::nil(out);
    write::raw(out, result);
}

/// Appends the answer of a call that failed.
pub(super) fn write_error(out: &mut Vec<u8>, id: u64, error: impl FnOnce(&mut Vec<u8>)) {
    write::array(out, 4);
    write::uint(out, 1);
    write::uint(out, id);
    error(out);
    write::nil(out);
}

/// MessagePack's nil.
pub(super) const NIL: u8 = 0xc0;
