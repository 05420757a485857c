//! Large calls on their way: no more bytes of them at once than a cache holds until the peer reads them.

use std::time::Duration;

use tokio::time::Instant;

/// Calls whose parameters have fewer bytes are not counted.
pub(crate) const LARGE: usize = 16 << 10;

/// So many bytes may be on their way when another body begins. With 8 bodies of 64 KiB in turn, an echo of these is twice as
/// fast as with 64 (docs/performance.md).
pub(crate) const MOST: u64 = 512 << 10;

/// So many may be on their way whatever their length, so that both sides work.
const ALWAYS: usize = 2;

/// A call without an answer counts for so long from its last byte on. Its handler is at work then: whether it waits for
/// something, for another of our calls perhaps, is not known here, so it must not hold up others for long.
const LATELY: Duration = Duration::from_millis(1);

/// The large calls that count.
#[derive(Debug, Default)]
pub(crate) struct OnTheWay {
    calls: Vec<Large>,
}

#[derive(Debug)]
struct Large {
    id: u32,
    bytes: u64,
    /// When the last of its bytes was given to a writer.
    out: Option<Instant>,
}

impl Large {
    /// How long it counts, if that is known yet.
    fn until(&self) -> Option<Instant> {
        let reading = Duration::from_nanos(self.bytes);
        self.out.map(|out| out + LATELY + reading)
    }
}

impl OnTheWay {
    /// Whether another call may begin.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        self.calls
            .retain(|call| call.until().is_none_or(|until| now < until));
        let bytes: u64 = self.calls.iter().map(|call| call.bytes).sum();
        self.calls.len() < ALWAYS || bytes < MOST
    }

    /// A call begins to go out.
    pub(crate) fn begin(&mut self, id: u32, bytes: u64) {
        let out = None;
        self.calls.push(Large { id, bytes, out });
    }

    /// Its last byte was given to a writer, or is about to be.
    pub(crate) fn is_out(&mut self, id: u32, now: Instant) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id) {
            call.out = Some(now);
        }
    }

    /// It is answered, or goes out no further; whether it was known.
    pub(crate) fn forget(&mut self, id: u32) -> bool {
        let at = self.calls.iter().position(|call| call.id == id);
        at.map(|at| self.calls.swap_remove(at)).is_some()
    }

    /// When there will be room without an answer, as far as that is known.
    pub(crate) fn room_at(&self) -> Option<Instant> {
        self.calls.iter().filter_map(Large::until).min()
    }
}
