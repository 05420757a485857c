//! Large calls on their way: no more bytes of them at once than a cache holds until the peer reads them.

use std::time::Duration;

use tokio::time::Instant;

/// Calls whose parameters have fewer bytes are not counted.
pub(crate) const LARGE: usize = 16 << 10;

/// So many bytes may be on their way when another body begins, if the peer answers at once. With 8 bodies of 64 KiB in turn,
/// an echo of these is twice as fast as with 64 (docs/performance.md).
pub(crate) const MOST: u64 = 512 << 10;

/// Where handlers wait for something, that many would let the peer do nothing. Then there is no limit to speak of.
const ANY: u64 = 1 << 30;

/// So many may be on their way whatever their length, so that both sides work.
const ALWAYS: usize = 3;

/// A call without an answer counts for so long from its last byte on, and for as long as its bytes take to be read. Its handler
/// is at work then, and whether it waits for something, for another of our calls perhaps, is not known here.
const LATELY: Duration = Duration::from_millis(1);

/// What a peer could work off while it does not answer, in bytes for each nanosecond: more than any does.
const PACE: u64 = 8;

/// Time between two looks whether a peer that was slow is so still; twice as long each time that it is.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The large calls that count.
///
/// How many bytes of them are good depends on how long the peer takes for one that it has for itself. A peer that leaves one
/// without an answer is taken to be slow at once. From time to time one goes alone, to see whether it still is.
#[derive(Debug)]
pub(crate) struct OnTheWay {
    calls: Vec<Large>,
    /// How many bytes of them there may be.
    limit: u64,
    look: Look,
    pause: Duration,
}

/// ```text
/// At ──its time has come──> Empty ──all answered──> Alone ──answered, or late──> At
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The next one is due then, if the peer is slow.
    At(Instant),
    /// None begins before all are answered.
    Empty,
    /// This one is on its way alone.
    Alone(u32),
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
    /// None, to a peer of which nothing is known.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            calls: Vec::new(),
            limit: MOST,
            look: Look::At(now),
            pause: PAUSE,
        }
    }

    /// Whether another call may begin.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        let known = self.calls.len();
        self.calls
            .retain(|call| call.until().is_none_or(|until| now < until));
        if self.calls.len() < known {
            let was_quick = self.limit == MOST;
            self.limit = (self.limit * 4).min(ANY);
            if was_quick || matches!(self.look, Look::Alone(_)) {
                self.looked(now);
            }
        }
        if let Look::At(due) = self.look
            && self.limit > MOST
            && due <= now
        {
            self.look = Look::Empty;
        }
        match self.look {
            Look::At(_) => {
                let bytes: u64 = self.calls.iter().map(|call| call.bytes).sum();
                self.calls.len() < ALWAYS || bytes < self.limit
            }
            Look::Empty => self.calls.is_empty(),
            Look::Alone(_) => false,
        }
    }

    /// A call begins to go out.
    pub(crate) fn begin(&mut self, id: u32, bytes: u64) {
        if self.look == Look::Empty && self.calls.is_empty() {
            self.look = Look::Alone(id);
        }
        let out = None;
        self.calls.push(Large { id, bytes, out });
    }

    /// Its last byte was given to a writer, or is about to be.
    pub(crate) fn is_out(&mut self, id: u32, now: Instant) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id) {
            call.out = Some(now);
        }
    }

    /// It goes out no further.
    pub(crate) fn give_up(&mut self, id: u32) {
        self.calls.retain(|call| call.id != id);
        if self.look == Look::Alone(id) {
            self.look = Look::Empty;
        }
    }

    /// It is answered; whether it was known.
    pub(crate) fn answered(&mut self, id: u32, now: Instant) -> bool {
        let Some(at) = self.calls.iter().position(|call| call.id == id) else {
            return false;
        };
        let Large { bytes, out, .. } = self.calls.swap_remove(at);
        if self.look == Look::Alone(id) {
            if let Some(out) = out {
                // Half a nanosecond for each byte is what reading it takes.
                let taken = now.saturating_duration_since(out).as_nanos() as u64;
                self.limit = (taken.saturating_sub(bytes / 2) * PACE).clamp(MOST, ANY);
            }
            self.looked(now);
        }
        true
    }

    fn looked(&mut self, now: Instant) {
        self.pause = if self.limit > MOST {
            (self.pause * 2).min(LONGEST_PAUSE)
        } else {
            PAUSE
        };
        self.look = Look::At(now + self.pause);
    }

    /// When there will be room without an answer, as far as that is known.
    pub(crate) fn room_at(&self) -> Option<Instant> {
        self.calls.iter().filter_map(Large::until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 64 << 10;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// Begins calls while there is room, 64 at most; how many.
    fn fill(calls: &mut OnTheWay, next: &mut u32, now: Instant) -> usize {
        let mut begun = 0;
        while begun < 64 && calls.has_room(now) {
            *next += 1;
            calls.begin(*next, SIZE);
            calls.is_out(*next, now);
            begun += 1;
        }
        begun
    }

    #[test]
    fn a_peer_that_answers_at_once_gets_half_a_mebibyte_at_a_time() {
        let (mut now, mut next) = (Instant::now(), 0);
        let mut calls = OnTheWay::new(now);
        assert_eq!(fill(&mut calls, &mut next, now), 8);
        for answered in 1..10_000 {
            now += Duration::from_micros(15);
            assert!(calls.answered(answered, now));
            assert_eq!(fill(&mut calls, &mut next, now), 1);
        }
        assert!(!calls.answered(1, now), "a late answer");
    }

    #[test]
    fn a_peer_whose_handlers_wait_gets_all_soon_and_is_looked_at_now_and_then() {
        let (start, mut next) = (Instant::now(), 0);
        let mut calls = OnTheWay::new(start);
        assert_eq!(fill(&mut calls, &mut next, start), 8);
        // None is answered, and there are always others. In each millisecond begin:
        let mut begun = (1..1_000).map(|at| fill(&mut calls, &mut next, start + ms(at)));
        let first: Vec<_> = begun.by_ref().take(4).collect();
        assert_eq!(first, [0, 32, 0, 64]);
        let rest: Vec<_> = begun.collect();
        let count = |of| rest.iter().filter(|count| **count == of).count();
        // One goes alone after 40, 80, 160, 320 ms, and the others wait for as long as it counts.
        assert_eq!((count(1), count(0)), (4, 8));
        assert_eq!(count(64), rest.len() - 12);
    }

    #[test]
    fn a_peer_that_was_slow_for_a_moment_is_known_to_be_quick_again() {
        let (start, mut next) = (Instant::now(), 0);
        let mut calls = OnTheWay::new(start);
        fill(&mut calls, &mut next, start);
        assert_eq!(fill(&mut calls, &mut next, start + ms(2)), 32);
        (9..=40).for_each(|id| assert!(calls.answered(id, start + ms(3))));
        let late = start + ms(50);
        assert_eq!(fill(&mut calls, &mut next, late), 1, "alone");
        assert_eq!(
            calls.room_at(),
            Some(late + LATELY + Duration::from_nanos(SIZE))
        );
        let soon = late + Duration::from_micros(60);
        assert!(calls.answered(41, soon));
        assert_eq!(fill(&mut calls, &mut next, soon), 8);
    }

    #[test]
    fn a_call_that_goes_alone_and_is_given_up_leaves_that_to_the_next() {
        let (start, mut next) = (Instant::now(), 0);
        let mut calls = OnTheWay::new(start);
        fill(&mut calls, &mut next, start);
        fill(&mut calls, &mut next, start + ms(2));
        let late = start + ms(50);
        assert_eq!(fill(&mut calls, &mut next, late), 1);
        calls.give_up(next);
        assert_eq!(fill(&mut calls, &mut next, late), 1);
    }
}
