//! Emits structs: plain fields, `new` for what is required, `with_*` for the rest.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use rpc_idl::model::{Field, Struct, Type, TypeDef, TypeId};
use syn::ext::IdentExt;

use super::codec;
use super::docs::{deprecated, described, documented};
use super::names;
use super::scope::Scope;
use super::views;

/// The struct, its constructors, its checks and its codec.
pub(super) fn emit(scope: &Scope<'_>, id: TypeId, def: &TypeDef, record: &Struct) -> TokenStream {
    let shape = Shape {
        scope,
        id,
        def,
        fields: &record.fields,
        name: names::camel(&def.name),
    };
    let methods = [shape.constructor(), shape.setters(), shape.validate()];
    let (definition, debug, default) = (shape.definition(), shape.debug(), shape.default());
    let (name, codec, view, allowed) = (
        &shape.name,
        codec::record(scope, id, def, record),
        views::emit(scope, id, def, record),
        shape.allow_deprecated(),
    );
    quote! {
        #definition
        #allowed
        impl #name {
            #(#methods)*
        }
        #debug
        #default
        #codec
        #view
    }
}

/// The fields of a struct as they are declared; `visibility` is empty in variants.
pub(super) fn declarations(
    scope: &Scope<'_>,
    owner: TypeId,
    fields: &[Field],
    visibility: &TokenStream,
) -> Vec<TokenStream> {
    let declare = |field: &Field| {
        let (name, ty) = (names::snake(&field.name), scope.field(owner, &field.ty));
        let docs = described(&field.docs, &format!("Field {}.", field.ordinal));
        let deprecation = deprecated(field.deprecated.as_deref());
        quote!(#docs #deprecation #visibility #name: #ty,)
    };
    fields.iter().map(declare).collect()
}

/// What an absent field is: its default, or nothing if it is required.
pub(super) fn absent(scope: &Scope<'_>, owner: TypeId, field: &Field) -> Option<TokenStream> {
    match &field.default {
        Some(value) => {
            let value = scope.value(&field.ty, value);
            Some(if scope.is_boxed(owner, &field.ty) {
                quote!(::std::boxed::Box::new(#value))
            } else {
                value
            })
        }
        None => scope
            .is_optional(&field.ty)
            .then(|| quote!(::core::option::Option::None)),
    }
}

/// `.field(…)` calls of a hand-written `Debug`; what is sensitive is not shown.
pub(super) fn debug_fields(fields: &[Field], place: impl Fn(&Ident) -> TokenStream) -> TokenStream {
    let mut calls = TokenStream::new();
    for field in fields {
        let ident = names::snake(&field.name);
        let (name, value) = (ident.unraw().to_string(), place(&ident));
        let value = if field.sensitive {
            quote!(&::core::format_args!("<redacted>"))
        } else {
            value
        };
        calls.extend(quote!(.field(#name, #value)));
    }
    calls
}

/// Silences warnings about our own use of deprecated members.
pub(super) fn allow_deprecated(is_deprecated: bool) -> Option<TokenStream> {
    is_deprecated
        .then(|| quote!(#[allow(deprecated, reason = "deprecated members are still on the wire")]))
}

/// Words that all parts need.
struct Shape<'a> {
    scope: &'a Scope<'a>,
    id: TypeId,
    def: &'a TypeDef,
    fields: &'a [Field],
    name: Ident,
}

impl Shape<'_> {
    fn is_sensitive(&self) -> bool {
        self.fields.iter().any(|field| field.sensitive)
    }

    fn allow_deprecated(&self) -> Option<TokenStream> {
        let member = self.fields.iter().any(|field| field.deprecated.is_some());
        allow_deprecated(member || self.def.deprecated.is_some())
    }

    fn definition(&self) -> TokenStream {
        let Self { def, name, .. } = self;
        let (docs, deprecation) = (
            documented(&def.docs, &def.source),
            deprecated(def.deprecated.as_deref()),
        );
        let fields = declarations(self.scope, self.id, self.fields, &quote!(pub));
        let debug = (!self.is_sensitive()).then(|| quote!(Debug,));
        let total = self
            .scope
            .facts
            .is_total_type(self.id)
            .then(|| quote!(Eq, Hash, PartialOrd, Ord,));
        quote! {
            #docs
            #deprecation
            #[derive(Clone, #debug PartialEq, #total)]
            pub struct #name {
                #(#fields)*
            }
        }
    }

    fn constructor(&self) -> TokenStream {
        let required: Vec<_> = self
            .fields
            .iter()
            .filter(|field| absent(self.scope, self.id, field).is_none())
            .collect();
        let parameters = required.iter().map(|field| {
            let (name, ty) = (names::snake(&field.name), self.taken(&field.ty));
            quote!(#name: #ty)
        });
        let values = self.fields.iter().map(|field| {
            let name = names::snake(&field.name);
            let value =
                absent(self.scope, self.id, field).unwrap_or_else(|| self.stored(&field.ty, &name));
            quote!(#name: #value,)
        });
        let docs = match required.is_empty() {
            true => " A value with all defaults.",
            false => " A value with these required fields; all others have their defaults.",
        };
        quote! {
            #[doc = #docs]
            #[must_use]
            pub fn new(#(#parameters),*) -> Self {
                Self { #(#values)* }
            }
        }
    }

    fn setters(&self) -> TokenStream {
        let optional = self
            .fields
            .iter()
            .filter(|field| absent(self.scope, self.id, field).is_some());
        optional.map(|field| self.setter(field)).collect()
    }

    fn setter(&self, field: &Field) -> TokenStream {
        let name = names::snake(&field.name);
        let setter = format_ident!("with_{}", name.unraw());
        let (inner, is_optional) = match (self.scope.resolve(&field.ty), &field.default) {
            (Type::Optional(inner), _) => (&**inner, true),
            _ => (&field.ty, false),
        };
        let (taken, stored) = (
            self.taken(inner),
            self.stored(inner, &format_ident!("value")),
        );
        let stored = if is_optional {
            quote!(::core::option::Option::Some(#stored))
        } else {
            stored
        };
        let docs = format!(" Sets `{}`.", name.unraw());
        let deprecation = deprecated(field.deprecated.as_deref());
        quote! {
            #[doc = #docs]
            #deprecation
            #[must_use]
            pub fn #setter(mut self, value: #taken) -> Self {
                self.#name = #stored;
                self
            }
        }
    }

    /// What a constructor takes for a type: anything that becomes a string, and no boxes.
    fn taken(&self, ty: &Type) -> TokenStream {
        match self.scope.resolve(ty) {
            Type::String => {
                let string = self.scope.owned(ty);
                quote!(impl ::core::convert::Into<#string>)
            }
            _ if self.scope.is_boxed(self.id, ty) => self.scope.owned(ty),
            _ => self.scope.field(self.id, ty),
        }
    }

    /// The expression that makes a field's value of what was taken.
    fn stored(&self, ty: &Type, name: &Ident) -> TokenStream {
        match self.scope.resolve(ty) {
            Type::String => quote!(::core::convert::Into::into(#name)),
            _ if self.scope.is_boxed(self.id, ty) => quote!(::std::boxed::Box::new(#name)),
            _ => quote!(#name),
        }
    }

    fn validate(&self) -> TokenStream {
        let private = self.scope.options.private();
        let checks = self.scope.field_checks(self.fields, |field| {
            let name = names::snake(&field.name);
            quote!(&self.#name)
        });
        quote! {
            /// Checks the rules of the definition.
            ///
            /// # Errors
            ///
            /// Returns the first broken rule and the path of the value that breaks it.
            pub fn validate(&self) -> ::core::result::Result<(), #private::Invalid> {
                #checks
                ::core::result::Result::Ok(())
            }
        }
    }

    fn debug(&self) -> Option<TokenStream> {
        let (name, allowed) = (&self.name, self.allow_deprecated());
        let text = name.unraw().to_string();
        let fields = debug_fields(self.fields, |ident| quote!(&self.#ident));
        self.is_sensitive().then(|| {
            quote! {
                #allowed
                impl ::core::fmt::Debug for #name {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.debug_struct(#text)#fields.finish()
                    }
                }
            }
        })
    }

    fn default(&self) -> Option<TokenStream> {
        let (name, allowed) = (&self.name, self.allow_deprecated());
        let all = self
            .fields
            .iter()
            .all(|field| absent(self.scope, self.id, field).is_some());
        all.then(|| {
            quote! {
                #allowed
                impl ::core::default::Default for #name {
                    fn default() -> Self {
                        Self::new()
                    }
                }
            }
        })
    }
}
