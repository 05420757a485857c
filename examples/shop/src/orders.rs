//! Orders, in this process: pays and waits, packs without waiting, changes the order when answers come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpc_runtime::CallError;
use tokio::sync::Notify;

use crate::shop::common::v1::OrderId;
use crate::shop::order::v1::{Order, OrderError, Orders, Status};
use crate::shop::payment::v1::PaymentClient;
use crate::shop::warehouse::v1::WarehouseClient;

/// All orders, and the way to those who pay and pack.
#[derive(Clone)]
pub struct OrderBook {
    payment: PaymentClient,
    warehouse: WarehouseClient,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    orders: Mutex<BTreeMap<OrderId, Order>>,
    changed: Notify,
}

impl OrderBook {
    /// An empty book.
    pub fn new(payment: PaymentClient, warehouse: WarehouseClient) -> Self {
        Self {
            payment,
            warehouse,
            book: Arc::default(),
        }
    }

    /// Waits until the warehouse has answered for every order that was paid.
    pub async fn settled(&self) {
        loop {
            let changed = self.book.changed.notified();
            if self
                .book
                .lock()
                .values()
                .all(|order| matches!(order.status, Status::Packed | Status::Refused))
            {
                return;
            }
            changed.await;
        }
    }

    /// Every order.
    pub fn all(&self) -> Vec<Order> {
        self.book.lock().values().cloned().collect()
    }
}

impl Orders for OrderBook {
    async fn place(&self, order: Order) -> Result<Order, OrderError> {
        let id = order.id;
        self.book.change(order.clone(), Status::Placed, "placed");
        // Synchronous: the customer waits until the money is there.
        match self.payment.pay(id, &order.total, &order.method).await {
            Ok(receipt) => {
                self.book
                    .note(id, Status::Paid, format!("paid at {}", receipt.taken_by))
            }
            Err(failure) => {
                self.warehouse.forget(id).forget();
                let reason = match failure {
                    CallError::Declared { error, .. } => error.to_string(),
                    CallError::Failed(error) => error.to_string(),
                };
                self.book.note(id, Status::Refused, reason.clone());
                return Err(OrderError::NotPaid(reason));
            }
        }
        // Asynchronous: the answer changes the order when it comes.
        let book = self.book.clone();
        self.warehouse
            .pack(id, &order.lines, false)
            .on_reply(move |outcome| match outcome {
                Ok(parcel) => book.note(
                    id,
                    Status::Packed,
                    format!("{} pieces on {}", parcel.pieces, parcel.shelf),
                ),
                Err(failure) => book.note(id, Status::Refused, failure.to_string()),
            });
        self.find(id).await
    }

    async fn find(&self, id: OrderId) -> Result<Order, OrderError> {
        self.book
            .lock()
            .get(&id)
            .cloned()
            .ok_or(OrderError::Unknown(id))
    }
}

impl Book {
    fn change(&self, mut order: Order, status: Status, word: &str) {
        order.status = status;
        order.history.push(word.to_owned());
        self.lock().insert(order.id, order);
        self.changed.notify_waiters();
    }

    fn note(&self, id: OrderId, status: Status, word: String) {
        if let Some(order) = self.lock().get_mut(&id) {
            order.status = status;
            order.history.push(word);
        }
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<OrderId, Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
