//! The order that is sent about: the same content for every contestant.

use serde::{Deserialize, Serialize};

/// Eleven fields, about 180 bytes as MessagePack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Differs from order to order, and is checked in every answer.
    pub id: u64,
    /// Who bought.
    pub customer: u64,
    /// Name of the buyer.
    pub name: String,
    /// Address of the buyer for mail without paper.
    pub email: String,
    /// Where to deliver.
    pub street: String,
    /// Where to deliver.
    pub city: String,
    /// What the buyer wished.
    pub note: String,
    /// State of the order.
    pub status: u32,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Milliseconds since 1970.
    pub changed_ms: u64,
    /// What was bought.
    pub lines: Vec<Line>,
}

/// One article of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Which article.
    pub article: String,
    /// How many of it.
    pub quantity: u32,
    /// Price of one.
    pub cents: u64,
}

/// Orders in the answer to `list`.
pub const LIST_LENGTH: usize = 200;

impl Order {
    /// The order with this ID.
    pub fn sample(id: u64) -> Self {
        let line = |number: u32| Line {
            article: format!("A-{number:07}"),
            quantity: number % 7 + 1,
            cents: 199_900 + u64::from(number),
        };
        Self {
            id,
            customer: 7_000_000_001,
            name: "Ada Lovelace-Byron".to_owned(),
            email: "ada.lovelace@example.org".to_owned(),
            street: "12 St James's Square".to_owned(),
            city: "London".to_owned(),
            note: "ring twice, please".to_owned(),
            status: 3,
            created_ms: 1_767_225_600_000,
            changed_ms: 1_767_312_000_123,
            lines: (1..=3).map(line).collect(),
        }
    }

    /// The answer to `list`.
    pub fn samples() -> Vec<Self> {
        (0..LIST_LENGTH as u64).map(Self::sample).collect()
    }
}

/// Whether the IDs of a list are those of [`Order::samples`], in order and complete.
pub fn list_is_right(ids: impl Iterator<Item = u64>) -> bool {
    let mut expected = 0;
    for id in ids {
        if id != expected {
            return false;
        }
        expected += 1;
    }
    expected == LIST_LENGTH as u64
}
