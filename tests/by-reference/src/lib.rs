//! The shop of `idl/shop.idl` and the notes of `in_place/notes.idl`; the tests are in `tests/`.

rpc_runtime::include_idl!();
include!(concat!(env!("OUT_DIR"), "/in_place.rs"));
