//! Collects what is wrong with an input, so that everything is reported at once.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Mistakes found so far, each at its place.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    errors: Vec<syn::Error>,
}

impl Refusals {
    /// Notes a mistake over all of `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.errors.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a mistake at one place.
    pub(crate) fn at_span(&mut self, span: Span, message: impl std::fmt::Display) {
        self.errors.push(syn::Error::new(span, message));
    }

    /// Notes a mistake that a parser reported.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    /// How many there are; a part compares it before and after to learn whether it failed.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// All mistakes as one error.
    pub(crate) fn into_result(self) -> syn::Result<()> {
        let combine = |mut all: syn::Error, next| {
            all.combine(next);
            all
        };
        self.errors.into_iter().reduce(combine).map_or(Ok(()), Err)
    }

    /// One `compile_error!` per mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.errors
            .into_iter()
            .map(syn::Error::into_compile_error)
            .collect()
    }
}
