//! Generated code included where no build script generates any.

rpc_runtime::include_idl!();

fn main() {}
