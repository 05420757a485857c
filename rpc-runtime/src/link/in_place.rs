//! Pieces of large bodies that are read to where they belong, so that nobody copies them out of the read buffer.

use bytes::buf::Limit;
use bytes::{BufMut, BytesMut};

use super::Link;
use super::streams::request;
use crate::spares;
use crate::wire::frame::{Frame, HEADER};
use crate::wire::inbound::Inbound;
use crate::wire::pieces::Piece;

/// A DATA frame whose rest is read behind what its body has already.
pub(super) struct InPlace {
    /// Without its bytes.
    frame: Frame,
    /// Bytes of the piece.
    length: usize,
    body: Vec<u8>,
    /// The length of the body with all of the piece.
    end: usize,
}

impl Link {
    /// Takes the beginning of a piece out of the input, if all that is there is such a one and somebody wants the rest. Nothing
    /// is counted or refused before the piece is whole: then it is looked at as any other.
    pub(super) fn read_in_place(&self, inbound: &mut Inbound) -> Option<InPlace> {
        let (frame, length) = inbound.begun_piece()?;
        let limit = u64::from(self.limits.max_message_bytes);
        let lent = self.lock().pieces.lend(request(&frame), length, limit);
        let mut body = lent?;
        let end = body.len() + length;
        spares::reserve(&mut body, length + HEADER);
        // All at once: else a read gets no more than what happens to be left.
        body.reserve(length + HEADER);
        body.extend_from_slice(&inbound.buffer()[HEADER..]);
        inbound.buffer().clear();
        Some(InPlace {
            frame,
            length,
            body,
            end,
        })
    }
}

impl InPlace {
    /// Where the rest is read to, and the header behind it: if that is of another piece, the same goes on.
    pub(super) fn room(&mut self) -> Limit<&mut Vec<u8>> {
        let most = (self.end + HEADER).saturating_sub(self.body.len());
        (&mut self.body).limit(most)
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.body.len() >= self.end
    }

    /// The piece. What was read behind it is appended to the input.
    pub(super) fn finish(mut self, input: &mut BytesMut) -> Piece {
        input.extend_from_slice(&self.body[self.end..]);
        self.body.truncate(self.end);
        Piece::InPlace(self.frame, self.length, self.body)
    }
}
