//! Whole items of one stream that lie one behind the other in the input. They are kept as they came, frames and all, and cut
//! only when they are read: what is kept is what they cost, and nothing is made for each of them on the way.

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::frame::{HEADER, Kind, LENGTH_FIELD, flag};
use crate::wire::outbound::WHOLE;

/// Bytes of the items that are taken together, unless a single one has more; and no more than a part of the window, so that credit
/// is given back in time.
const LONGEST: usize = 32 << 10;
const OF_WINDOW: usize = 8;

/// Bytes of items that were not read and get others behind them, so that a few bytes at a time do not take a place each.
const JOINED: usize = 2 << 10;

/// How long a run may be, for a window of a stream.
pub(crate) fn longest(stream_window: u32) -> usize {
    LONGEST.min(stream_window as usize / OF_WINDOW)
}

/// Items in the read buffer, at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// Of each of them.
    pub(crate) flags: u8,
    pub(crate) request_id: u32,
    count: u32,
    frames: &'a [u8],
}

/// Items that nobody has read yet, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    count: u32,
    frames: BytesMut,
}

impl<'a> Run<'a> {
    /// The items at the start of the input that can be taken so: whole ones that are here to the end, have no metadata, and the same
    /// flags. What is anything else, or wrong, is left to who takes frames.
    #[inline]
    pub(crate) fn at_start(input: &'a [u8], max_frame: u32, longest: usize) -> Option<Self> {
        let (flags, request_id, mut next) = item(input)?;
        if flags & flag::MORE != 0 {
            return None;
        }
        let largest = (max_frame as usize + LENGTH_FIELD).min(HEADER + WHOLE);
        let (mut end, mut count) = (0, 0);
        while next <= largest && next <= input.len() - end && (count == 0 || end + next <= longest)
        {
            (end, count) = (end + next, count + 1);
            match item(&input[end..]) {
                Some((same, id, length)) if (same, id) == (flags, request_id) => next = length,
                _ => break,
            }
        }
        (count > 0).then_some(Self {
            flags,
            request_id,
            count,
            frames: &input[..end],
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Their bytes, headers included: what they cost of the windows.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }
}

impl From<Run<'_>> for Unread {
    /// A copy: a view of the read buffer would keep all of it, which the windows do not count.
    fn from(run: Run<'_>) -> Self {
        Self {
            count: run.count,
            frames: BytesMut::from(run.frames),
        }
    }
}

impl Unread {
    /// Takes a run of the same stream behind what is here already, if both are short.
    pub(crate) fn join(&mut self, run: &Self, longest: usize) -> bool {
        let joins = self.frames.len() + run.frames.len() <= JOINED.min(longest);
        if joins {
            self.frames.extend_from_slice(&run.frames);
            self.count += run.count;
        }
        joins
    }

    /// What they cost of the windows.
    pub(crate) fn cost(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Takes the first one.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let (.., length) = item(&self.frames)?;
        self.count -= 1;
        let mut frame = self.frames.split_to(length);
        frame.advance(HEADER);
        Some(frame.freeze())
    }

    /// All of them, to be read one by one.
    pub(crate) fn freeze(self) -> (Bytes, u32) {
        (self.frames.freeze(), self.count)
    }
}

/// Takes the first item off whole frames.
#[inline]
pub(crate) fn next_of(frames: &mut Bytes) -> Option<Bytes> {
    let (.., length) = item(frames)?;
    frames.advance(HEADER);
    Some(frames.split_to(length - HEADER))
}

/// Flags, request ID and length of the ITEM without metadata that begins here.
#[inline]
fn item(input: &[u8]) -> Option<(u8, u32, usize)> {
    const ITEM: u8 = Kind::Item as u8;
    let [l0, l1, l2, l3, ITEM, flags, 0, 0, id @ ..] = *input.first_chunk::<HEADER>()? else {
        return None;
    };
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize + LENGTH_FIELD;
    (length >= HEADER).then(|| (flags, u32::from_le_bytes(id), length))
}
