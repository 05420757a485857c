//! Arranges packages as modules in modules.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::quote;
use rpc_idl::model::{Model, Package};

use super::docs;
use super::names;
use super::scope::segments;

/// One module: the package that it is, if it is one, and the modules in it.
#[derive(Default)]
pub(super) struct Tree<'m> {
    package: Option<&'m Package>,
    children: BTreeMap<&'m str, Tree<'m>>,
}

impl<'m> Tree<'m> {
    /// All packages that `wanted` names.
    pub(super) fn of(model: &'m Model, wanted: impl Fn(&str) -> bool) -> Self {
        let mut root = Self::default();
        for package in model
            .packages
            .iter()
            .filter(|package| wanted(&package.name))
        {
            let mut at = &mut root;
            for segment in segments(&package.name) {
                at = at.children.entry(segment).or_default();
            }
            at.package = Some(package);
        }
        root
    }

    /// The modules, with what `content` gives for a package in its place.
    pub(super) fn emit(&self, content: &dyn Fn(&'m str) -> TokenStream) -> TokenStream {
        self.emit_inside(content, true)
    }

    fn emit_inside(&self, content: &dyn Fn(&'m str) -> TokenStream, is_root: bool) -> TokenStream {
        let items = self.package.map(|package| content(&package.name));
        let modules = self.children.iter().map(|(segment, child)| {
            let name = names::snake(segment);
            let documentation = match child.package {
                Some(package) => {
                    docs::described(&package.docs, &format!("Package `{}`.", package.name))
                }
                None => docs::described(&Default::default(), "Packages."),
            };
            let body = child.emit_inside(content, false);
            // Said once, at the outermost module: it holds for all inside.
            let allowances = is_root.then(allowances);
            quote!(#documentation #allowances pub mod #name { #body })
        });
        quote!(#items #(#modules)*)
    }
}

/// Generated code answers for itself: what a crate does not use of it, and how it is laid out, is not the crate's fault.
fn allowances() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            nonstandard_style,
            unreachable_pub,
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            reason = "generated code"
        )]
    }
}
