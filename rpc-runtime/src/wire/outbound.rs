//! Frames on their way out, and how many of their bytes the kernel has taken.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

use crate::wire::body::Body;
use crate::wire::frame::{self, KIND_AT, PADDING, flag};
use crate::wire::hello::Hello;
use crate::wire::on_the_way::{MOST, OnTheWay};
use crate::wire::streams::{Grant, Key, Side};

/// Bytes that wait to be written, with their position in the whole stream of the connection.
///
/// Positions are what tells `NotSent` from `Unknown`: a frame whose first byte was not handed over was not sent, one
/// whose last byte was not handed over cannot have been dispatched.
///
/// Large bodies wait beside the frames and are cut when there is room for a piece: small frames that come later
/// overtake them.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// Bodies are cut into pieces of this size.
    piece: usize,
    /// Those up to this one, which is not less, are not.
    whole: usize,
    waiting: Vec<u8>,
    /// Parts of frames that are not copied, with their places in what waits.
    apart: Vec<(usize, Bytes)>,
    /// Bytes of those.
    apart_bytes: usize,
    /// Stream position of the first waiting byte.
    taken: u64,
    /// Stream position up to which the kernel has the bytes.
    handed: u64,
    bodies: VecDeque<Rest>,
    pieces_cut: u32,
    /// Bodies of our calls that begin when others are answered.
    held: VecDeque<Rest>,
    /// Our large calls that went out a moment ago, where it is looked after that there are not too many.
    on_the_way: Option<OnTheWay>,
    /// Bytes of the bodies that are not cut yet.
    uncut: u64,
    /// Bodies whose last piece was cut since this was last asked for, and where it ends.
    complete: Vec<(Key, u64)>,
    /// RELEASEs that come behind bodies of calls which may name the object.
    releases: Vec<Held>,
}

/// The RELEASE of an object, and the bodies that it waits for.
#[derive(Debug)]
struct Held {
    object: u64,
    behind: Vec<Key>,
}

/// The rest of a body whose front is out already.
#[derive(Debug)]
struct Rest {
    key: Key,
    body: Body,
}

/// Large bodies are cut into pieces of this size, or of less if the peer takes less in one frame.
pub(crate) const PIECE: usize = 64 << 10;

/// Bodies and items up to this go out whole: 64 KiB of the user's with what stands around them are not worth two pieces.
pub(crate) const WHOLE: usize = PIECE + (1 << 10);

/// Pieces are given to a writer until there are so many bytes of them.
const AT_ONCE: usize = 256 << 10;

/// Bodies that pieces are taken of; those behind them wait, so that the peer need not hold the beginnings of all. The one that
/// is complete soonest goes first: it is worked on while the others go out.
const ABREAST: usize = 4;

/// One of so many pieces is of the oldest body, however long that is.
const FOR_OLDEST: u32 = 4;

impl Default for Outbound {
    fn default() -> Self {
        Self::new(PIECE)
    }
}

impl Outbound {
    /// Nothing yet; bodies up to so many bytes will not be cut.
    pub(crate) fn new(whole: usize) -> Self {
        Self {
            piece: whole.min(PIECE),
            whole,
            waiting: Vec::new(),
            apart: Vec::new(),
            apart_bytes: 0,
            taken: 0,
            handed: 0,
            bodies: VecDeque::new(),
            pieces_cut: 0,
            held: VecDeque::new(),
            on_the_way: None,
            uncut: 0,
            complete: Vec::new(),
            releases: Vec::new(),
        }
    }

    /// For a peer that says this of itself, and not too many large calls at once.
    pub(crate) fn paced(peer: &Hello) -> Self {
        Self {
            on_the_way: Some(OnTheWay::new()),
            ..Self::new(peer.whole())
        }
    }

    /// Stream position of the next byte that is appended.
    pub(crate) fn end(&self) -> u64 {
        self.taken + (self.waiting.len() + self.apart_bytes) as u64
    }

    /// Where frames are appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Appends a body to the frame whose head is in the buffer.
    pub(crate) fn append(&mut self, body: &Body) {
        for part in body.parts() {
            if Body::is_small(part) {
                self.waiting.extend_from_slice(part);
            } else {
                self.apart_bytes += part.len();
                self.apart.push((self.waiting.len(), part.clone()));
            }
        }
    }

    /// Sends a body in DATA frames after what waits now; its front, with the flag that says so, is in the buffer.
    pub(crate) fn add_body(&mut self, key: Key, body: Body) {
        self.uncut += body.len() as u64;
        self.bodies.push_back(Rest { key, body });
    }

    /// The same, when enough of the large calls that went out are answered, or out for a while.
    pub(crate) fn hold_body(&mut self, key: Key, body: Body) {
        self.uncut += body.len() as u64;
        self.held.push_back(Rest { key, body });
    }

    /// Whether large calls wait for others.
    pub(crate) fn is_paced(&self) -> bool {
        self.on_the_way.is_some()
    }

    /// Whether a large call may go out now.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        let unread = self.queued() >= MOST;
        let on_the_way = self.on_the_way.as_mut();
        self.held.is_empty()
            && !unread
            && self.bodies.len() < ABREAST
            && on_the_way.is_none_or(|calls| calls.has_room(now))
    }

    /// Notes one that goes out.
    pub(crate) fn begins(&mut self, id: u32, length: usize, now: Instant) {
        if let Some(calls) = &mut self.on_the_way {
            calls.begin(id, length as u64, now);
        }
    }

    /// Notes that all of it went out.
    pub(crate) fn is_out(&mut self, id: u32, now: Instant) {
        if let Some(calls) = &mut self.on_the_way {
            calls.is_out(id, now);
        }
    }

    /// A call is answered; whether bodies that are held go out for it.
    pub(crate) fn answered(&mut self, id: u32, now: Instant) -> bool {
        let calls = self.on_the_way.as_mut();
        calls.is_some_and(|calls| calls.answered(id, now)) && self.begin_held(now)
    }

    /// Has bodies go out that were held, as far as there is room; whether there were some.
    pub(crate) fn begin_held(&mut self, now: Instant) -> bool {
        let (unread, mut any) = (self.queued() >= MOST, false);
        let Some(calls) = self.on_the_way.as_mut().filter(|_| !unread) else {
            return false;
        };
        while !self.held.is_empty() && self.bodies.len() < ABREAST && calls.has_room(now) {
            if let Some(rest) = self.held.pop_front() {
                calls.begin(rest.key.1, rest.body.len() as u64, now);
                self.bodies.push_back(rest);
                any = true;
            }
        }
        any
    }

    /// Whether bodies are held.
    #[inline]
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// When bodies that are held may go out without an answer; none if that is not the clock's to say.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        // While much is unread, it is for the peer to say, and for the writer while bodies go out.
        let waits = self.holds() && self.queued() < MOST && self.bodies.len() < ABREAST;
        self.on_the_way.as_ref().filter(|_| waits)?.room_at()
    }

    /// Appends a CREDIT if one is due; for all streams if the request ID is 0.
    pub(crate) fn grant(&mut self, grant: Grant, key: Key) {
        if let Some(bytes) = grant {
            let flags = match key {
                (Side::Theirs, 1..) => flag::CALLEE,
                _ => 0,
            };
            frame::write_credit(&mut self.waiting, flags, key.1, bytes);
        }
    }

    /// Appends the RELEASE of an object, behind the last pieces of the calls that are on their way: they may name it.
    pub(crate) fn release(&mut self, object: u64) {
        let ours = self.bodies.iter().chain(&self.held).map(|rest| rest.key);
        let behind: Vec<_> = ours.filter(|(side, _)| *side == Side::Ours).collect();
        if behind.is_empty() {
            frame::write_release(&mut self.waiting, object, 1);
        } else {
            self.releases.push(Held { object, behind });
        }
    }

    /// A body is out, or is not sent any more.
    fn body_is_over(&mut self, key: Key) {
        for held in &mut self.releases {
            held.behind.retain(|known| *known != key);
        }
        for held in self.releases.extract_if(.., |held| held.behind.is_empty()) {
            frame::write_release(&mut self.waiting, held.object, 1);
        }
    }

    /// Forgets the rest of a body; whether there was one.
    pub(crate) fn drop_body(&mut self, key: Key) -> bool {
        let of_key = |rest: &Rest| rest.key == key;
        let rest = match self.bodies.iter().position(of_key) {
            Some(at) => self.bodies.remove(at),
            None => {
                let at = self.held.iter().position(of_key);
                at.and_then(|at| self.held.remove(at))
            }
        };
        let Some(rest) = rest else {
            return false;
        };
        self.uncut -= rest.body.len() as u64;
        if let (Side::Ours, Some(calls)) = (key.0, &mut self.on_the_way) {
            calls.give_up(key.1);
        }
        self.body_is_over(key);
        true
    }

    /// Whether the rest of a body of this request waits to be cut.
    pub(crate) fn has_body(&self, key: Key) -> bool {
        let mut bodies = self.bodies.iter().chain(&self.held);
        bodies.any(|rest| rest.key == key)
    }

    /// Whether the rest of any body waits to be cut, or is held.
    pub(crate) fn has_bodies(&self) -> bool {
        !self.bodies.is_empty() || self.holds()
    }

    /// Bytes of the bodies that are not cut yet.
    pub(crate) fn uncut(&self) -> u64 {
        self.uncut
    }

    /// Bytes of frames that the kernel does not have yet; what is left of large bodies waits beside them.
    pub(crate) fn queued(&self) -> u64 {
        self.end() - self.handed
    }

    /// Forgets all bodies; for the end of the connection.
    pub(crate) fn drop_bodies(&mut self) {
        self.bodies.clear();
        self.held.clear();
        self.releases.clear();
        self.uncut = 0;
    }

    /// Takes the body that the next piece is of from its place.
    fn next_body(&mut self) -> Option<(usize, Rest)> {
        self.pieces_cut = self.pieces_cut.wrapping_add(1);
        let first = match self.pieces_cut.is_multiple_of(FOR_OLDEST) {
            true => 1,
            false => ABREAST,
        };
        let left = self.bodies.iter().take(first).map(|rest| rest.body.len());
        let (place, _) = left.enumerate().min_by_key(|(_, left)| *left)?;
        let rest = self.bodies.remove(place)?;
        Some((place, rest))
    }

    /// Swaps what waits for an empty buffer. The caller writes it and tells [`Outbound::handed_over`].
    pub(crate) fn take(&mut self, empty: Vec<u8>) -> Vec<u8> {
        let mut pieces = Vec::new();
        let frames = self.take_apart(empty, &mut pieces);
        if pieces.is_empty() {
            return frames;
        }
        let mut whole = Vec::new();
        let mut from = 0;
        for (at, piece) in pieces {
            whole.extend_from_slice(&frames[from..at]);
            whole.extend_from_slice(&piece);
            from = at;
        }
        whole.extend_from_slice(&frames[from..]);
        whole
    }

    /// The same, without the pieces of large bodies: those are not copied. Each comes with its place among the frames.
    pub(crate) fn take_apart(
        &mut self,
        empty: Vec<u8>,
        pieces: &mut Vec<(usize, Bytes)>,
    ) -> Vec<u8> {
        debug_assert!(empty.is_empty() && pieces.is_empty());
        let mut apart = self.apart_bytes;
        std::mem::swap(&mut self.apart, pieces);
        self.taken += apart as u64;
        self.apart_bytes = 0;
        // A few pieces at a time, so that what is small and comes meanwhile waits for those and not for a body; and some
        // always, so that a body gets on beside streams that never pause.
        while apart < AT_ONCE
            && let Some((place, mut rest)) = self.next_body()
        {
            let whole = rest.body.len() <= self.whole;
            let (head, piece) = rest.body.take(if whole { self.whole } else { self.piece });
            let length = head.len() + piece.len();
            self.uncut -= length as u64;
            let mut flags = match rest.key.0 {
                Side::Ours => 0,
                Side::Theirs => flag::CALLEE,
            };
            if !rest.body.is_empty() {
                flags |= flag::MORE;
            }
            frame::write_data_head(&mut self.waiting, flags, rest.key.1, length);
            self.waiting.extend_from_slice(&head);
            apart += piece.len();
            // What waits is counted by its length still, and the piece is not in it.
            self.taken += piece.len() as u64;
            pieces.push((self.waiting.len(), piece));
            if rest.body.is_empty() {
                self.complete.push((rest.key, self.end()));
                self.body_is_over(rest.key);
            } else {
                self.bodies.insert(place, rest);
            }
        }
        self.taken += self.waiting.len() as u64;
        std::mem::replace(&mut self.waiting, empty)
    }

    /// Bodies that were cut to their end since the last time.
    pub(crate) fn completed(&mut self) -> Vec<(Key, u64)> {
        std::mem::take(&mut self.complete)
    }

    /// Makes padding of the frame that begins at a position; `false` if a writer has it already.
    pub(crate) fn void(&mut self, start: u64) -> bool {
        let Some(from_here) = start.checked_sub(self.taken) else {
            return false;
        };
        // Frames begin in the buffer; what stands apart before this one is not in it.
        let mut at = from_here as usize;
        for (place, part) in &self.apart {
            if *place < at {
                at -= part.len();
            }
        }
        let kind = self.waiting.get_mut(at + KIND_AT);
        kind.map(|kind| *kind = PADDING).is_some()
    }

    /// Stream position up to which a writer has the bytes: the kernel may have them, whatever is counted yet.
    pub(crate) fn offered(&self) -> u64 {
        self.taken
    }

    /// Counts bytes that the kernel has taken.
    pub(crate) fn handed_over(&mut self, bytes: usize) {
        self.handed += bytes as u64;
    }

    /// Whether nothing waits to be taken by a writer. What is held does not.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.bodies.is_empty()
    }

    /// Bytes that the kernel does not have yet, those in a writer's hands included.
    pub(crate) fn unsent(&self) -> u64 {
        self.end() - self.handed + self.uncut
    }

    /// Stream position up to which the kernel has the bytes.
    pub(crate) fn handed(&self) -> u64 {
        self.handed
    }
}
