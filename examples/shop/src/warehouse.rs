//! The warehouse process: sets articles aside as long as there are any.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rpc_runtime::Server;

use crate::shop::common::v1::{Line, OrderId};
use crate::shop::warehouse::v1::{Parcel, Warehouse, WarehouseError, WarehouseService};

/// Pieces of each article at the start.
const STOCK: [(&str, u32); 3] = [("TEA-1", 1_000), ("CUP-2", 1_000), ("POT-3", 2)];

struct Shelves {
    name: String,
    stock: Mutex<HashMap<String, u32>>,
}

/// A server that packs parcels.
pub fn server(name: &str) -> Server {
    let stock = STOCK.map(|(sku, count)| (sku.to_owned(), count));
    Server::new().add(WarehouseService::new(Shelves {
        name: name.to_owned(),
        stock: Mutex::new(stock.into()),
    }))
}

impl Warehouse for Shelves {
    async fn pack(
        &self,
        order: OrderId,
        lines: Vec<Line>,
        gift: bool,
    ) -> Result<Parcel, WarehouseError> {
        let mut stock = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        for line in &lines {
            let left = stock.get(&line.sku).copied().unwrap_or(0);
            if left < line.count {
                let wait = std::time::Duration::from_secs(60 * 60);
                return Err(WarehouseError::OutOfStock {
                    sku: line.sku.clone(),
                    left,
                    wait,
                });
            }
        }
        for line in &lines {
            stock
                .entry(line.sku.clone())
                .and_modify(|left| *left -= line.count);
        }
        let pieces = lines.iter().map(|line| line.count).sum();
        let shelf = format!("{}/{}", self.name, if gift { "gifts" } else { "out" });
        Ok(Parcel::new(order, shelf, pieces))
    }

    async fn forget(&self, _: OrderId) {
        // The order was never paid; there is nothing on the shelf for it.
    }
}
