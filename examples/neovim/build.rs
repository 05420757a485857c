//! Generates `nvim::…` from the `.idl` files.

fn main() {
    rpc_codegen::build("idl");
}
