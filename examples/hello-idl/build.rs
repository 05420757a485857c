//! Generates `hello::v1` from `idl/hello.idl`.

fn main() {
    rpc_codegen::build("idl");
}
