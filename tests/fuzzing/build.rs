//! Generates `everything::v1` from `idl/everything.idl`.

fn main() {
    rpc_codegen::build("idl");
}
