//! Where in the tree something is emitted, and how other places are reached from there.

use proc_macro2::TokenStream;
use quote::quote;
use rpc_idl::model::{Model, Type, TypeKind};

use super::facts::Facts;
use super::names;
use super::options::Options;

/// The module of one package.
#[derive(Clone, Copy)]
pub(super) struct Scope<'m> {
    pub(super) all: &'m Model,
    pub(super) facts: &'m Facts,
    pub(super) options: &'m Options,
    pub(super) package: &'m str,
}

impl<'m> Scope<'m> {
    pub(super) fn model(&self) -> &'m Model {
        self.all
    }

    /// The path to a package's module, ending in `::`; nothing for our own.
    ///
    /// It goes up only as far as it must, so that the tree can stand in any module of any crate.
    pub(super) fn package_path(&self, package: &str) -> TokenStream {
        if let Some(root) = self.options.extern_root(package) {
            let segments = segments(package).map(names::snake);
            return quote!(#root:: #(#segments::)*);
        }
        let (ours, theirs): (Vec<_>, Vec<_>) = (
            segments(self.package).collect(),
            segments(package).collect(),
        );
        let shared = ours
            .iter()
            .zip(&theirs)
            .take_while(|(ours, theirs)| ours == theirs)
            .count();
        let up = ours[shared..].iter().map(|_| quote!(super::));
        let down = theirs[shared..].iter().map(|segment| names::snake(segment));
        quote!(#(#up)* #(#down::)*)
    }

    /// What an alias stands for in the end.
    pub(super) fn resolve<'a>(&'a self, ty: &'a Type) -> &'a Type {
        self.all.resolve(ty)
    }

    /// Whether this is an optional type, also behind an alias.
    pub(super) fn is_optional(&self, ty: &Type) -> bool {
        matches!(self.resolve(ty), Type::Optional(_))
    }

    /// Whether this is a type with a `validate()` that checks something.
    pub(super) fn is_ruled(&self, ty: &Type) -> bool {
        self.facts.is_ruled(ty)
    }

    /// Whether the name stands for a struct, union or error, which has `validate()`.
    pub(super) fn has_validate(&self, ty: &Type) -> bool {
        match self.resolve(ty) {
            Type::Named(id) => !matches!(self.all.ty(*id).kind, TypeKind::Enum(_)),
            _ => false,
        }
    }
}

/// The parts of a package's name; none for the nameless package.
pub(super) fn segments(package: &str) -> impl Iterator<Item = &str> {
    package.split('.').filter(|segment| !segment.is_empty())
}
