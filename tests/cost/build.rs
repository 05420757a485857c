//! Generates the service that is measured.

fn main() {
    rpc_codegen::build("idl");
}
