//! Received bytes to frames: the preface first, then HELLO, then everything else.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::Limits;
use crate::wire::frame::{
    Fixed, Frame, GoAwayReason, HEADER, IGNORABLE, Kind, LENGTH_FIELD, PREFACE,
};
use crate::wire::run::{self, Run};

/// Frames above this do not share the read buffer with what comes after them.
const KEPT_BUFFER: usize = 256 << 10;

/// Pieces up to this length may be read to where they belong: room is made for so many bytes because a header says so, as is
/// made to read ahead.
const LONGEST_PIECE: usize = 64 << 10;

/// Shorter pieces are rather copied than read by themselves.
const WORTH: usize = 4 << 10;

/// Cuts frames out of what was received.
///
/// Holds at most one incomplete frame and what was read past the last one; nothing is allocated because a length field
/// says so.
#[derive(Debug)]
pub(crate) struct Inbound {
    buffer: BytesMut,
    phase: Phase,
    max_frame: u32,
    max_frame_before_hello: u32,
    max_metadata: u16,
    longest_run: usize,
    /// Frames of unknown kinds that were skipped.
    skipped: u32,
}

/// ```text
/// Preface (server only) ──8 bytes──> Hello ──HELLO──> Open
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Preface,
    Hello,
    Open,
}

/// Why a connection must end, as far as its input tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Ours, but broken: answered by a GOAWAY with this reason and text.
    Frame(GoAwayReason, String),
    /// Another protocol: answered in its own words with these bytes.
    Foreign {
        /// What it seems to be.
        protocol: &'static str,
        /// What is sent before closing.
        answer: Vec<u8>,
    },
}

impl Refusal {
    /// Whether the peer speaks MessagePack-RPC, as far as its first byte tells.
    pub(crate) fn is_msgpack_rpc(&self) -> bool {
        matches!(
            self,
            Self::Foreign {
                protocol: MSGPACK_RPC,
                ..
            }
        )
    }
}

/// The protocol of the second door.
const MSGPACK_RPC: &str = "MessagePack-RPC";

impl Inbound {
    /// The server's side: starts with the preface.
    pub(crate) fn server(limits: &Limits) -> Self {
        Self::new(limits, Phase::Preface)
    }

    /// The client's side: the server sends no preface.
    pub(crate) fn client(limits: &Limits) -> Self {
        Self::new(limits, Phase::Hello)
    }

    fn new(limits: &Limits, phase: Phase) -> Self {
        Self {
            buffer: BytesMut::new(),
            phase,
            max_frame: limits.max_frame_bytes,
            max_frame_before_hello: limits.max_frame_bytes_before_hello,
            max_metadata: limits.max_metadata_bytes,
            longest_run: run::longest(limits.stream_window),
            skipped: 0,
        }
    }

    /// Where received bytes are appended.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether part of a frame is here and the rest is not.
    pub(crate) fn has_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Bytes that are here and not taken.
    pub(crate) fn unread(&self) -> usize {
        self.buffer.len()
    }

    /// Frames of unknown kinds that were skipped since this was last asked.
    pub(crate) fn take_skipped(&mut self) -> u32 {
        std::mem::take(&mut self.skipped)
    }

    /// Whether the peer has said HELLO.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// A DATA frame, without its bytes, that is all there is here and not whole, and its length. `None` if that is too long, or
    /// too short to matter.
    pub(crate) fn begun_piece(&self) -> Option<(Frame, usize)> {
        let header = self.buffer.first_chunk::<HEADER>()?;
        let [l0, l1, l2, l3, kind, flags, 0, 0, id @ ..] = *header else {
            return None;
        };
        let total = u32::from_le_bytes([l0, l1, l2, l3]) as usize + LENGTH_FIELD;
        let length = total.checked_sub(HEADER)?;
        let begun = (WORTH..=LONGEST_PIECE).contains(&length) && self.buffer.len() < total;
        (begun && self.is_open() && kind == Kind::Data as u8).then(|| {
            let frame = Frame {
                kind: Kind::Data,
                flags,
                request_id: u32::from_le_bytes(id),
                fixed: Fixed::default(),
                metadata: Bytes::new(),
                body: Bytes::new(),
            };
            (frame, length)
        })
    }

    /// The items that come next, if they can be taken without frames. [`Inbound::skip`] takes them.
    #[inline]
    pub(crate) fn run(&self) -> Option<Run<'_>> {
        let is_open = self.is_open();
        is_open.then(|| Run::at_start(&self.buffer, self.max_frame, self.longest_run))?
    }

    /// Takes so many bytes off the input.
    pub(crate) fn skip(&mut self, length: usize) {
        self.buffer.advance(length);
    }

    /// The next whole frame, `None` if more bytes are needed.
    #[inline]
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, Refusal> {
        if self.phase == Phase::Preface && !self.read_preface()? {
            return Ok(None);
        }
        loop {
            let Some(header) = self.buffer.first_chunk::<HEADER>().copied() else {
                return self.check_partial_header().map(|()| None);
            };
            let Some(total) = self.frame_len()? else {
                return Ok(None);
            };
            let ignorable = header[4] & IGNORABLE != 0;
            match Kind::from_byte(header[4]) {
                Some(kind) => return self.take_frame(kind, header, total).map(Some),
                None if ignorable && self.phase == Phase::Open => {
                    self.buffer.advance(total);
                    self.skipped = self.skipped.saturating_add(1);
                    self.leave_large(total);
                }
                None => {
                    let text = format!("frame kind {} is not known", self.buffer[4]);
                    return Err(Refusal::Frame(GoAwayReason::Protocol, text));
                }
            }
        }
    }

    #[inline]
    fn take_frame(
        &mut self,
        kind: Kind,
        header: [u8; HEADER],
        total: usize,
    ) -> Result<Frame, Refusal> {
        if self.phase == Phase::Hello {
            if kind != Kind::Hello && kind != Kind::GoAway {
                return Err(Refusal::Frame(
                    GoAwayReason::Protocol,
                    format!("{kind:?} before HELLO"),
                ));
            }
            if kind == Kind::Hello {
                self.phase = Phase::Open;
            }
        } else if kind == Kind::Hello {
            return Err(Refusal::Frame(
                GoAwayReason::Protocol,
                "a second HELLO".to_owned(),
            ));
        }
        let [_, _, _, _, _, flags, m0, m1, id @ ..] = header;
        let metadata_len = usize::from(u16::from_le_bytes([m0, m1]));
        let request_id = u32::from_le_bytes(id);
        let fixed_len = kind.fixed_len(flags);
        if HEADER + fixed_len + metadata_len > total {
            let text = format!(
                "{kind:?} of {total} bytes has no room for {fixed_len} fixed and {metadata_len} metadata bytes"
            );
            return Err(Refusal::Frame(GoAwayReason::Protocol, text));
        }
        if metadata_len > usize::from(self.max_metadata) {
            let text = format!(
                "{metadata_len} bytes of metadata, {} are allowed",
                self.max_metadata
            );
            return Err(Refusal::Frame(GoAwayReason::Limit, text));
        }
        let fixed = Fixed::new(&self.buffer[HEADER..], fixed_len);
        let mut frame = self.buffer.split_to(total).freeze();
        self.leave_large(total);
        frame.advance(HEADER + fixed_len);
        let metadata = split(&mut frame, metadata_len);
        Ok(Frame {
            kind,
            flags,
            request_id,
            fixed,
            metadata,
            body: frame,
        })
    }

    /// Goes on in a buffer of its own after a large frame: else every connection that once had one keeps its room, and
    /// what follows it and is kept would keep it too.
    #[inline]
    fn leave_large(&mut self, total: usize) {
        if total > KEPT_BUFFER {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
    }

    /// The length of the frame at the start of the buffer if all of it is there.
    #[inline]
    fn frame_len(&self) -> Result<Option<usize>, Refusal> {
        let length = u32::from_le_bytes([
            self.buffer[0],
            self.buffer[1],
            self.buffer[2],
            self.buffer[3],
        ]);
        let limit = if self.is_open() {
            self.max_frame
        } else {
            self.max_frame_before_hello
        };
        if length > limit || (length as usize) < HEADER - LENGTH_FIELD {
            return Err(self.refuse_length(length, limit));
        }
        let total = length as usize + LENGTH_FIELD;
        Ok((self.buffer.len() >= total).then_some(total))
    }

    #[cold]
    fn refuse_length(&self, length: u32, limit: u32) -> Refusal {
        if length <= limit {
            let text = format!("a frame of {length} bytes is shorter than its header");
            return Refusal::Frame(GoAwayReason::Protocol, text);
        }
        if self.phase == Phase::Hello
            && let Some(foreign) = foreign_server(&self.buffer)
        {
            return foreign;
        }
        let text = format!("a frame of {length} bytes, {limit} are allowed here");
        Refusal::Frame(GoAwayReason::FrameTooLarge, text)
    }

    /// A lie about the length is answered as soon as the four bytes are there.
    fn check_partial_header(&self) -> Result<(), Refusal> {
        if self.buffer.len() < LENGTH_FIELD {
            Ok(())
        } else {
            self.frame_len().map(|_| ())
        }
    }

    /// Whether the preface is complete; refuses as soon as a byte differs.
    fn read_preface(&mut self) -> Result<bool, Refusal> {
        let have = self.buffer.len().min(PREFACE.len());
        if self.buffer[..have] == PREFACE[..have] {
            if have < PREFACE.len() {
                return Ok(false);
            }
            self.buffer.advance(have);
            self.phase = Phase::Hello;
            return Ok(true);
        }
        let version_differs =
            have == PREFACE.len() && self.buffer[..have - 1] == PREFACE[..have - 1];
        if version_differs {
            let text = format!(
                "protocol version {} is not spoken here, {} is",
                self.buffer[have - 1],
                PREFACE[have - 1]
            );
            return Err(Refusal::Frame(GoAwayReason::Version, text));
        }
        Err(foreign_client(&self.buffer))
    }
}

fn split(bytes: &mut Bytes, at: usize) -> Bytes {
    if at == 0 {
        Bytes::new()
    } else {
        bytes.split_to(at)
    }
}

/// Whose first bytes these are, and how to tell them in their own words that this is the wrong port.
fn foreign_client(start: &[u8]) -> Refusal {
    match start.first() {
        Some(0x16) => {
            // A TLS alert: fatal, protocol_version (RFC 8446, 6.2).
            let answer = vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];
            Refusal::Foreign {
                protocol: "TLS",
                answer,
            }
        }
        Some(byte) if byte.is_ascii_alphabetic() => {
            let text = "This port speaks the RPC protocol of rpc-runtime, not HTTP.\n\
                        Use a generated client with the address tcp://HOST:PORT.\n";
            let answer = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            Refusal::Foreign {
                protocol: "HTTP or another text protocol",
                answer: answer.into_bytes(),
            }
        }
        Some(0x90..=0x9f | 0xdc | 0xdd) => Refusal::Foreign {
            protocol: MSGPACK_RPC,
            answer: message_pack_error(start, "this listener does not serve MessagePack-RPC"),
        },
        _ => Refusal::Frame(
            GoAwayReason::Protocol,
            "the first bytes are not the preface of this protocol (ab 52 50 43 49 44 4c 01)"
                .to_owned(),
        ),
    }
}

/// Whoever speaks to a TLS listener without TLS, by their first bytes; `None` if it looks like TLS.
pub(crate) fn plain_client(start: &[u8]) -> Option<Refusal> {
    const TEXT: &str =
        "this listener takes TLS only: write tls:// instead of tcp://, and say which CA is trusted";
    match foreign_client(start) {
        Refusal::Foreign {
            protocol: "TLS", ..
        } => None,
        Refusal::Foreign { protocol, .. } if protocol.starts_with("HTTP") => {
            let text = "This port speaks an RPC protocol under TLS, not HTTP.\n";
            let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n";
            let length = format!("content-length: {}\r\n\r\n", text.len());
            let answer = [head, &length, text].concat().into_bytes();
            Some(Refusal::Foreign { protocol, answer })
        }
        Refusal::Foreign { protocol, .. } => Some(Refusal::Foreign {
            protocol,
            answer: message_pack_error(start, TEXT),
        }),
        Refusal::Frame(..) => Some(Refusal::Frame(GoAwayReason::Version, TEXT.to_owned())),
    }
}

/// How to tell a client, by its first bytes, that this server does not take it now.
pub(crate) fn not_now(start: &[u8], reason: GoAwayReason, text: &str) -> Refusal {
    match foreign_client(start) {
        Refusal::Foreign { protocol, .. } if protocol == MSGPACK_RPC => Refusal::Foreign {
            protocol,
            answer: message_pack_error(start, text),
        },
        foreign @ Refusal::Foreign { .. } => foreign,
        Refusal::Frame(..) => Refusal::Frame(reason, text.to_owned()),
    }
}

/// A MessagePack-RPC response: [1, ID, error, nil]. Plain text is what every client shows.
fn message_pack_error(start: &[u8], text: &str) -> Vec<u8> {
    let mut answer = vec![0x94, 0x01];
    let _ = rmp::encode::write_uint(&mut answer, u64::from(message_id(start)));
    let _ = rmp::encode::write_str(&mut answer, text);
    answer.push(0xc0);
    answer
}

/// The message ID of a MessagePack-RPC request, `[0, ID, method, params]`, as far as it is here.
fn message_id(start: &[u8]) -> u32 {
    let mut rest = start;
    // The array, of which there are three forms, and the type of the message.
    if rmp::decode::read_array_len(&mut rest).is_err() {
        return 0;
    }
    let _: Result<u8, _> = rmp::decode::read_int(&mut rest);
    rmp::decode::read_int(&mut rest).unwrap_or(0)
}

/// Recognises a server of another protocol by the first bytes it sent us.
fn foreign_server(start: &[u8]) -> Option<Refusal> {
    let protocol = match start {
        [b'H', b'T', b'T', b'P', ..] => "HTTP",
        [b'S', b'S', b'H', b'-', ..] => "SSH",
        [b'2', b'2', b'0', b' ', ..] => "SMTP or FTP",
        [0x15 | 0x16, 0x03, ..] => "TLS",
        [b'-', b'E', b'R', b'R', ..] => "Redis",
        _ => return None,
    };
    Some(Refusal::Foreign {
        protocol,
        answer: Vec::new(),
    })
}
