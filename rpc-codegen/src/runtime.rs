//! Where generated code finds the runtime.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// Path of the runtime crate: `::rpc_runtime` unless the user says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Runtime {
    path: TokenStream,
}

impl Runtime {
    /// The runtime at another path.
    pub(crate) fn at(path: impl ToTokens) -> Self {
        Self {
            path: path.into_token_stream(),
        }
    }

    /// The module of everything that only generated code names.
    pub(crate) fn private(&self) -> TokenStream {
        let path = &self.path;
        quote!(#path::__private)
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self::at(quote!(::rpc_runtime))
    }
}

impl ToTokens for Runtime {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.path.to_tokens(tokens);
    }
}
