//! Emits enums: named numbers that keep the ones they do not know.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use rpc_idl::model::{Enum, TypeDef};

use super::codec;
use super::docs::{deprecated, described, documented};
use super::names;
use super::records::allow_deprecated;
use super::scope::Scope;
use super::types::number_type;
use super::values::integer;

/// The enum, its conversions and its codec.
pub(super) fn emit(scope: &Scope<'_>, def: &TypeDef, definition: &Enum) -> TokenStream {
    let shape = Shape::new(scope, def, definition);
    let parts = [
        shape.definition(),
        shape.number(),
        shape.conversion_from(),
        shape.conversion_into(),
        shape.display(),
        codec::enumeration(scope, def, definition),
    ];
    parts.into_iter().collect()
}

/// Identifiers of an enum's values, in order.
pub(super) fn variant_names(definition: &Enum) -> Vec<Ident> {
    definition
        .values
        .iter()
        .map(|value| names::camel(&value.name))
        .collect()
}

/// Whether the enum or a value of it is deprecated.
pub(super) fn is_deprecated(def: &TypeDef, definition: &Enum) -> bool {
    def.deprecated.is_some()
        || definition
            .values
            .iter()
            .any(|value| value.deprecated.is_some())
}

/// Words that all parts need.
struct Shape<'a> {
    scope: &'a Scope<'a>,
    def: &'a TypeDef,
    definition: &'a Enum,
    name: Ident,
    variants: Vec<Ident>,
    numbers: Vec<TokenStream>,
    repr: TokenStream,
    allowed: Option<TokenStream>,
}

impl<'a> Shape<'a> {
    fn new(scope: &'a Scope<'a>, def: &'a TypeDef, definition: &'a Enum) -> Self {
        Self {
            scope,
            def,
            definition,
            name: names::camel(&def.name),
            variants: variant_names(definition),
            numbers: definition
                .values
                .iter()
                .map(|value| integer(value.number.into()))
                .collect(),
            repr: number_type(&definition.repr),
            allowed: allow_deprecated(is_deprecated(def, definition)),
        }
    }

    fn definition(&self) -> TokenStream {
        let Self {
            def, name, repr, ..
        } = self;
        let (docs, deprecation) = (
            documented(&def.docs, &def.source),
            deprecated(def.deprecated.as_deref()),
        );
        let has_zero = self.definition.values.iter().any(|value| value.number == 0);
        let default = has_zero.then(|| quote!(, Default));
        let values = self
            .definition
            .values
            .iter()
            .zip(&self.variants)
            .map(|(value, variant)| {
                let (docs, deprecation) = (
                    described(&value.docs, &format!("{}: {}.", value.number, value.name)),
                    deprecated(value.deprecated.as_deref()),
                );
                let default = (value.number == 0).then(|| quote!(#[default]));
                quote!(#docs #deprecation #default #variant,)
            });
        let unrecognized = (!self.definition.closed).then(|| {
            quote! {
                /// A number that this version has no name for.
                Unrecognized(#repr),
            }
        });
        quote! {
            #docs
            #deprecation
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord #default)]
            #[non_exhaustive]
            pub enum #name {
                #(#values)*
                #unrecognized
            }
        }
    }

    fn number(&self) -> TokenStream {
        let Self {
            allowed,
            name,
            variants,
            numbers,
            repr,
            ..
        } = self;
        let unrecognized =
            (!self.definition.closed).then(|| quote!(Self::Unrecognized(number) => number,));
        quote! {
            #allowed
            impl #name {
                /// The number on the wire.
                #[must_use]
                pub const fn number(self) -> #repr {
                    match self {
                        #(Self::#variants => #numbers,)*
                        #unrecognized
                    }
                }
            }
        }
    }

    fn conversion_from(&self) -> TokenStream {
        let Self {
            allowed,
            name,
            variants,
            numbers,
            repr,
            ..
        } = self;
        let (private, full_name) = (self.scope.options.private(), self.def.full_name());
        if self.definition.closed {
            return quote! {
                #allowed
                impl ::core::convert::TryFrom<#repr> for #name {
                    type Error = #private::DecodeError;

                    fn try_from(number: #repr) -> ::core::result::Result<Self, Self::Error> {
                        match number {
                            #(#numbers => ::core::result::Result::Ok(Self::#variants),)*
                            _ => ::core::result::Result::Err(#private::DecodeError::unknown_number(#full_name, number as i64)),
                        }
                    }
                }
            };
        }
        quote! {
            #allowed
            impl ::core::convert::From<#repr> for #name {
                fn from(number: #repr) -> Self {
                    match number {
                        #(#numbers => Self::#variants,)*
                        _ => Self::Unrecognized(number),
                    }
                }
            }
        }
    }

    fn conversion_into(&self) -> TokenStream {
        let Self {
            allowed,
            name,
            repr,
            ..
        } = self;
        quote! {
            #allowed
            impl ::core::convert::From<#name> for #repr {
                fn from(value: #name) -> Self {
                    value.number()
                }
            }
        }
    }

    fn display(&self) -> TokenStream {
        let Self {
            allowed,
            name,
            variants,
            ..
        } = self;
        let words = self.definition.values.iter().map(|value| &value.name);
        let unrecognized = (!self.definition.closed)
            .then(|| quote!(Self::Unrecognized(number) => ::core::fmt::Display::fmt(number, f),));
        quote! {
            #allowed
            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self {
                        #(Self::#variants => f.write_str(#words),)*
                        #unrecognized
                    }
                }
            }
        }
    }
}
