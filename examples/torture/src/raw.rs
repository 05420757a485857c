//! Frames by hand over a plain socket, as docs/wire.md describes them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::server::{LONG, TargetClient, Victim};

pub(crate) const PREFACE: &[u8] = b"\xabRPCIDL\x01";

/// A HELLO that takes frames of 4 MiB, and nothing cut.
pub(crate) const HELLO: &[u8] =
    b"\x18\0\0\0\x01\0\0\0\0\0\0\0\x81\xa9max_frame\xce\x00\x40\x00\x00";

/// One end of a connection.
pub(crate) struct Raw(TcpStream);

/// What a connection that was put out was told.
pub(crate) struct End {
    /// Frames that came, the last one included.
    pub(crate) frames: usize,
    /// Reason and message of the GOAWAY, if there was one.
    pub(crate) reason: Option<(u8, String)>,
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Raw {
    /// Connects and says nothing.
    pub(crate) fn silent(victim: &Victim) -> Result<Self, String> {
        let stream = TcpStream::connect(victim.host()).map_err(text)?;
        stream.set_read_timeout(Some(LONG)).map_err(text)?;
        stream.set_write_timeout(Some(LONG)).map_err(text)?;
        Ok(Self(stream))
    }

    /// Connects and exchanges HELLO.
    pub(crate) fn open(victim: &Victim) -> Result<Self, String> {
        let mut raw = Self::silent(victim)?;
        raw.send(&[PREFACE, HELLO].concat())?;
        let hello = raw.next()?.ok_or("no HELLO")?;
        if hello[4] == 1 {
            Ok(raw)
        } else {
            Err(format!("not HELLO but kind {}", hello[4]))
        }
    }

    /// Another handle to the same connection.
    pub(crate) fn again(&self) -> Result<Self, String> {
        self.0.try_clone().map(Self).map_err(text)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.0.write_all(bytes).map_err(text)
    }

    /// Sends the same until the server has had enough; gives how often it went. A server that takes nothing for a long
    /// time and does not close either is an error.
    pub(crate) fn flood(&mut self, bytes: &[u8], times: usize) -> Result<usize, String> {
        for sent in 0..times {
            match self.0.write_all(bytes) {
                Ok(()) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Err("the server neither reads nor closes".to_owned());
                }
                Err(_) => return Ok(sent),
            }
        }
        Ok(times)
    }

    /// The next frame, header included; `None` when the input ends.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(format!("the server says nothing: {error}")),
        }
        let mut frame = vec![0; u32::from_le_bytes(length) as usize + 4];
        frame[..4].copy_from_slice(&length);
        match self.0.read_exact(&mut frame[4..]) {
            Ok(()) => Ok(Some(frame)),
            Err(_) => Ok(None),
        }
    }

    /// Reads until the server closes.
    pub(crate) fn end(mut self) -> Result<End, String> {
        let mut end = End {
            frames: 0,
            reason: None,
        };
        while let Some(frame) = self.next()? {
            end.frames += 1;
            if frame[4] == 12 {
                let said = String::from_utf8_lossy(&frame[24..]).into_owned();
                let said: String = said
                    .chars()
                    .filter(|c| c.is_ascii_graphic() || *c == ' ')
                    .collect();
                end.reason = Some((frame[16], said));
            }
        }
        Ok(end)
    }
}

impl End {
    /// The message of the GOAWAY, which must contain `part` (or the connection was reset while it still sent).
    pub(crate) fn said(self, part: &str) -> Result<String, String> {
        match self.reason {
            Some((_, said)) if said.contains(part) => Ok(said),
            Some((_, said)) => Err(format!("put out for another reason: {said}")),
            None => Ok("reset".to_owned()),
        }
    }
}

/// A frame with everything behind the header given.
pub(crate) fn frame(kind: u8, flags: u8, metadata: u16, id: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = (8 + rest.len() as u32).to_le_bytes().to_vec();
    out.extend([kind, flags]);
    out.extend(metadata.to_le_bytes());
    out.extend(id.to_le_bytes());
    out.extend(rest);
    out
}

/// A CALL of a method of the victim.
pub(crate) fn call(id: u32, method: &str, params: &[u8]) -> Vec<u8> {
    call_with(0, id, method, params)
}

pub(crate) fn call_with(flags: u8, id: u32, method: &str, params: &[u8]) -> Vec<u8> {
    let methods = TargetClient::SERVICE.methods;
    let call_id = methods
        .iter()
        .find(|known| known.name == method)
        .map_or(42, |known| known.id);
    let mut rest = call_id.to_le_bytes().to_vec();
    rest.extend([0; 4]);
    rest.extend(params);
    frame(2, flags, 0, id, &rest)
}
