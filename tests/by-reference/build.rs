//! Generates `shop::v1` from `idl/shop.idl`, with `bytes` as `bytes::Bytes`.

fn main() {
    rpc_codegen::Build::new()
        .root("idl")
        .shared_bytes(true)
        .run();
}
