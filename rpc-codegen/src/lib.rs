//! rpc-codegen (being laid out).
