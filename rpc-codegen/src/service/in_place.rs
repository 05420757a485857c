//! Strings and bytes that a handler reads where they were received.

use proc_macro2::TokenStream;
use quote::quote;

use super::Handed;

/// A parameter, or what stands in an optional one, that is borrowed from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InPlace {
    Str,
    Bytes,
}

impl InPlace {
    /// Expression at the skeleton for a parameter that must be there.
    pub(crate) fn required(self, name: &str) -> TokenStream {
        let ty = self.decoded();
        quote!(__rpc_args.borrowed::<#ty>(#name)?)
    }

    /// The same for one that may be missing or nil.
    pub(crate) fn optional(self, name: &str) -> TokenStream {
        let ty = self.decoded();
        quote!(__rpc_args.borrowed_optional::<#ty>(#name)?)
    }

    /// How the handler gets a value, or what may be one.
    pub(crate) fn handed(self, optional: bool) -> Handed {
        match (self, optional) {
            (Self::Str, _) => Handed::Over,
            (Self::Bytes, false) => Handed::Lent,
            (Self::Bytes, true) => Handed::LentOptional,
        }
    }

    /// What the handler takes.
    #[cfg(feature = "idl")]
    pub(crate) fn taken(self) -> TokenStream {
        match self {
            Self::Str => quote!(&str),
            Self::Bytes => quote!(&[u8]),
        }
    }

    /// A literal as if it had been received.
    #[cfg(feature = "idl")]
    pub(crate) fn default(self, literal: &TokenStream) -> TokenStream {
        match self {
            Self::Str => literal.clone(),
            Self::Bytes => quote!(::std::borrow::Cow::Borrowed(#literal)),
        }
    }

    fn decoded(self) -> TokenStream {
        match self {
            Self::Str => quote!(&::core::primitive::str),
            // Binary stays where it is; an array of numbers, which a caller may send instead, cannot.
            Self::Bytes => quote!(::std::borrow::Cow<'_, [::core::primitive::u8]>),
        }
    }
}
