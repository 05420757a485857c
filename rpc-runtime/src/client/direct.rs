//! A channel to one address: one connection, opened when needed, opened again when lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::breaker::Breaker;
use crate::client::profile::Profile;
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::link::{self, Link, Terms};
use crate::msgpack_rpc;
use crate::task::{self, Work, boxed};
use crate::transport::{self, Address};

/// One peer and the connection to it. Dropping it lets the calls on their way end, then the connection closes.
#[derive(Debug)]
pub(crate) struct Direct {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: Address,
    profile: Arc<Profile>,
    breaker: Option<Arc<Breaker>>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    link: Option<Arc<Link>>,
    backoff: Backoff,
    /// No attempt is made before this; the error says why the last one failed.
    wait: Option<(Instant, Error)>,
    attempt: Option<Attempt>,
    /// The end of `link` was looked at.
    loss_noted: bool,
}

/// Connecting, for all who wait. It has a task of its own: callers that give up soon would otherwise begin it again and
/// again, and a peer that swallows packets would never be found out.
#[derive(Debug)]
struct Attempt {
    outcome: Arc<Outcome>,
    task: AbortHandle,
}

/// What comes of an attempt. Those who wait are woken in the order in which they came.
#[derive(Debug, Default)]
struct Outcome {
    said: OnceLock<Result<Arc<Link>>>,
    /// The task is gone: it has said something, or its runtime has ended.
    over: AtomicBool,
    told: Notify,
}

impl Outcome {
    /// `None` if the attempt was given up.
    async fn wait(&self) -> Option<Result<Arc<Link>>> {
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.over.load(Ordering::Acquire) {
                return self.said.get().cloned();
            }
            told.await;
        }
    }
}

/// Tells that an attempt is over, also when its task is dropped.
struct Tell(Arc<Outcome>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
        self.0.told.notify_waiters();
    }
}

impl Attempt {
    /// Whether its task is there; a runtime that ended has taken it along.
    fn is_under_way(&self) -> bool {
        !self.outcome.over.load(Ordering::Acquire)
    }
}

impl Direct {
    pub(crate) fn new(address: Address, profile: Arc<Profile>) -> Self {
        let current = Mutex::new(Current {
            link: None,
            backoff: Backoff::default(),
            wait: None,
            attempt: None,
            loss_noted: false,
        });
        let shared = Shared {
            breaker: Breaker::new(&profile.breaker, &address),
            address,
            profile,
            current,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Says whether calls go there; `None` if nothing keeps them from it.
    pub(crate) fn breaker(&self) -> Option<&Breaker> {
        self.shared.breaker.as_deref()
    }

    /// The connection if there is one; it may turn out to be closed when a call begins.
    pub(crate) fn ready(&self) -> Option<Arc<Link>> {
        self.shared.lock().link.clone()
    }

    /// Whether a call could begin, or an attempt to connect could be made, right now.
    pub(crate) fn is_usable(&self) -> bool {
        if self.breaker().is_some_and(|breaker| !breaker.is_passable()) {
            return false;
        }
        let mut current = self.shared.lock();
        if current.link.as_ref().is_some_and(|link| link.is_open()) {
            return true;
        }
        current.note_loss();
        let connecting = current.attempt.as_ref().is_some_and(Attempt::is_under_way);
        let waits = current
            .wait
            .as_ref()
            .is_some_and(|(until, _)| *until > Instant::now());
        !connecting && !waits
    }

    /// The connection, opened if there is none. Dropping the future does not stop the attempt.
    ///
    /// # Errors
    ///
    /// `unavailable`, not sent: nobody listens, or the last attempt failed and the next one is not due, or the circuit
    /// breaker is open.
    pub(crate) fn link(&self) -> Work<'_, Result<Arc<Link>>> {
        boxed(self.connected())
    }

    async fn connected(&self) -> Result<Arc<Link>> {
        if let Some(breaker) = self.breaker() {
            breaker.check()?;
        }
        loop {
            let outcome = {
                let mut current = self.shared.lock();
                if let Some(link) = current.link.as_ref().filter(|link| link.is_open()) {
                    return Ok(link.clone());
                }
                current.note_loss();
                match &current.attempt {
                    Some(attempt) if attempt.is_under_way() => attempt.outcome.clone(),
                    _ => {
                        self.shared.check_wait(&current)?;
                        let attempt = self.attempt();
                        let outcome = attempt.outcome.clone();
                        current.attempt = Some(attempt);
                        outcome
                    }
                }
            };
            // An attempt whose runtime ended is begun again, on ours.
            if let Some(outcome) = outcome.wait().await {
                return outcome;
            }
        }
    }

    fn attempt(&self) -> Attempt {
        let outcome = Arc::new(Outcome::default());
        let tell = Tell(outcome.clone());
        let (address, profile) = (self.shared.address.clone(), self.shared.profile.clone());
        let (shared, breaker) = (Arc::downgrade(&self.shared), self.shared.breaker.clone());
        let task = task::spawn(async move {
            let connected = connect(&address, &profile, breaker).await;
            let outcome = keep(&shared, connected);
            let _ = tell.0.said.set(outcome);
        });
        Attempt {
            outcome,
            task: task.abort_handle(),
        }
    }
}

async fn connect(
    address: &Address,
    profile: &Profile,
    breaker: Option<Arc<Breaker>>,
) -> Result<Arc<Link>> {
    let patience = profile.terms.limits.write_stall_timeout;
    let reached = async {
        let io = transport::connect_by(
            profile.transport.as_ref(),
            address,
            &profile.security,
            patience,
        )
        .await?;
        let token = profile.wallet.token(&io.peer, io.is_private).await?;
        Ok::<_, Error>((io, token))
    };
    // For a host that swallows packets; the handshake has a limit of its own, which says more.
    let Ok(reached) = timeout(profile.terms.limits.handshake_timeout, reached).await else {
        let silent = Error::unavailable(format!("{address} does not answer"));
        return Err(silent.with_peer(address.to_string()));
    };
    let (mut io, token) = reached?;
    let mut exports = profile.exports.clone();
    let terms = Terms {
        breaker,
        ..profile.terms.clone()
    };
    if let Some(spoken) = &profile.spoken {
        if token.is_some() {
            let text = "MessagePack-RPC has no place for a token: make this channel without one, and let the transport or the network vouch for it";
            return Err(Error::new(ErrorKind::FailedPrecondition, text).with_peer(io.peer));
        }
        exports = msgpack_rpc::translate(&mut io, spoken, &terms.limits, exports);
    }
    link::connect(io, terms, exports, token).await
}

/// Notes what came of an attempt.
fn keep(shared: &Weak<Shared>, connected: Result<Arc<Link>>) -> Result<Arc<Link>> {
    let Some(shared) = shared.upgrade() else {
        let gone = Error::unavailable("the channel was dropped");
        if let Ok(link) = connected {
            link.close(gone.clone());
        }
        return Err(gone);
    };
    let mut current = shared.lock();
    current.attempt = None;
    match &connected {
        Ok(link) => {
            let old = current.link.replace(link.clone());
            current.backoff.reset();
            current.wait = None;
            current.loss_noted = false;
            drop(current);
            shared.profile.compare(link);
            // A peer that takes no more calls on it need not be trusted to close it.
            if let Some(old) = old {
                old.replaced();
            }
        }
        Err(error) => {
            let pause = current.backoff.next();
            let pause = error.retry_after().map_or(pause, |due| due.max(pause));
            current.wait = Some((Instant::now() + pause, error.clone()));
        }
    }
    connected
}

impl Current {
    /// Heeds, once, when the peer of a connection that has ended wants to see its clients again: not all of them at the
    /// same moment.
    fn note_loss(&mut self) {
        if self.loss_noted {
            return;
        }
        let Some(link) = &self.link else { return };
        self.loss_noted = true;
        if let Some(due) = link.reconnect_due() {
            self.wait = Some((due, link.close_reason().with_execution(Execution::NotSent)));
        }
    }
}

impl Shared {
    fn check_wait(&self, current: &Current) -> Result<()> {
        let Some((until, error)) = &current.wait else {
            return Ok(());
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let left = Duration::from_millis(left.as_millis() as u64 + 1);
        let text = format!("{}; the next attempt is due in {left:?}", error.message());
        // Of the same kind: who was refused as a stranger is not to take it for a passing failure.
        Err(Error::new(error.kind(), text)
            .with_peer(self.address.to_string())
            .with_retry_after(Some(left)))
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let current = self
            .current
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(attempt) = current.attempt.take() {
            attempt.task.abort();
        }
        // Calls hold the channel, so there are none, unless the instance has left a list while they run.
        if let Some(link) = current.link.take() {
            link.retire();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::server::router::Router;
    use crate::transport::Listener;

    #[tokio::test(start_paused = true)]
    async fn an_attempt_to_connect_outlives_the_call_that_began_it() {
        let address = Address::parse("mem://slow-to-accept").unwrap();
        let (mut listener, _) = Listener::bind(None, &address, Duration::MAX).await.unwrap();
        let profile = Arc::new(Profile::new(Limits::default(), None));
        let direct = Direct::new(address, profile.clone());
        for _ in 0..3 {
            let hurry = timeout(Duration::from_secs(1), direct.link());
            hurry.await.expect_err("nobody says HELLO yet");
            assert!(!direct.is_usable(), "others are to be preferred meanwhile");
        }
        let io = listener.accept().await.unwrap();
        let router = Arc::new(Router::default());
        let server = link::accept(io, profile.terms.clone(), router).await;
        let server = server.unwrap();
        assert!(direct.link().await.unwrap().is_open());
        let another = timeout(Duration::from_secs(1), listener.accept()).await;
        assert!(another.is_err(), "one connection is enough");
        drop(direct);
        server.closed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_swallows_packets_is_found_out_whatever_callers_wait() {
        let address = Address::parse("mem://never-accepts").unwrap();
        let (_listener, _) = Listener::bind(None, &address, Duration::MAX).await.unwrap();
        let direct = Direct::new(address, Arc::new(Profile::new(Limits::default(), None)));
        let hurry = timeout(Duration::from_secs(1), direct.link());
        hurry.await.expect_err("nobody says HELLO");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let shared = direct.shared.lock();
        assert!(shared.wait.is_some(), "the failure was noted");
    }
}
