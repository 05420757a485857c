//! Generates `bench::v1` from `idl/bench.idl`.

fn main() {
    rpc_codegen::build("idl");
}
