//! Reads a file: the driver that goes on after errors, the syntax tree, and what is said about text that is wrong.

mod driver;
mod expected;
mod foreign;
pub(crate) mod scan;
mod together;
mod tree;

pub(crate) use driver::{MAX_FILE, read};
pub(crate) use together::read_all;
