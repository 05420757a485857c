//! rpc-macros (being laid out).
