//! Generates `library::v1` from `idl/library.idl` twice: with `String`, and with `SmolStr`.

fn main() {
    rpc_codegen::Build::new()
        .root("idl")
        .file_name("strings.rs")
        .run();
    rpc_codegen::Build::new()
        .root("idl")
        .small_strings(true)
        .file_name("small.rs")
        .run();
}
