//! One account of what all connections of a server, or of a channel, keep for their peers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that several connections keep together.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicU64,
    limit: u64,
}

/// The part of one connection; dropping it gives the part back.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<Memory>,
    charged: u64,
}

/// Parts are counted in steps of this, so that small calls cost the account nothing.
const STEP: u64 = 4 << 10;

/// A connection that keeps less is served even when others have used the account up.
const FLOOR: u64 = 16 << 10;

impl Memory {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        let used = AtomicU64::new(0);
        Arc::new(Self { used, limit })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The part of a new connection.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        let memory = self.clone();
        Share { memory, charged: 0 }
    }
}

impl Share {
    /// Notes what the connection keeps now.
    pub(crate) fn settle(&mut self, held: u64) {
        let now = held / STEP * STEP;
        if now > self.charged {
            let more = now - self.charged;
            self.memory.used.fetch_add(more, Ordering::Relaxed);
        } else if now < self.charged {
            let less = self.charged - now;
            self.memory.used.fetch_sub(less, Ordering::Relaxed);
        }
        self.charged = now;
    }

    /// Whether the connection, which keeps `held` bytes, may keep so many more.
    ///
    /// # Errors
    ///
    /// The account is used up; the text says so.
    pub(crate) fn check(&self, held: u64, more: u64) -> Result<(), String> {
        let used = self.memory.used() - self.charged + held;
        if used + more <= self.memory.limit || held + more <= FLOOR {
            return Ok(());
        }
        Err(format!(
            "all connections together keep {used} bytes already, {} are allowed; try again later",
            self.memory.limit
        ))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.settle(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_counts_all_shares_and_gets_back_what_they_leave() {
        let memory = Memory::new(100 << 10);
        let (mut hoarder, mut modest) = (memory.share(), memory.share());
        hoarder.settle(98 << 10);
        assert_eq!(memory.used(), 96 << 10, "in steps of 4 KiB");
        assert!(hoarder.check(98 << 10, 2 << 10).is_ok());
        assert!(hoarder.check(98 << 10, (2 << 10) + 1).is_err());
        assert!(
            modest.check(0, 16 << 10).is_ok(),
            "as little as that always"
        );
        let told = modest.check(0, (16 << 10) + 1).unwrap_err();
        assert!(told.contains("102400 are allowed"), "{told}");
        modest.settle(1);
        drop(hoarder);
        assert_eq!(memory.used(), 0);
        assert!(modest.check(0, 64 << 10).is_ok());
    }
}
