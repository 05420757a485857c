//! The auction house: lots that clients hold by reference, and that call their bidders and sellers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpc_runtime::{Context, Handle};

use crate::{Auctions, Lot, LotClient, LotService, NotTaken, PurseClient, SellerClient};

type Lots = Arc<Mutex<HashMap<String, OnSale>>>;

/// Keeps the lots that are open.
#[derive(Default)]
pub struct House {
    lots: Lots,
}

/// A lot. Clones are the same one: each client that asks for it gets a handle to a clone.
#[derive(Clone)]
struct OnSale {
    what: String,
    lots: Lots,
    seller: Handle<SellerClient>,
    highest: Arc<Mutex<u64>>,
}

impl Auctions for House {
    async fn open(&self, what: &str, seller: Handle<SellerClient>) -> Handle<LotClient> {
        let lot = OnSale {
            what: what.to_owned(),
            lots: self.lots.clone(),
            seller,
            highest: Arc::default(),
        };
        lock(&self.lots).insert(lot.what.clone(), lot.clone());
        Handle::new(LotService::new(lot))
    }

    async fn find(&self, what: &str) -> Option<Handle<LotClient>> {
        let lot = lock(&self.lots).get(what)?.clone();
        Some(Handle::new(LotService::new(lot)))
    }
}

impl Lot for OnSale {
    async fn bid(&self, context: &Context, cents: u64) -> Result<(), NotTaken> {
        // The bidder waits for its bid, and is asked meanwhile, on the same connection.
        let Some(caller) = context.caller() else {
            return Err(NotTaken::NoPurse("a call within this process".to_owned()));
        };
        match PurseClient::new(caller).allows(cents).await {
            Ok(true) => {}
            Ok(false) => return Err(NotTaken::NotAllowed),
            Err(failure) => return Err(NotTaken::NoPurse(failure.to_string())),
        }
        {
            let mut highest = lock(&self.highest);
            if cents <= *highest {
                return Err(NotTaken::TooLow(*highest));
            }
            *highest = cents;
        }
        // A seller that is gone hears nothing; the bid counts all the same.
        let _ = self.seller.heard(cents).await;
        Ok(())
    }

    async fn sell(&self) -> u64 {
        lock(&self.lots).remove(&self.what);
        *lock(&self.highest)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
