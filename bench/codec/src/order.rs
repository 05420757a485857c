//! One value in the shape that each format wants.

use serde::{Deserialize, Serialize};

rpc_runtime::idl!("order.idl");

pub use bench::codec::v1::{Order, OrderRef, State};

/// The same for serde, and for the hand-written codec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plain {
    pub id: u64,
    pub customer: String,
    pub email: String,
    pub street: String,
    pub city: String,
    pub product: String,
    pub quantity: u32,
    pub price: f64,
    pub paid: bool,
    pub state: i32,
    pub created: i64,
}

/// The same with borrowed strings.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainRef<'a> {
    pub id: u64,
    pub customer: &'a str,
    pub email: &'a str,
    pub street: &'a str,
    pub city: &'a str,
    pub product: &'a str,
    pub quantity: u32,
    pub price: f64,
    pub paid: bool,
    pub state: i32,
    pub created: i64,
}

/// The same for prost, as its generator would write it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Proto {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(string, tag = "2")]
    pub customer: String,
    #[prost(string, tag = "3")]
    pub email: String,
    #[prost(string, tag = "4")]
    pub street: String,
    #[prost(string, tag = "5")]
    pub city: String,
    #[prost(string, tag = "6")]
    pub product: String,
    #[prost(uint32, tag = "7")]
    pub quantity: u32,
    #[prost(double, tag = "8")]
    pub price: f64,
    #[prost(bool, tag = "9")]
    pub paid: bool,
    #[prost(int32, tag = "10")]
    pub state: i32,
    #[prost(int64, tag = "11")]
    pub created: i64,
}

/// A list in prost, which has no list outside of a message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Protos {
    #[prost(message, repeated, tag = "1")]
    pub orders: Vec<Proto>,
}

/// Order number `n` of a list; no two are alike.
pub fn plain(n: u64) -> Plain {
    Plain {
        id: 1_000_000_007 * (n + 1),
        customer: format!("Ottilie Baumgartner {n:03}"),
        email: format!("ottilie.{n:03}@baumgartner.example"),
        street: format!("Lange Reihe {n:03}, Hinterhaus"),
        city: "Hamburg-St. Georg".to_owned(),
        product: format!("Kettle, enamelled, 2 litres, {n:03}"),
        quantity: 3 + (n as u32 % 900),
        price: 24.95 + n as f64,
        paid: n % 2 == 0,
        state: (n % 3) as i32,
        created: 1_760_000_000_000 + n as i64,
    }
}

pub fn generated(plain: &Plain) -> Order {
    let plain = plain.clone();
    Order {
        id: plain.id,
        customer: plain.customer,
        email: plain.email,
        street: plain.street,
        city: plain.city,
        product: plain.product,
        quantity: plain.quantity,
        price: plain.price,
        paid: plain.paid,
        state: State::from(plain.state),
        created: plain.created,
    }
}

pub fn proto(plain: &Plain) -> Proto {
    let plain = plain.clone();
    Proto {
        id: plain.id,
        customer: plain.customer,
        email: plain.email,
        street: plain.street,
        city: plain.city,
        product: plain.product,
        quantity: plain.quantity,
        price: plain.price,
        paid: plain.paid,
        state: plain.state,
        created: plain.created,
    }
}
