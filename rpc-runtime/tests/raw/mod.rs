//! Frames by hand over a plain socket, as docs/wire.md describes them.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const PREFACE: &[u8] = b"\xabRPCIDL\x01";

/// A HELLO that accepts frames of 4 MiB.
#[allow(dead_code, reason = "not every test file says this one")]
pub(crate) const HELLO: &[u8] =
    b"\x18\0\0\0\x01\0\0\0\0\0\0\0\x81\xa9max_frame\xce\x00\x40\x00\x00";

/// Nothing in these tests waits on purpose; what takes this long hangs.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// One end of a connection.
pub(crate) struct Raw<S = TcpStream> {
    pub(crate) stream: S,
    received: Vec<u8>,
}

/// A received frame, its header read.
#[allow(dead_code, reason = "not every test file looks at all of it")]
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) id: u32,
    /// Everything behind the header.
    pub(crate) rest: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Raw {
    /// Connects to `tcp://…` and says nothing.
    #[allow(dead_code, reason = "not every test file is a client")]
    pub(crate) async fn silent(address: &str) -> Self {
        let host = address.strip_prefix("tcp://").unwrap();
        Self::new(TcpStream::connect(host).await.unwrap())
    }

    /// Connects and exchanges HELLO; gives the server's too.
    #[allow(dead_code, reason = "not every test file is a client")]
    pub(crate) async fn open(address: &str) -> (Self, Frame) {
        let mut raw = Self::silent(address).await;
        raw.send(&[PREFACE, HELLO].concat()).await;
        let hello = raw.next().await.unwrap();
        assert_eq!(hello.kind, 1, "{hello:?}");
        (raw, hello)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn new(stream: S) -> Self {
        let received = Vec::new();
        Self { stream, received }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        timeout(LONG, self.stream.write_all(bytes))
            .await
            .expect("the peer takes what is sent")
            .unwrap();
    }

    /// The next frame; `None` when the input ends.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.cut() {
                return Some(frame);
            }
            if self.read().await == 0 {
                assert_eq!(
                    self.received, b"",
                    "the input ends in the middle of a frame"
                );
                return None;
            }
        }
    }

    /// Exactly so many bytes.
    #[allow(dead_code, reason = "not every test file looks at bytes")]
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            assert_ne!(self.read().await, 0, "only {:02x?}", self.received);
        }
        self.received.drain(..count).collect()
    }

    /// Everything until the peer closes.
    #[allow(dead_code, reason = "not every test file waits for the end")]
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read().await > 0 {}
        std::mem::take(&mut self.received)
    }

    async fn read(&mut self) -> usize {
        timeout(LONG, self.stream.read_buf(&mut self.received))
            .await
            .expect("the peer says something or closes")
            .unwrap()
    }

    fn cut(&mut self) -> Option<Frame> {
        let length = u32::from_le_bytes(*self.received.first_chunk()?) as usize + 4;
        if self.received.len() < length {
            return None;
        }
        let bytes: Vec<u8> = self.received.drain(..length).collect();
        Some(Frame {
            kind: bytes[4],
            id: u32::from_le_bytes(bytes[8..12].try_into().unwrap()),
            rest: bytes[12..].to_vec(),
            bytes,
        })
    }
}

impl Frame {
    /// Status and execution of a FAIL, and its message.
    #[allow(dead_code, reason = "not every test file looks at it")]
    pub(crate) fn fail(&self) -> (u8, u8, String) {
        assert_eq!(self.kind, 4, "FAIL, not {self:?}");
        (self.rest[0], self.rest[1], message(&self.rest[8..]))
    }

    /// Last request ID and reason of a GOAWAY, and its message.
    #[allow(dead_code, reason = "not every test file looks at it")]
    pub(crate) fn go_away(&self) -> (u32, u8, String) {
        assert_eq!(self.kind, 12, "GOAWAY, not {self:?}");
        let last = u32::from_le_bytes(self.rest[..4].try_into().unwrap());
        (last, self.rest[4], message(&self.rest[12..]))
    }
}

fn message(body: &[u8]) -> String {
    let (text,): (String,) = rmp_serde::from_slice(body).unwrap();
    text
}

/// A frame with everything behind the header given.
#[allow(dead_code, reason = "not every test file makes frames")]
pub(crate) fn frame(kind: u8, flags: u8, metadata: u16, id: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = (8 + rest.len() as u32).to_le_bytes().to_vec();
    out.extend([kind, flags]);
    out.extend(metadata.to_le_bytes());
    out.extend(id.to_le_bytes());
    out.extend(rest);
    out
}

/// A CALL without metadata and time limit.
#[allow(dead_code, reason = "not every test file makes calls")]
pub(crate) fn call(id: u32, call_id: u64, params: &[u8]) -> Vec<u8> {
    let mut rest = call_id.to_le_bytes().to_vec();
    rest.extend([0; 4]);
    rest.extend(params);
    frame(2, 0, 0, id, &rest)
}
