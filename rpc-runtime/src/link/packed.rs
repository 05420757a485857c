//! Compressed bodies on a link: what goes out if it was asked for, and what comes in, within the limits.

use bytes::Bytes;

use super::Link;
use crate::error::{Error, ErrorKind, Execution};
use crate::status::Status;
use crate::wire::calls::Answer;
use crate::wire::compression::{Unpacking, pack, unpack};
use crate::wire::frame::{CallFrame, Frame, Kind, flag};

impl Link {
    /// A body compressed, if that was asked for, the peer reads it, and it is worth it. One that is larger than the peer
    /// takes stays as it is, to be refused for its real size.
    pub(super) fn packed(&self, body: &[u8]) -> Option<Vec<u8>> {
        let fits = body.len() as u64 <= u64::from(self.peer_hello.max_message);
        (self.packs && fits).then(|| pack(body)).flatten()
    }

    /// The same of a call's parameters. Objects among them are named by their place, so those stay as they are.
    pub(super) fn packed_call(&self, call: &CallFrame<'_>) -> Option<Vec<u8>> {
        if !self.packs || !call.lent.is_empty() {
            return None;
        }
        match call.large {
            Some(large) => self.packed(&large.to_vec()),
            None => self.packed(call.params),
        }
    }

    /// The body of an answer or an item as it was.
    pub(super) fn unpacked(&self, body: &[u8]) -> Result<Bytes, Error> {
        if !self.unpacks {
            let text =
                "a body from the peer is compressed, which this side has not said that it reads";
            return Err(Error::new(ErrorKind::DataLoss, text).with_peer(&*self.peer));
        }
        let limit = u64::from(self.limits.max_message_bytes);
        let body = unpack(body, limit).map_err(|wrong| {
            let kind = match wrong {
                Unpacking::Malformed(_) => ErrorKind::DataLoss,
                Unpacking::TooLarge(_) => ErrorKind::ResourceExhausted,
            };
            Error::new(kind, format!("a body from the peer: {}", wrong.text()))
                .with_peer(&*self.peer)
        });
        body.map(Bytes::from)
    }

    /// The parameters of a call as they were, within what may be kept for the peer.
    pub(super) fn unpack_call(&self, frame: &mut Frame) -> Result<(), (Status, String)> {
        if frame.flags & flag::COMPRESSED == 0 {
            return Ok(());
        }
        let (message, memory) = (self.limits.max_message_bytes, self.limits.connection_memory);
        let body = unpack(&frame.body, u64::from(message)).map_err(|wrong| match wrong {
            Unpacking::Malformed(text) => (Status::InvalidArgument, text),
            Unpacking::TooLarge(text) => (Status::ResourceExhausted, text),
        })?;
        let room = self.lock().check_memory(body.len() as u64, memory);
        room.map_err(|text| (Status::ResourceExhausted, text))?;
        frame.flags &= !flag::COMPRESSED;
        frame.body = body.into();
        Ok(())
    }

    /// The answer as it was. What nobody waits for is not looked at; what cannot be read fails its call.
    pub(super) fn unpack_answer(&self, frame: &mut Frame) -> Option<Answer> {
        let packed = frame.flags & flag::COMPRESSED != 0 && frame.flags & flag::MORE == 0;
        if frame.kind != Kind::Reply
            || !packed
            || self.lock().calls.is_owed(frame.request_id).is_none()
        {
            return None;
        }
        frame.flags &= !flag::COMPRESSED;
        match self.unpacked(&frame.body) {
            Ok(body) => {
                frame.body = body;
                None
            }
            Err(error) => Some(Answer::Failed(error.with_execution(Execution::Executed))),
        }
    }
}
