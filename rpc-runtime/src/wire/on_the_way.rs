//! Large calls on their way: no more bytes of them at once than a cache holds until the peer reads them.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::by_id::ById;

/// Calls whose parameters have fewer bytes are not counted.
pub(crate) const LARGE: usize = 16 << 10;

/// So many bytes may be on their way when another body begins, if the peer answers at once. With 8 bodies of 64 KiB in turn,
/// an echo of these is twice as fast as with 64 (docs/performance.md).
pub(crate) const MOST: u64 = 512 << 10;

/// Where handlers wait for something, that many would let the peer do nothing. Then there is no limit to speak of.
const ANY: u64 = 1 << 30;

/// So many may be on their way whatever their length, so that both sides work.
const ALWAYS: usize = 2;

/// A call without an answer counts for so long from its last byte on, and for as long as its bytes take to be read. Its handler
/// is at work then, and whether it waits for something, for another of our calls perhaps, is not known here. One that does not
/// get out counts for as long from its first byte on: the line is slow then, and bodies take turns on it.
const LATELY: Duration = Duration::from_millis(4);

/// A peer that takes so long for most of the calls that it has at once is not as quick as it was for the one that it had alone:
/// calls differ.
const SLOW: u64 = 1_000_000;

/// What a peer could work off while it does not answer, in bytes for each nanosecond: more than any does.
const PACE: u64 = 8;

/// How long a look waits for calls that count no more and are not answered: those that wait behind each other are worked off
/// soon, those whose handlers wait are not.
const PATIENCE: Duration = Duration::from_millis(50);

/// Time between two looks at a peer that answers at once, and at one that does not: twice as long each time.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// So many looks count.
const LOOKS: usize = 4;

/// The large calls that count.
///
/// How many bytes of them are good depends on how long the peer takes for one that it has for itself: the first, and one from
/// time to time if there are many. A peer that leaves one without an answer is taken to be slow meanwhile.
#[derive(Debug)]
pub(crate) struct OnTheWay {
    calls: Vec<Large>,
    /// Those that counted once and are not answered, as far as that is known. The next look goes behind them.
    late: ById<u32, ()>,
    /// Since when none begins, for a look.
    emptied_since: Option<Instant>,
    /// How many bytes of them there may be.
    limit: u64,
    look: Look,
    pause: Duration,
    /// How many bytes the latest looks were for. The least counts: on a busy machine anything may take long.
    seen: [u64; LOOKS],
    /// Nanoseconds from the last byte to the answer of late, while there are few, without what reading takes.
    usual: u64,
}

/// ```text
/// Empty ──all answered──> Alone ──answered, or late──> At ──its time has come──> Empty
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The next one is due then.
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
    /// When the last of its bytes was given to a writer; before that, when it began.
    since: Instant,
    is_out: bool,
}

impl Large {
    /// How long it counts.
    fn until(&self) -> Instant {
        self.since + LATELY + Duration::from_nanos(self.bytes)
    }
}

impl OnTheWay {
    /// None, to a peer of which nothing is known.
    pub(crate) fn new() -> Self {
        Self {
            calls: Vec::new(),
            late: ById::default(),
            emptied_since: None,
            limit: MOST,
            look: Look::Empty,
            pause: PAUSE,
            seen: [ANY; LOOKS],
            usual: 0,
        }
    }

    /// Whether another call may begin.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        let known = self.calls.len();
        let late = &mut self.late;
        self.calls.retain(|call| {
            let counts = now < call.until();
            if !counts {
                late.insert(call.id, ());
            }
            counts
        });
        if self.calls.len() < known {
            self.limit = (self.limit * 4).min(ANY);
        }
        let unanswered = self.calls.len() + self.late.len();
        match self.look {
            Look::At(due) if due <= now && unanswered >= ALWAYS => self.look = Look::Empty,
            Look::Alone(_) if self.calls.is_empty() => self.looked(ANY, now),
            _ => {}
        }
        match self.look {
            Look::At(_) => {
                let bytes: u64 = self.calls.iter().map(|call| call.bytes).sum();
                self.calls.len() < ALWAYS || bytes < self.limit
            }
            Look::Empty => self.is_empty(now),
            Look::Alone(_) => false,
        }
    }

    /// Whether none is on its way, as far as that can be waited for.
    fn is_empty(&mut self, now: Instant) -> bool {
        if !self.calls.is_empty() || !self.late.is_empty() {
            let since = *self.emptied_since.get_or_insert(now);
            if !self.calls.is_empty() || now < since + PATIENCE {
                return false;
            }
            self.late.clear();
        }
        self.emptied_since = None;
        true
    }

    /// A call begins to go out.
    pub(crate) fn begin(&mut self, id: u32, bytes: u64, now: Instant) {
        if self.look == Look::Empty && self.calls.is_empty() {
            self.look = Look::Alone(id);
        }
        self.calls.push(Large {
            id,
            bytes,
            since: now,
            is_out: false,
        });
    }

    /// Its last byte was given to a writer, or is about to be.
    pub(crate) fn is_out(&mut self, id: u32, now: Instant) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id) {
            (call.since, call.is_out) = (now, true);
        }
    }

    /// It goes out no further.
    pub(crate) fn give_up(&mut self, id: u32) {
        self.calls.retain(|call| call.id != id);
        self.late.remove(&id);
        if self.look == Look::Alone(id) {
            self.look = Look::Empty;
        }
    }

    /// It is answered; whether it was known.
    pub(crate) fn answered(&mut self, id: u32, now: Instant) -> bool {
        let Some(at) = self.calls.iter().position(|call| call.id == id) else {
            return !self.late.is_empty() && self.late.remove(&id).is_some();
        };
        let call = self.calls.swap_remove(at);
        // Whoever answers before the end has not read it.
        let taken = match call.is_out {
            true => now.saturating_duration_since(call.since).as_nanos() as u64,
            false => 0,
        };
        if self.look == Look::Alone(id) {
            // Half a nanosecond for each byte is what reading it takes.
            let waited = taken.saturating_sub(call.bytes / 2);
            self.looked((waited * PACE).clamp(MOST, ANY), now);
        } else if self.limit == MOST {
            // A whole one, among others.
            let waited = taken.saturating_sub(call.bytes);
            self.usual = (self.usual * 7 + waited) / 8;
            if self.usual > SLOW {
                self.limit = ANY;
            }
        }
        true
    }

    fn looked(&mut self, found: u64, now: Instant) {
        self.seen.rotate_right(1);
        self.seen[0] = found;
        self.limit = self.seen.iter().copied().fold(ANY, u64::min);
        self.usual = 0;
        self.pause = if self.limit > MOST {
            (self.pause * 2).min(LONGEST_PAUSE)
        } else {
            PAUSE
        };
        self.look = Look::At(now + self.pause);
    }

    /// When there will be room without an answer, as far as that is known.
    pub(crate) fn room_at(&self) -> Option<Instant> {
        let counts_until = self.calls.iter().map(Large::until).min();
        counts_until.or_else(|| self.emptied_since.map(|since| since + PATIENCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 64 << 10;
    const CALLERS: usize = 64;

    /// How a peer answers.
    #[derive(Clone, Copy)]
    enum Peer {
        /// One after the other, so many microseconds each.
        Quick(u64),
        /// The same, but that the first takes 20 ms.
        SlowAtFirst(u64),
        /// All at once, after so many microseconds.
        Waits(u64),
        /// The same, but for those that it has alone, which it answers at once.
        WaitsAmongOthers(u64),
    }

    /// What callers of large calls got in a second, who make the next one as soon as they have their answer: how many calls
    /// were answered, and how many were on their way at most in its second half.
    fn second_of(peer: Peer) -> (usize, usize) {
        let start = Instant::now();
        let mut calls = OnTheWay::new();
        let (mut next, mut answered, mut most) = (0, 0, 0);
        // Requests and when they are answered.
        let mut at_work: Vec<(u32, u64)> = Vec::new();
        let (mut idle, mut free_at) = (CALLERS, 0);
        for at in (0..1_000_000).step_by(5) {
            let now = start + Duration::from_micros(at);
            at_work.retain(|(id, done)| {
                let is_done = *done <= at;
                if is_done {
                    calls.answered(*id, now);
                    (answered, idle) = (answered + 1, idle + 1);
                }
                !is_done
            });
            while idle > 0 && calls.has_room(now) {
                next += 1;
                calls.begin(next, SIZE, now);
                calls.is_out(next, now);
                let done = match peer {
                    Peer::WaitsAmongOthers(_) if at_work.is_empty() => at + 20,
                    Peer::Waits(time) | Peer::WaitsAmongOthers(time) => at + time,
                    Peer::SlowAtFirst(_) if next == 1 => at + 20_000,
                    Peer::Quick(time) | Peer::SlowAtFirst(time) => free_at.max(at) + time,
                };
                (free_at, idle) = (done, idle - 1);
                at_work.push((next, done));
            }
            if at > 500_000 {
                most = most.max(at_work.len());
            }
        }
        (answered, most)
    }

    #[test]
    fn a_peer_that_answers_at_once_gets_half_a_mebibyte_at_a_time_and_is_never_idle() {
        let (answered, most) = second_of(Peer::Quick(15));
        assert_eq!(most, 8);
        assert!(answered > 66_000, "{answered} of 66,667");
    }

    #[test]
    fn calls_that_wait_behind_each_other_are_not_taken_for_a_slow_peer() {
        // All of the callers go at once at first, and wait for each other for so long that they count no more.
        let (answered, most) = second_of(Peer::SlowAtFirst(100));
        assert!(most < CALLERS / 2, "{most}");
        assert!(answered > 9_400, "{answered} of 10,000");
    }

    #[test]
    fn a_peer_whose_handlers_wait_gets_all_there_are() {
        for (waits, least) in [(200, 0.8), (1_000, 0.95), (3_000, 0.9), (20_000, 0.9)] {
            let (answered, most) = second_of(Peer::Waits(waits));
            // No peer works off more than 8 GB in a second, whatever does not wait in it.
            let ideal = (CALLERS as f64 * 1e6 / waits as f64).min(8e9 / SIZE as f64);
            let share = answered as f64 / ideal;
            assert!(share > least, "{waits} us: {share}");
            assert!(most > 16, "{waits} us: {most}");
        }
    }

    #[test]
    fn calls_that_wait_get_on_although_the_one_that_was_looked_at_was_answered_at_once() {
        let (all, _) = second_of(Peer::Waits(3_000));
        let (mixed, _) = second_of(Peer::WaitsAmongOthers(3_000));
        assert!(mixed as f64 > all as f64 * 0.8, "{mixed} of {all}");
    }

    #[test]
    fn a_call_that_goes_alone_and_is_given_up_leaves_that_to_the_next() {
        let now = Instant::now();
        let mut calls = OnTheWay::new();
        assert!(calls.has_room(now));
        calls.begin(1, SIZE, now);
        assert!(!calls.has_room(now), "the first goes alone");
        calls.give_up(1);
        assert!(calls.has_room(now));
        calls.begin(2, SIZE, now);
        assert!(!calls.has_room(now));
        calls.is_out(2, now);
        let late = now + LATELY + Duration::from_nanos(SIZE);
        assert_eq!(calls.room_at(), Some(late));
        assert!(calls.has_room(late));
        assert!(calls.answered(2, late), "it counts no more, but is known");
        assert!(!calls.answered(2, late));
    }
}
