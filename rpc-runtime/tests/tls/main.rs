//! TLS from both ends, with certificates good and bad, and with openssl as the judge from outside.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "in a test a panic is the report"
)]

mod certificates;
mod client_certificates;
mod guide;
mod log;
mod openssl;
mod registry;
mod replay;
mod rolling;
mod server_certificates;
mod service;
