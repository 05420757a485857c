//! Generates `shop::v1` from `idl/shop.idl`, with `bytes` as `bytes::Bytes`, and `notes::v1`, whose handlers borrow.

fn main() {
    rpc_codegen::Build::new()
        .root("idl")
        .shared_bytes(true)
        .run();
    rpc_codegen::Build::new()
        .root("in_place")
        .borrowed_arguments(true)
        .views(false)
        .file_name("in_place.rs")
        .run();
}
