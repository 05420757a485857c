//! The payment process: takes money, once for each order.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rpc_runtime::{Server, Timestamp};

use crate::shop::common::v1::{Money, OrderId};
use crate::shop::payment::v1::{Method, Payment, PaymentError, PaymentService, Receipt};

/// Remembers what was paid, so that asking twice takes the money once.
struct Bank {
    name: String,
    receipts: Mutex<HashMap<OrderId, Receipt>>,
}

/// A server that takes payments.
pub fn server(name: &str) -> Server {
    Server::new().add(PaymentService::new(Bank {
        name: name.to_owned(),
        receipts: Mutex::default(),
    }))
}

impl Payment for Bank {
    async fn pay(
        &self,
        order: OrderId,
        amount: Money,
        method: Method,
    ) -> Result<Receipt, PaymentError> {
        match method {
            Method::Card { number, .. } if number.starts_with("0000") => {
                return Err(PaymentError::Declined {
                    reason: "the card is blocked".to_owned(),
                });
            }
            Method::Voucher(code) if code != "WELCOME" => {
                return Err(PaymentError::UnknownVoucher(code));
            }
            _ => {}
        }
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let receipt = || Receipt::new(order, amount, &*self.name, Timestamp::now());
        Ok(receipts.entry(order).or_insert_with(receipt).clone())
    }
}
