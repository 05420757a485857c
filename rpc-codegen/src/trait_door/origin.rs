//! What the model cannot hold of a trait: identifiers with their spans, Rust types, attributes.

use proc_macro2::TokenStream;
use rpc_idl::model::Model;
use syn::{Attribute, Ident, Path, Type, Visibility};

use crate::service::Output;

/// A trait after reading: the model that both doors share, and its Rust side.
pub(crate) struct Reading {
    /// One service, no types.
    pub(crate) model: Model,
    /// The Rust side of it.
    pub(crate) origin: Origin,
    /// Whether the trait as such is fine; if not, its stubs stay empty.
    pub(crate) whole: bool,
}

/// The Rust side of a service, in the order of its methods in the model.
pub(crate) struct Origin {
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    /// `cfg`, `deprecated` and documentation of the trait.
    pub(crate) attributes: Vec<Attribute>,
    /// Where the runtime is found, if the user says so.
    pub(crate) runtime: Option<Path>,
    pub(crate) methods: Vec<MethodOrigin>,
}

/// The Rust side of a method.
pub(crate) struct MethodOrigin {
    pub(crate) ident: Ident,
    /// `cfg`, `deprecated` and documentation.
    pub(crate) attributes: Vec<Attribute>,
    /// Written with `async`.
    pub(crate) is_async: bool,
    /// All parameters but `self`, as written.
    pub(crate) params: Vec<ParamOrigin>,
    /// The type of the value as its caller owns it, or of one item of a stream; `()` if nothing was written.
    pub(crate) value: Type,
    /// How the handler points to the value, if it does not give it away.
    pub(crate) lent: Option<super::rust_types::Lent>,
    /// The declared error.
    pub(crate) error: Option<Type>,
    /// How the handler hands it over.
    pub(crate) output: Output,
}

/// The Rust side of a parameter.
pub(crate) struct ParamOrigin {
    pub(crate) ident: Ident,
    /// As written; of a stream, one item.
    pub(crate) ty: Type,
    pub(crate) kind: ParamKind,
}

/// What a parameter is to the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParamKind {
    /// Made by the runtime at the server, not sent.
    Context,
    /// A value.
    Sent,
    /// A stream: `Items<T>`, or bare items where `unbroken`.
    Items { unbroken: bool },
}

impl MethodOrigin {
    /// Whether it runs on the blocking pool: it has no `async`, and more to do than to make a stream.
    pub(crate) fn is_blocking(&self) -> bool {
        !self.is_async && self.output == Output::Value
    }

    /// The conditions under which the method exists.
    pub(crate) fn cfgs(&self) -> Vec<TokenStream> {
        conditions(&self.attributes)
    }
}

fn conditions(attributes: &[Attribute]) -> Vec<TokenStream> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .filter_map(|attribute| {
            attribute
                .meta
                .require_list()
                .ok()
                .map(|list| list.tokens.clone())
        })
        .collect()
}
