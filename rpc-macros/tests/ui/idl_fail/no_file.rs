//! A file that is not there.

rpc_macros::idl!("idl/nowhere.idl");

fn main() {}
