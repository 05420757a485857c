//! The shop of `idl/shop.idl`; the tests are in `tests/`.

rpc_runtime::include_idl!();
