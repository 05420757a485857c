//! rpc-runtime (being laid out).
