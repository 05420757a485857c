//! The connections of a blocking channel, and when an address that was lost may be connected to again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use crate::backoff::Backoff;
use crate::breaker::{Breaker, BreakerPolicy, BreakerState};
use crate::error::{Error, Execution};
use crate::transport::Address;

/// What is known of the addresses of a channel.
#[derive(Default)]
pub(super) struct Known {
    open: Vec<(Address, Arc<Connection>)>,
    /// Addresses that there is no connection to, with the reason.
    waits: Vec<Wait>,
    /// As far as they were called.
    breakers: Vec<(Address, Arc<Breaker>)>,
}

struct Wait {
    address: Address,
    due: Instant,
    why: Error,
    backoff: Backoff,
}

/// A wait that was over for this long is forgotten: whoever finds addresses in a registry sees many come and go.
const FORGOTTEN: Duration = Duration::from_secs(60);

impl Known {
    /// The open connection to an address; forgets those that have ended.
    pub(super) fn connection(&mut self, address: &Address) -> Option<Arc<Connection>> {
        let waits = &mut self.waits;
        self.open.retain(|(address, connection)| {
            let Some((why, due)) = connection.end() else {
                return true;
            };
            if let Some(due) = due {
                waits.retain(|wait| wait.address != *address);
                waits.push(Wait {
                    address: address.clone(),
                    due,
                    why: why.with_execution(Execution::NotSent),
                    backoff: Backoff::default(),
                });
            }
            false
        });
        let mut open = self.open.iter();
        open.find(|(known, _)| known == address)
            .map(|(_, connection)| connection.clone())
    }

    /// Says whether an address is called; `None` if nothing keeps calls from it. Those of addresses that are not listed any
    /// more are forgotten.
    pub(super) fn breaker(
        &mut self,
        address: &Address,
        policy: &BreakerPolicy,
        listed: &[Address],
    ) -> Option<Arc<Breaker>> {
        let mut breakers = self.breakers.iter();
        if let Some((_, breaker)) = breakers.find(|(known, _)| known == address) {
            return Some(breaker.clone());
        }
        self.breakers.retain(|(known, _)| listed.contains(known));
        let breaker = Breaker::new(policy, address)?;
        self.breakers.push((address.clone(), breaker.clone()));
        Some(breaker)
    }

    /// What the breakers do now.
    pub(super) fn breakers(&self) -> Vec<(String, BreakerState)> {
        let states = self.breakers.iter();
        states
            .map(|(address, breaker)| (address.to_string(), breaker.state()))
            .collect()
    }

    /// Whether an address may be connected to now.
    ///
    /// # Errors
    ///
    /// The next attempt is not due: why the last one failed, and when to come again.
    pub(super) fn check_wait(&mut self, address: &Address) -> Result<(), Error> {
        let now = Instant::now();
        self.waits.retain(|wait| wait.due + FORGOTTEN > now);
        let wait = self.waits.iter().find(|wait| wait.address == *address);
        let Some(wait) = wait.filter(|wait| wait.due > now) else {
            return Ok(());
        };
        let left = Duration::from_millis((wait.due - now).as_millis() as u64 + 1);
        let text = format!(
            "{}; the next attempt is due in {left:?}",
            wait.why.message()
        );
        // Of the same kind: who was refused as a stranger is not to take it for a passing failure.
        Err(Error::new(wait.why.kind(), text)
            .with_peer(address.to_string())
            .with_retry_after(Some(left)))
    }

    /// Takes a new connection, or gives the one that another thread has opened meanwhile: nobody would read a second.
    pub(super) fn opened(&mut self, address: &Address, opened: Connection) -> Arc<Connection> {
        self.waits.retain(|wait| wait.address != *address);
        if let Some(first) = self.connection(address) {
            return first;
        }
        let opened = Arc::new(opened);
        self.open.push((address.clone(), opened.clone()));
        opened
    }

    /// An attempt to connect has failed.
    pub(super) fn failed(&mut self, address: &Address, why: Error) {
        let now = Instant::now();
        let at = self.waits.iter().position(|wait| wait.address == *address);
        let mut backoff = match at.map(|at| self.waits.swap_remove(at)) {
            // Another thread has failed just now: together that is one failure.
            Some(wait) if wait.due > now => return self.waits.push(wait),
            Some(wait) => wait.backoff,
            None => Backoff::default(),
        };
        let pause = backoff.next();
        let pause = why.retry_after().map_or(pause, |due| due.max(pause));
        self.waits.push(Wait {
            address: address.clone(),
            due: now + pause,
            why,
            backoff,
        });
    }
}
