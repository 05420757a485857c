//! What the model cannot hold of a trait: identifiers with their spans, Rust types, attributes.

use proc_macro2::TokenStream;
use rpc_idl::model::Model;
use syn::{Attribute, Ident, Path, Type, Visibility};

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
    /// Written without `async`: runs on the blocking pool.
    pub(crate) blocking: bool,
    /// All parameters but `self`, as written.
    pub(crate) params: Vec<ParamOrigin>,
    /// The type of the value; `()` if nothing was written.
    pub(crate) value: Type,
    /// The declared error.
    pub(crate) error: Option<Type>,
}

/// The Rust side of a parameter.
pub(crate) struct ParamOrigin {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// Made by the runtime at the server, not sent.
    pub(crate) is_context: bool,
}

impl MethodOrigin {
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
