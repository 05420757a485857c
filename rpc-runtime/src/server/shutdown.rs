//! How a server goes: not ready, off the lists, announced, quiet, refusing, finished, closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::backoff::random_fraction;
use crate::discovery::Provider;
use crate::error::Error;
use crate::link::{self, Link};
use crate::server::serving::{Serving, Shared};
use crate::wire::frame::GoAwayReason;

/// What clients are told when the server stops.
pub(super) const SHUTTING_DOWN: &str = "this server is shutting down";

/// Time between leaving the registries and telling the clients, unless said otherwise: as long as it takes until the
/// last consumer has heard of it.
pub(super) const PROPAGATION: Duration = Duration::from_secs(1);

/// Clients that are sent away come back spread over this much for each of them: a thousand a second and a half.
const RECONNECT_EACH: Duration = Duration::from_micros(1_500);
const RECONNECT_AT_LEAST: Duration = Duration::from_millis(100);
const RECONNECT_AT_MOST: Duration = Duration::from_secs(30);

/// Time for the last bytes when everything is done.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Ends a shutdown, to its end or in the middle.
struct StopOnDrop<'a>(&'a mut Serving);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Serving {
    /// Stops in an order in which no call is lost:
    ///
    /// 1. not ready: [`Serving::is_ready`] says so, and with it health checks;
    /// 2. leaves the registries, and goes on serving for [`Server::propagation`](crate::Server::propagation);
    /// 3. tells every client to go elsewhere, and goes on serving until all of them have heard it; then new connections
    ///    are sent away with the same words;
    /// 4. takes no more connections and refuses what comes nevertheless, as *not started*;
    /// 5. lets the running calls finish, and closes.
    ///
    /// All of it takes no longer than `limit`; then whatever is left is closed. Dropping the future stops at once.
    pub async fn shutdown(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        let stop = StopOnDrop(self);
        let _ = timeout_at(end, stop.0.wind_down()).await;
        let links = stop.0.shared.every_link();
        let acceptors = std::mem::take(&mut stop.0.acceptors);
        drop(stop);
        // Whoever comes next may listen on the same addresses: they are free when their tasks are gone.
        for acceptor in acceptors {
            acceptor.abort();
            let _ = acceptor.await;
        }
        // Were the process to end now, what is in the buffers of the connections would go with it.
        let last_words = async {
            for link in &links {
                link.ended().await;
            }
        };
        let end = end.min(Instant::now() + LAST_WORDS);
        let _ = timeout_at(end, last_words).await;
        self.stopped.send_replace(true);
    }

    async fn wind_down(&mut self) {
        // First of all, so that whoever looks at it sends nobody here any more.
        self.shared.health.stop();
        self.shared.ready.send_replace(false);
        let listed = !self.providers.is_empty();
        // All at once: a registry that hangs takes its time from the calls.
        self.providers.iter_mut().for_each(Provider::leave);
        for provider in self.providers.drain(..) {
            provider.left().await;
        }
        let propagation = if listed { PROPAGATION } else { Duration::ZERO };
        let propagation = self.propagation.unwrap_or(propagation);
        if !propagation.is_zero() {
            sleep(propagation).await;
        }
        let count = u32::try_from(self.shared.links().len()).unwrap_or(u32::MAX);
        let reconnect = RECONNECT_EACH
            .saturating_mul(count)
            .clamp(RECONNECT_AT_LEAST, RECONNECT_AT_MOST);
        let reason = GoAwayReason::Shutdown;
        // Some clients hear it only when they call next. Whoever connects meanwhile is served, and told in the second
        // round: a client that knows no other address is without a server for a round trip, not for all of it.
        for round in 0..2 {
            self.shared.leaving.store(round == 1, Ordering::Release);
            let links = self.shared.every_link();
            for link in &links {
                link.announce(reason, SHUTTING_DOWN, reconnect);
            }
            for link in &links {
                link.until_quiet().await;
            }
        }
        // Whoever waits to be accepted is sent away with a word.
        self.shared.closing.send_replace(true);
        // None is let go of before it has ended: the time may be up in between.
        while let Some(acceptor) = self.acceptors.last_mut() {
            let _ = acceptor.await;
            self.acceptors.pop();
        }
        for link in self.shared.every_link() {
            link.drain(reason, SHUTTING_DOWN, reconnect);
        }
        // Those too whose handshake was under way.
        loop {
            let links = self.shared.every_link();
            for link in &links {
                link.announce(reason, SHUTTING_DOWN, reconnect);
                link.until_quiet().await;
                link.drain(reason, SHUTTING_DOWN, reconnect);
                link.idle().await;
            }
            // Those that say nothing have no calls either.
            let _ = timeout(LAST_WORDS, self.shared.handshakes_over()).await;
            let known = |link: &Arc<Link>| links.iter().any(|other| Arc::ptr_eq(link, other));
            if self.shared.every_link().iter().all(known) {
                return;
            }
        }
    }

    pub(super) fn stop(&mut self) {
        self.shared.health.stop();
        self.shared.ready.send_replace(false);
        self.shared.leaving.store(true, Ordering::Release);
        self.shared.stopping.store(true, Ordering::Release);
        self.providers.clear();
        for acceptor in self.acceptors.drain(..) {
            acceptor.abort();
        }
        for link in self.shared.every_link() {
            link.close(Error::unavailable("this server has stopped"));
        }
        self.shared.links().clear();
    }
}

/// Keeps a link until it closes, has come to its age, or the server goes.
pub(super) async fn keep(shared: &Shared, link: &Arc<Link>) {
    if shared.stopping.load(Ordering::Acquire) {
        return link.go_away(GoAwayReason::Shutdown, SHUTTING_DOWN);
    }
    if shared.leaving.load(Ordering::Acquire) {
        // Its handshake was under way; what its client has sent meanwhile is served.
        link.leave(GoAwayReason::Shutdown, SHUTTING_DOWN).await;
    }
    let due = shared.terms.limits.max_connection_age.map(|age| {
        let jitter = 0.9 + 0.2 * random_fraction();
        Instant::now() + Duration::try_from_secs_f64(age.as_secs_f64() * jitter).unwrap_or(age)
    });
    if let Some(due) = due
        && timeout_at(due, link.closed()).await.is_err()
    {
        let text = "this connection has come to its age; connect again";
        let (reason, grace) = (
            GoAwayReason::Shutdown,
            shared.terms.limits.max_connection_age_grace,
        );
        let left = async {
            link.announce(reason, text, Duration::ZERO);
            link.until_quiet().await;
            // An object lives on its connection: whoever has one may use it up, for half of the time.
            let _ = timeout(grace / 2, link.given_back()).await;
            link.leave(reason, text).await;
        };
        let _ = timeout(grace, left).await;
        link.close(Error::unavailable(text));
    }
    link.closed().await;
}

/// Sends a connection away that came while the server goes.
pub(super) async fn send_away(io: crate::transport::Io, shared: &Shared) {
    link::turn_away(
        io,
        &shared.terms.limits,
        GoAwayReason::Shutdown,
        SHUTTING_DOWN,
    )
    .await;
}
