//! Generates `bench::v1` from `idl/bench.idl`. Bodies are shared with the frame that they come in, as the documents recommend
//! for large ones.

fn main() {
    rpc_codegen::Build::new()
        .root("idl")
        .shared_bytes(true)
        .run();
}
