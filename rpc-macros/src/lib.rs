//! The macros of the RPC framework; use them through the runtime crate, which re-exports them.

use proc_macro::TokenStream;

/// Makes a trait callable from other machines.
///
/// The trait stays as it was written; beside it appear a skeleton that serves an implementation and two clients that
/// call one. For `trait Greeter` they are `GreeterService`, `GreeterClient` and `GreeterBlockingClient`.
///
/// Arguments: `package = "acme.v1"`, `name = "Greeter"`, `version = "1.2"`, `crate = path`. Methods take
/// `#[rpc(name = "…", id = n, oneway, idempotent, timeout = "2s", on_cancel = "finish")]`, parameters `#[rpc(ctx)]`.
#[proc_macro_attribute]
pub fn rpc_service(attr: TokenStream, item: TokenStream) -> TokenStream {
    rpc_codegen::expand_service(attr.into(), item.into()).into()
}

/// Generates types, clients and skeletons from an `.idl` file, a directory of them, or text.
///
/// A path is relative to the package that calls the macro; a literal with a newline or a brace is text.
#[cfg(feature = "idl")]
#[proc_macro]
pub fn idl(input: TokenStream) -> TokenStream {
    rpc_codegen::expand_idl(input.into()).into()
}
