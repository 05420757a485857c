//! The keeper of a link: writes what the socket did not take at once, and watches the clock.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::objects::drop_objects;
use super::{Link, Phase, Role, State};
use crate::error::Error;
use crate::spares;
use crate::wire::frame::{self, GoAwayReason, Kind};
use crate::wire::pieces::STRETCH;
use crate::wire::streams::Side;

/// Time for the last bytes (a GOAWAY, mostly) to leave when a link closes.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// Timers of an idle link never sleep longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

enum Event {
    Woken,
    /// What waited is written; whether there is more.
    Flushed(io::Result<bool>),
    Timer,
}

impl Link {
    /// Runs until the link is closed, then lets the last bytes leave.
    pub(super) async fn keep_loop(self: Arc<Self>) {
        let mut timer = pin!(sleep_until(Instant::now()));
        // Set while the socket does not take what we have.
        let mut blocked_since: Option<Instant> = None;
        loop {
            let over = {
                let state = self.lock();
                if state.phase == Phase::Closed {
                    break;
                }
                state.is_over()
            };
            if over {
                self.close(self.close_reason());
                break;
            }
            let (now, due) = self.next_due(blocked_since);
            if due <= now {
                // On a busy link there is always something else, which the timer would wait for.
                self.on_timer(blocked_since);
                continue;
            }
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            let mut woken = pin!(self.wake_keeper.notified());
            let event = poll_fn(|cx| {
                if blocked_since.is_some()
                    && let Poll::Ready(outcome) = self.poll_flush(cx)
                {
                    return Poll::Ready(Event::Flushed(outcome));
                }
                if woken.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Event::Woken);
                }
                timer.as_mut().poll(cx).map(|()| Event::Timer)
            })
            .await;
            match event {
                Event::Woken if blocked_since.is_none() => {
                    // Lets every caller that the same read made ready append its frame to the same write.
                    yield_now().await;
                    blocked_since = Some(Instant::now());
                }
                Event::Woken => {}
                Event::Flushed(Ok(false)) => blocked_since = None,
                // Callers go on while this writes; those that are about to, too, share the next write.
                Event::Flushed(Ok(true)) => yield_now().await,
                Event::Flushed(Err(error)) => self.close(Error::lost(&self.peer, error)),
                Event::Timer => self.on_timer(blocked_since),
            }
        }
        let last = poll_fn(|cx| {
            loop {
                match self.poll_flush(cx) {
                    Poll::Ready(Ok(true)) => {}
                    Poll::Ready(_) => return self.poll_shutdown(cx),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        let _ = timeout(LAST_WORDS, last).await;
    }

    /// What time it is, and when the clock must be looked at next.
    fn next_due(&self, blocked_since: Option<Instant>) -> (Instant, Instant) {
        let mut state = self.lock();
        let now = Instant::now();
        let mut due = now + LONGEST_SLEEP;
        let mut earlier =
            |instant: Option<Instant>| due = instant.map_or(due, |instant| due.min(instant));
        earlier(state.next_deadline);
        earlier(state.deadlines.next());
        earlier(self.stall_due(&state, blocked_since));
        earlier(self.ping_due(&state));
        earlier(self.idle_due(&state));
        earlier(self.piece_due(&state));
        earlier(state.out.held_until());
        earlier(spares::due());
        state.keeper_due = due;
        (now, due)
    }

    /// When a peer that takes none of our output, or next to none, is given up.
    fn stall_due(&self, state: &State, blocked_since: Option<Instant>) -> Option<Instant> {
        blocked_since.map(|since| since.max(state.last_written) + self.limits.write_stall_timeout)
    }

    /// When to ask whether the peer is there, or to give it up.
    fn ping_due(&self, state: &State) -> Option<Instant> {
        let wait = match self.role {
            // A client without calls has nothing to lose; its pings would only be load.
            Role::Client if state.calls.live() == 0 => return None,
            Role::Client => self.limits.client_ping_timeout,
            Role::Server => self.limits.server_ping_timeout,
        };
        Some(match state.ping_sent {
            Some(sent) => sent + wait,
            None => state.last_heard.max(state.last_call) + self.ping_after(),
        })
    }

    /// Silence after which the peer is asked whether it is there.
    pub(super) fn ping_after(&self) -> Duration {
        let after = match self.role {
            Role::Client => self.limits.client_ping_after,
            Role::Server => self.limits.server_ping_after,
        };
        let announced = u64::from(self.peer_hello.min_ping_interval_ms);
        after.max(Duration::from_millis(announced))
    }

    /// When a server closes a connection that nobody uses.
    pub(super) fn idle_due(&self, state: &State) -> Option<Instant> {
        // Whoever holds an object will call it some time, on this connection or not at all.
        let unused = state.objects.len() == 0 && state.borrowed == 0;
        let idle = self.role == Role::Server && unused && !state.works() && state.calls.live() == 0;
        idle.then(|| state.last_call + self.limits.idle_timeout)
    }

    /// When a peer is given up that does not send the rest of a body.
    fn piece_due(&self, state: &State) -> Option<Instant> {
        let since = state.pieces.owed_since()?;
        Some(since + self.limits.frame_timeout)
    }

    fn on_timer(&self, blocked_since: Option<Instant>) {
        let now = Instant::now();
        let stalled = self.stall_due(&self.lock(), blocked_since);
        if stalled.is_some_and(|due| due <= now) {
            let text = format!(
                "it took less than {STRETCH} bytes of our output within {:?}",
                self.limits.write_stall_timeout
            );
            return self.close(Error::lost(&self.peer, text));
        }
        self.expire_calls(now);
        self.expire_handlers(now);
        if spares::due().is_some_and(|due| due <= now) {
            spares::give_back();
        }
        let mut state = self.lock();
        if state.out.holds() && state.out.begin_held(now) {
            self.wake_keeper.notify_one();
        }
        let (ping, idle) = (self.ping_due(&state), self.idle_due(&state));
        let asked = state.ping_sent.is_some();
        let piece = self.piece_due(&state);
        drop(state);
        if piece.is_some_and(|due| due <= now) {
            let text = format!(
                "less than {STRETCH} bytes of a body that is not complete came within {:?}",
                self.limits.frame_timeout
            );
            return self.go_away(GoAwayReason::Limit, &text);
        }
        if idle.is_some_and(|due| due <= now) {
            let text = format!("no call for {:?}", self.limits.idle_timeout);
            // A call may have come meanwhile.
            let still = |state: &State| self.idle_due(state).is_some_and(|due| due <= now);
            return self.go_away_if(GoAwayReason::Idle, &text, still);
        }
        if ping.is_some_and(|due| due <= now) {
            if asked {
                return self.close(Error::lost(&self.peer, "it does not answer PING"));
            }
            let mut state = self.lock();
            state.ping_sent = Some(now);
            frame::write_ping(state.out.buffer(), Kind::Ping, 0);
            drop(state);
            self.flush_now();
        }
    }

    fn expire_calls(&self, now: Instant) {
        let mut state = self.lock();
        if state.next_deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        let (mut expired, mut back) = (Vec::new(), Vec::new());
        let State {
            calls,
            out,
            streams,
            pieces,
            objects,
            ..
        } = &mut *state;
        expired.extend(calls.expire_unsent(now, out, |id| back.extend(objects.settle(id, false))));
        let offered = out.offered();
        let next = calls.expire(now, offered, |id, waker| {
            let key = (Side::Ours, id);
            frame::write_cancel(out.buffer(), id);
            out.drop_body(key);
            pieces.discard(key);
            expired.extend(streams.stopped(key));
            expired.extend(waker);
        });
        state.next_deadline = next;
        self.made_room(&state);
        drop(state);
        expired.into_iter().for_each(std::task::Waker::wake);
        drop_objects(back);
        self.flush_now();
    }
}
