//! Bodies that come in pieces, until they are whole.

use bytes::Bytes;
use tokio::time::Instant;

use crate::spares;
use crate::wire::by_id::ById;
use crate::wire::frame::{self, Frame, Kind, flag};
use crate::wire::streams::Key;

/// The incomplete bodies of one connection; a request has at most one in each direction.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    bodies: ById<Key, Partial>,
    /// Bytes of all of them.
    held: u64,
    /// How many are parameters of calls that have not begun.
    calls: u32,
    /// Bytes of parameters and results that have come since `stretch_since`.
    stretch: u64,
    /// When the last whole [`STRETCH`] of them was here.
    stretch_since: Option<Instant>,
}

/// What must come of incomplete bodies in the time of a frame. The Rust runtime sends pieces of this size, each of which has
/// that time as a frame already: whoever sends smaller ones, down to a byte at a time, gets no more of it.
pub(crate) const STRETCH: u64 = 64 << 10;

/// Bytes that a body must have before more are read behind them: with less it is faster to read far ahead and to copy, from a
/// buffer that the processor has at hand (a lone echo of 256 KiB: by 7 to 12 %).
const LENT_FROM: usize = 128 << 10;

#[derive(Debug)]
struct Partial {
    front: Frame,
    /// What has come; elsewhere while somebody reads more of it there.
    body: Vec<u8>,
    /// Bytes that have come.
    length: usize,
    /// Nobody waits for it; its end is waited for all the same.
    unwanted: bool,
    /// When its front came.
    since: Instant,
}

/// A DATA frame, and where its bytes are.
#[derive(Debug)]
pub(crate) enum Piece {
    /// In it.
    Framed(Frame),
    /// So many of them behind what came before, in the body that was lent; the frame is empty.
    InPlace(Frame, usize, Vec<u8>),
}

impl Piece {
    /// The frame.
    pub(crate) fn frame(&self) -> &Frame {
        match self {
            Self::Framed(frame) | Self::InPlace(frame, ..) => frame,
        }
    }

    /// Its bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Framed(frame) => frame.body.len(),
            Self::InPlace(_, length, _) => *length,
        }
    }

    /// What it costs of the windows of a stream.
    pub(crate) fn cost(&self) -> u64 {
        match self {
            Self::Framed(frame) => frame.cost(),
            Self::InPlace(_, length, _) => frame::cost(*length),
        }
    }
}

/// What a piece did.
#[derive(Debug)]
pub(crate) enum Added {
    /// There is no body that it belongs to: the call was refused or is over.
    Unknown,
    /// More is to come.
    More,
    /// The frame as if it had come at once, and when its front came.
    Whole(Frame, Instant),
    /// The body has more bytes than are taken; it is forgotten.
    TooLarge(Frame),
}

impl Pieces {
    /// The front of a body; `wanted` if somebody waits for it. An incomplete one of the same request is forgotten.
    pub(crate) fn begin(&mut self, key: Key, front: Frame, wanted: bool, now: Instant) {
        self.forget(key);
        self.calls += u32::from(front.kind == Kind::Call);
        let body = if wanted {
            front.body.to_vec()
        } else {
            Vec::new()
        };
        let length = body.len();
        self.held += length as u64;
        // The front must not keep the read buffer that it came in.
        let front = Frame {
            metadata: Bytes::copy_from_slice(&front.metadata),
            body: Bytes::new(),
            ..front
        };
        let partial = Partial {
            front,
            body,
            length,
            unwanted: !wanted,
            since: now,
        };
        self.bodies.insert(key, partial);
    }

    /// Lends the body that a piece of this length belongs to, so that its bytes are read right behind those that are there.
    /// The next piece of the same request gives it back. `None` if nobody wants them, if there would
    /// be too many, or if too few are there to be worth it.
    pub(crate) fn lend(&mut self, key: Key, length: usize, limit: u64) -> Option<Vec<u8>> {
        let partial = self.bodies.get_mut(&key)?;
        let fits = (partial.length + length) as u64 <= limit;
        let worth = partial.length >= LENT_FROM;
        (fits && worth && !partial.unwanted).then(|| std::mem::take(&mut partial.body))
    }

    /// A DATA frame.
    pub(crate) fn add(&mut self, key: Key, data: Piece, limit: u64, now: Instant) -> Added {
        let Some(partial) = self.bodies.get_mut(&key) else {
            return Added::Unknown;
        };
        if partial.front.kind != Kind::Item {
            self.stretch += data.len() as u64;
            if self.stretch >= STRETCH {
                (self.stretch, self.stretch_since) = (0, Some(now));
            }
        }
        if !partial.unwanted && (partial.length + data.len()) as u64 > limit {
            return match self.forget(key) {
                Some(partial) => Added::TooLarge(partial.front),
                None => Added::Unknown,
            };
        }
        let (flags, length) = (data.frame().flags, data.len());
        match data {
            _ if partial.unwanted => {}
            // It came in one piece and stays where it is, as the body of a frame does.
            Piece::Framed(data) if partial.length == 0 && flags & flag::MORE == 0 => {
                partial.front.body = data.body;
            }
            Piece::Framed(data) => {
                spares::reserve(&mut partial.body, length);
                partial.body.extend_from_slice(&data.body);
                partial.length += length;
                self.held += length as u64;
            }
            Piece::InPlace(_, _, body) => {
                partial.body = body;
                partial.length += length;
                self.held += length as u64;
            }
        }
        if flags & flag::MORE != 0 {
            return Added::More;
        }
        match self.forget(key) {
            Some(Partial {
                mut front,
                body,
                since,
                ..
            }) => {
                front.flags &= !flag::MORE;
                if !body.is_empty() {
                    front.body = spares::whole(body);
                }
                Added::Whole(front, since)
            }
            None => Added::Unknown,
        }
    }

    /// Keeps no more of the body of a request. The end of an answer is still to be told: it ends the call.
    pub(crate) fn discard(&mut self, key: Key) {
        match self.bodies.get_mut(&key) {
            Some(partial) if partial.front.kind == Kind::Reply => {
                self.held -= partial.length as u64;
                (partial.body, partial.length) = (Vec::new(), 0);
                partial.unwanted = true;
            }
            _ => drop(self.forget(key)),
        }
    }

    /// Forgets the incomplete body of a request; returns its front.
    #[inline]
    pub(crate) fn drop_body(&mut self, key: Key) -> Option<Frame> {
        self.forget(key).map(|partial| partial.front)
    }

    /// Whether what comes for this request is kept.
    pub(crate) fn keeps(&self, key: Key) -> bool {
        self.bodies
            .get(&key)
            .is_some_and(|partial| !partial.unwanted)
    }

    /// Whether the incomplete body of this request is an item; `None` if there is no such body.
    pub(crate) fn is_item(&self, key: Key) -> Option<bool> {
        let partial = self.bodies.get(&key)?;
        Some(partial.front.kind == Kind::Item)
    }

    /// Whether a body of this request is incomplete.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.bodies.contains_key(&key)
    }

    /// Calls whose parameters are incomplete.
    pub(crate) fn calls(&self) -> u32 {
        self.calls
    }

    /// Bytes of all incomplete bodies.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Since when the peer owes more of the bodies that are not complete: since the oldest of them began, or the last
    /// [`STRETCH`] of any of them came. They take turns, so one may have to wait for the end of others. Items are not asked
    /// about: their senders may be waiting for credit.
    pub(crate) fn owed_since(&self) -> Option<Instant> {
        let oldest = self
            .bodies
            .values()
            .filter(|partial| partial.front.kind != Kind::Item)
            .map(|partial| partial.since)
            .min()?;
        Some(self.stretch_since.map_or(oldest, |since| since.max(oldest)))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    #[inline]
    fn forget(&mut self, key: Key) -> Option<Partial> {
        // Most of the time there is none, and looking for a key in an empty map costs as much as in a full one.
        if self.bodies.is_empty() {
            return None;
        }
        let partial = self.bodies.remove(&key)?;
        self.held -= partial.length as u64;
        self.calls -= u32::from(partial.front.kind == Kind::Call);
        Some(partial)
    }
}
