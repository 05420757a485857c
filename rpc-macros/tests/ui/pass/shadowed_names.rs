//! Types of the user's that are called as the prelude's are.

#![deny(warnings)]
#![allow(dead_code)]

use rpc_runtime::rpc_service;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Option(u8);
#[derive(Serialize, Deserialize)]
pub struct String(u8);
#[derive(Serialize, Deserialize)]
pub struct Vec(u8);
#[derive(Serialize, Deserialize)]
pub struct Box(u8);
#[derive(Serialize, Deserialize)]
pub struct Duration(u8);
pub struct Result;
pub struct Ok;
pub struct Err;
pub struct Some;
pub struct None;
pub struct Send;
pub struct Sync;
pub struct Arc;
pub struct Future;
pub struct Encode;
pub struct Codec;
pub struct Channel;
pub struct Client;
pub struct Call;
pub struct Context;
pub trait From {}
pub trait Into {}
pub trait AsRef {}
pub trait Clone {}
pub trait Debug {}
pub trait Drop {}
mod std {}
mod core {}
mod serde_json {}

#[rpc_service]
pub trait Shadow {
    async fn hello(&self, a: Option, b: String, c: Vec) -> Box;
    async fn wait(&self, limit: Duration) -> Duration;
}

fn main() {
    let _ = ShadowClient::SERVICE;
}
