//! Generates `bench::v1` from `idl/bench.idl`, twice: with `String` as it comes, and with `SmolStr`. Bodies are shared with the
//! frame that they come in, as the documents recommend for large ones.

fn main() {
    let build = || rpc_codegen::Build::new().root("idl").shared_bytes(true);
    build().file_name("strings.rs").run();
    build().small_strings(true).file_name("small.rs").run();
}
