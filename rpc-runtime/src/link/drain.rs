//! Leaving a connection without losing a call: announce, wait until the peer has heard it, draw the line, finish.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Link, Phase, State};
use crate::wire::frame::{self, GoAwayPart, GoAwayReason, Kind};

/// A peer that does not answer PING has heard the announcement when nothing has come from it for this long. More than
/// the second after which a client that reads only while it calls looks at its connection before it calls.
const QUIET: Duration = Duration::from_millis(1_250);

/// Longest wait for a peer that has heard the announcement and goes on calling.
const ANNOUNCED_AT_MOST: Duration = Duration::from_secs(5);

/// The token of the PING behind an announcement; those of the keeper are 0.
pub(super) const ANNOUNCED: u64 = 1;

/// Half of the request IDs: the farthest line that still has no ID behind it.
const NO_LINE: u32 = i32::MAX as u32;

/// How far leaving has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaving {
    /// When the first GOAWAY was sent.
    announced: Option<Instant>,
    /// The PONG behind it is here: whatever the peer sent before it had heard is here too.
    heard: bool,
    /// The final GOAWAY was sent: further calls of the peer are refused.
    pub(super) refusing: bool,
}

/// When the peer has left, and over what time connecting again is to be spread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    at: Instant,
    spread: Duration,
}

impl Link {
    /// The whole of it: [`Link::announce`], [`Link::until_quiet`], [`Link::drain`], [`Link::idle`]. The link is still
    /// open then. Dropping the future stops wherever it is.
    pub(crate) async fn leave(&self, reason: GoAwayReason, message: &str) {
        self.announce(reason, message, Duration::ZERO);
        self.until_quiet().await;
        self.drain(reason, message, Duration::ZERO);
        self.idle().await;
    }

    /// Tells the peer to go elsewhere with new calls; those that come nevertheless are served.
    pub(crate) fn announce(&self, reason: GoAwayReason, message: &str, reconnect: Duration) {
        let mut state = self.lock();
        if state.phase == Phase::Closed || state.leaving != Leaving::default() {
            return;
        }
        state.leaving.announced = Some(Instant::now());
        // A peer that overlooks that this is not the final one finds none of its calls behind the line.
        let part = GoAwayPart {
            last_id: state.last_seen.wrapping_add(NO_LINE),
            reason,
            is_final: false,
            reconnect_ms: milliseconds(reconnect),
        };
        frame::write_go_away(state.out.buffer(), &part, message);
        frame::write_ping(state.out.buffer(), Kind::Ping, ANNOUNCED);
        drop(state);
        self.wake_keeper.notify_one();
    }

    /// Waits until every call is here that the peer sent before it had heard the announcement. Dropping the future does
    /// nothing.
    pub(crate) async fn until_quiet(&self) {
        let _ = timeout(ANNOUNCED_AT_MOST, async {
            loop {
                let heard = self.heard_announcement.notified();
                tokio::pin!(heard);
                heard.as_mut().enable();
                let due = {
                    let state = self.lock();
                    let over = state.phase == Phase::Closed || state.leaving.refusing;
                    match state.leaving.announced {
                        Some(announced) if !over && !state.leaving.heard => {
                            state.last_heard.max(announced) + QUIET
                        }
                        _ => return,
                    }
                };
                if due <= Instant::now() {
                    return;
                }
                let _ = timeout(due - Instant::now(), heard).await;
            }
        })
        .await;
    }

    /// Waits until the peer has given back every object that was lent to it: until then it may call them. Dropping the
    /// future does nothing.
    pub(crate) async fn given_back(&self) {
        loop {
            let released = self.idle.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            self.idle_wanted.store(true, Ordering::Relaxed);
            {
                let state = self.lock();
                if state.phase == Phase::Closed || state.objects.len() == 0 {
                    return;
                }
            }
            released.await;
        }
    }

    /// PONG for [`ANNOUNCED`].
    pub(super) fn on_announcement_heard(&self, state: &mut State) {
        if state.leaving.announced.is_some() {
            state.leaving.heard = true;
            self.heard_announcement.notify_waiters();
        }
    }

    /// Tells the peer which was its last call that is served, refuses those after it, and lets the others end.
    pub(crate) fn drain(&self, reason: GoAwayReason, message: &str, reconnect: Duration) {
        let mut state = self.lock();
        if state.phase == Phase::Closed || state.leaving.refusing {
            return;
        }
        state.leaving.refusing = true;
        let part = GoAwayPart {
            last_id: state.last_seen,
            reason,
            is_final: true,
            reconnect_ms: milliseconds(reconnect),
        };
        frame::write_go_away(state.out.buffer(), &part, message);
        drop(state);
        self.wake_keeper.notify_one();
    }

    /// Waits until both tasks of a closed link have ended: its last bytes are with the kernel, and the peer has seen
    /// the end, or had a second for it. Dropping the future does nothing.
    pub(crate) async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.lock().tasks == 0 {
                return;
            }
            ended.await;
        }
    }

    /// One of the two tasks has ended.
    pub(super) fn task_ended(&self) {
        let mut state = self.lock();
        state.tasks = state.tasks.saturating_sub(1);
        drop(state);
        self.ended.notify_waiters();
    }

    /// The peer takes no more calls, or is gone: connecting again is to be spread over this time.
    pub(super) fn peer_left(&self, spread: Duration) {
        let _ = self.left.set(Left {
            at: Instant::now(),
            spread: spread.min(frame::LONGEST_SPREAD),
        });
    }

    /// When the owner may connect again: a random moment of the time that the peer has named.
    pub(crate) fn reconnect_due(&self) -> Option<Instant> {
        let left = self.left.get()?;
        let spread = left.spread.mul_f64(crate::backoff::random_fraction());
        (!spread.is_zero()).then(|| left.at + spread)
    }
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
