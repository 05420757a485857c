//! Frames on their way out, and how many of their bytes the kernel has taken.

use crate::wire::frame::{KIND_AT, PADDING};

/// Bytes that wait to be written, with their position in the whole stream of the connection.
///
/// Positions are what tells `NotSent` from `Unknown`: a frame whose first byte was not handed over was not sent, one
/// whose last byte was not handed over cannot have been dispatched.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    waiting: Vec<u8>,
    /// Stream position of the first waiting byte.
    taken: u64,
    /// Stream position up to which the kernel has the bytes.
    handed: u64,
}

impl Outbound {
    /// Stream position of the next byte that is appended.
    pub(crate) fn end(&self) -> u64 {
        self.taken + self.waiting.len() as u64
    }

    /// Where frames are appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Swaps what waits for an empty buffer. The caller writes it and tells [`Outbound::handed_over`].
    pub(crate) fn take(&mut self, empty: Vec<u8>) -> Vec<u8> {
        debug_assert!(empty.is_empty());
        self.taken += self.waiting.len() as u64;
        std::mem::replace(&mut self.waiting, empty)
    }

    /// Makes padding of the frame that begins at a position; `false` if a writer has it already.
    pub(crate) fn void(&mut self, start: u64) -> bool {
        let kind = start
            .checked_sub(self.taken)
            .and_then(|at| self.waiting.get_mut(at as usize + KIND_AT));
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

    /// Whether nothing waits to be taken by a writer.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that the kernel does not have yet, those in a writer's hands included.
    pub(crate) fn unsent(&self) -> u64 {
        self.end() - self.handed
    }

    /// Stream position up to which the kernel has the bytes.
    pub(crate) fn handed(&self) -> u64 {
        self.handed
    }
}
