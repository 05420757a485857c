//! Generates `testing::v1` from `idl/test_service.idl`.

fn main() {
    rpc_codegen::build("idl");
}
