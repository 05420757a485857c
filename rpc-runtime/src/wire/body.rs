//! Large bodies on their way out: in parts that stay where they are.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::codec::apart::Part;
use crate::spares;

/// The body of a message, or what is left of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    parts: VecDeque<Bytes>,
    length: usize,
}

/// A part up to this length is copied to the one behind it, rather than sent by itself.
const SMALL: usize = 4 << 10;

impl Body {
    /// What was encoded, with the parts that were left out at their places.
    pub(crate) fn new(encoded: Vec<u8>, parts: Vec<Part>) -> Self {
        Self::from_bytes(spares::whole(encoded), parts)
    }

    /// The same.
    pub(crate) fn from_bytes(mut encoded: Bytes, parts: Vec<Part>) -> Self {
        let mut body = Self::default();
        let mut before = 0;
        for part in parts {
            body.push(encoded.split_to(part.at - before));
            body.push(part.bytes);
            before = part.at;
        }
        body.push(encoded);
        body
    }

    fn push(&mut self, part: Bytes) {
        self.length += part.len();
        if !part.is_empty() {
            self.parts.push_back(part);
        }
    }

    /// Bytes of it.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Its parts, in their order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Bytes> {
        self.parts.iter()
    }

    /// Whether a part is so short that it is better copied.
    pub(crate) fn is_small(part: &Bytes) -> bool {
        part.len() <= SMALL
    }

    /// Takes up to so many bytes: a few that are to be copied, and those that come behind them.
    pub(crate) fn take(&mut self, most: usize) -> (Bytes, Bytes) {
        let is_small = |part: &Bytes| Self::is_small(part) && part.len() <= most;
        let head = if self.parts.front().is_some_and(is_small) {
            self.parts.pop_front().unwrap_or_default()
        } else {
            Bytes::new()
        };
        let piece = match self.parts.front_mut() {
            Some(part) => part.split_to(part.len().min(most - head.len())),
            None => Bytes::new(),
        };
        if self.parts.front().is_some_and(Bytes::is_empty) {
            self.parts.pop_front();
        }
        self.length -= head.len() + piece.len();
        (head, piece)
    }

    /// Appends all of it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.length);
        self.parts
            .iter()
            .for_each(|part| out.extend_from_slice(part));
    }

    /// A copy in one part.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_their_order_and_small_ones_with_what_is_behind_them() {
        let part = |at, fill| Part {
            at,
            bytes: Bytes::from(vec![fill; 10_000]),
        };
        let encoded: Vec<u8> = (0..100).collect();
        let parts = vec![part(2, 200), part(2, 201), part(100, 202)];
        let whole = [
            &encoded[..2],
            &[200; 10_000],
            &[201; 10_000],
            &encoded[2..],
            &[202; 10_000],
        ]
        .concat();
        let mut body = Body::new(encoded, parts);
        assert_eq!((body.len(), body.to_vec()), (whole.len(), whole.clone()));
        let (mut taken, mut pieces) = (Vec::new(), Vec::new());
        while !body.is_empty() {
            let (head, piece) = body.take(8_000);
            pieces.push((head.len(), piece.len()));
            taken.extend_from_slice(&head);
            taken.extend_from_slice(&piece);
        }
        assert_eq!(taken, whole);
        assert_eq!(
            pieces,
            [
                (2, 7_998),
                (2_002, 5_998),
                (4_002, 98),
                (0, 8_000),
                (2_000, 0)
            ]
        );
    }
}
