//! The macros of the RPC framework; use them through the runtime crate, which re-exports them.

use proc_macro::TokenStream;

/// Makes a trait callable from other machines.
///
/// The trait stays as it was written; beside it appear a skeleton that serves an implementation and two clients that
/// call one. For `trait Greeter` they are `GreeterService`, `GreeterClient` and `GreeterBlockingClient`.
///
/// Arguments: `package = "acme.v1"`, `name = "Greeter"`, `version = "1.2"`, `crate = path`. Methods take
/// `#[rpc(name = "…", id = n, oneway, idempotent, timeout = "2s", retry = 3, on_cancel = "finish")]`, parameters `#[rpc(ctx)]`.
///
/// **Streams.** A result may be `impl Stream<Item = T>`, or `impl Stream<Item = Result<T, E>>` if it may break with a
/// declared error; in `async` methods also inside of a `Result<…, E>`, if it may not open. The last parameter may be
/// `Items<T>`, which tells of a stream that broke, or `impl Stream<Item = T>`, which does not: the method is dropped
/// then. The trait gets the bounds that a server needs, `Send` and, of what goes in, `Unpin + 'static`. Nothing runs on
/// the pool for blocking work where the result is a stream, also without `async`.
///
/// **Objects by reference.** A parameter or a result may be `Handle<CounterClient>` or `Option<Handle<CounterClient>>`. A
/// macro sees names only: the service is taken to be called as its client without the word `Client`, in the package of
/// this trait. Where it is not, as with `name = "…"` on that service, calls work all the same, but the fingerprint
/// differs from that of an `.idl` file of the same shape. The blocking client has no methods with handles.
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
