//! Payments without a pause, to see what a killed process costs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rpc_runtime::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;

use crate::shop::common::v1::Money;
use crate::shop::payment::v1::{Method, PaymentClient};

/// Callers at once.
const CALLERS: u64 = 8;

/// Callers that pay for one order after the other until they are stopped.
pub struct Load {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    paid: AtomicU64,
    /// When each instance answered last.
    last_answer: Mutex<HashMap<String, Instant>>,
}

impl Load {
    /// Starts the callers, with a channel of their own.
    pub async fn start(address: &str) -> Result<Self> {
        let payment = PaymentClient::connect(address).await?;
        let shared = Arc::new(Shared::default());
        let callers =
            (0..CALLERS).map(|caller| tokio::spawn(pay(payment.clone(), shared.clone(), caller)));
        Ok(Self {
            callers: callers.collect(),
            shared,
        })
    }

    /// Waits until an instance has answered.
    pub async fn until(&self, instance: &str) {
        while !self.shared.last_answer().contains_key(instance) {
            tokio::task::yield_now().await;
        }
    }

    /// Stops the callers and says what they saw; an error if any payment failed.
    pub async fn stop(self, killed: Instant, victim: &str) -> Result<String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller
                .await
                .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))??;
        }
        let last = self
            .shared
            .last_answer()
            .get(victim)
            .copied()
            .unwrap_or(killed);
        let after = last
            .checked_duration_since(killed)
            .unwrap_or(Duration::ZERO);
        let paid = self.shared.paid.load(Ordering::Relaxed);
        Ok(format!(
            "{paid} payments under load, none failed; the last answer of {victim} came {after:.1?} after the kill"
        ))
    }
}

impl Shared {
    fn last_answer(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.last_answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pay(payment: PaymentClient, shared: Arc<Shared>, caller: u64) -> Result<()> {
    let amount = Money::new(100);
    for number in 0.. {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        // A few orders again and again: each is paid once, so the books stay small.
        let order = 1_000_000 + caller * 1_000 + number % 1_000;
        let receipt = payment.pay(order, &amount, &Method::Transfer).await?;
        shared
            .last_answer()
            .insert(receipt.taken_by, Instant::now());
        shared.paid.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
