//! Something that is no string.

rpc_macros::idl!(user.idl);

fn main() {}
