//! Generates `market::v1` from `idl/market.idl`.

fn main() {
    rpc_codegen::build("idl");
}
