//! Emits unions and errors: one of several variants, and the one nobody here knows yet.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use rpc_idl::model::{Payload, Type, TypeDef, TypeId, Union, Variant};
use syn::ext::IdentExt;

use super::codec;
use super::docs::{deprecated, described, documented, first_line};
use super::names;
use super::records::{allow_deprecated, debug_fields, declarations};
use super::scope::Scope;

/// The enum, its checks and its codec.
pub(super) fn emit_union(
    scope: &Scope<'_>,
    id: TypeId,
    def: &TypeDef,
    union: &Union,
) -> TokenStream {
    let shape = Shape::new(scope, id, def, union);
    let (definition, debug, validate) = (shape.definition(), shape.debug(), shape.validate());
    let codec = codec::union(scope, id, def, union);
    quote!(#definition #debug #validate #codec)
}

/// The same, and what makes it an error.
pub(super) fn emit_error(
    scope: &Scope<'_>,
    id: TypeId,
    def: &TypeDef,
    union: &Union,
) -> TokenStream {
    let shape = Shape::new(scope, id, def, union);
    let base = emit_union(scope, id, def, union);
    let (display, error, declared, froms) = (
        shape.display(),
        shape.error(),
        shape.declared(),
        shape.froms(),
    );
    quote!(#base #display #error #declared #froms)
}

/// The name of our variant for what is not known; it steps aside for a variant of the user's.
pub(super) fn unrecognized(union: &Union) -> Option<Ident> {
    let is_taken = union
        .variants
        .iter()
        .any(|variant| names::camel(&variant.name) == "Unrecognized");
    let name = if is_taken {
        "UnrecognizedVariant"
    } else {
        "Unrecognized"
    };
    (!union.closed).then(|| format_ident!("{name}"))
}

/// Words that all parts need.
struct Shape<'a> {
    scope: &'a Scope<'a>,
    id: TypeId,
    def: &'a TypeDef,
    union: &'a Union,
    name: Ident,
    unrecognized: Option<Ident>,
}

impl<'a> Shape<'a> {
    fn new(scope: &'a Scope<'a>, id: TypeId, def: &'a TypeDef, union: &'a Union) -> Self {
        Self {
            scope,
            id,
            def,
            union,
            name: names::camel(&def.name),
            unrecognized: unrecognized(union),
        }
    }

    fn is_sensitive(&self) -> bool {
        let sensitive = |variant: &Variant| match &variant.payload {
            Payload::Fields(record) => record.fields.iter().any(|field| field.sensitive),
            _ => false,
        };
        self.union.variants.iter().any(sensitive)
    }

    fn allow_deprecated(&self) -> Option<TokenStream> {
        let member = |variant: &Variant| {
            let field = match &variant.payload {
                Payload::Fields(record) => {
                    record.fields.iter().any(|field| field.deprecated.is_some())
                }
                _ => false,
            };
            field || variant.deprecated.is_some()
        };
        allow_deprecated(self.def.deprecated.is_some() || self.union.variants.iter().any(member))
    }

    fn definition(&self) -> TokenStream {
        let Self { def, name, .. } = self;
        let (docs, deprecation) = (
            documented(&def.docs, &def.source),
            deprecated(def.deprecated.as_deref()),
        );
        let variants = self
            .union
            .variants
            .iter()
            .map(|variant| self.declaration(variant));
        let debug = (!self.is_sensitive()).then(|| quote!(Debug,));
        let total = self
            .scope
            .facts
            .is_total_type(self.id)
            .then(|| quote!(Eq, Hash, PartialOrd, Ord,));
        let private = self.scope.options.private();
        let unrecognized = self.unrecognized.as_ref().map(|name| {
            quote! {
                /// A variant that this version does not know, kept as it came.
                #name(#private::RawVariant),
            }
        });
        quote! {
            #docs
            #deprecation
            #[derive(Clone, #debug PartialEq, #total)]
            #[non_exhaustive]
            pub enum #name {
                #(#variants)*
                #unrecognized
            }
        }
    }

    fn declaration(&self, variant: &Variant) -> TokenStream {
        let name = names::camel(&variant.name);
        let docs = described(&variant.docs, &format!("Variant {}.", variant.ordinal));
        let deprecation = deprecated(variant.deprecated.as_deref());
        let payload = match &variant.payload {
            Payload::Unit => TokenStream::new(),
            Payload::Single(ty) => {
                let ty = self.scope.field(self.id, ty);
                quote!((#ty))
            }
            Payload::Fields(record) => {
                let fields = declarations(self.scope, self.id, &record.fields, &TokenStream::new());
                quote!({ #(#fields)* })
            }
        };
        quote!(#docs #deprecation #name #payload,)
    }

    fn debug(&self) -> Option<TokenStream> {
        if !self.is_sensitive() {
            return None;
        }
        let (name, allowed) = (&self.name, self.allow_deprecated());
        let arms = self.union.variants.iter().map(|variant| {
            let ident = names::camel(&variant.name);
            let text = ident.unraw().to_string();
            match &variant.payload {
                Payload::Unit => quote!(Self::#ident => f.write_str(#text),),
                Payload::Single(_) => {
                    quote!(Self::#ident(value) => f.debug_tuple(#text).field(value).finish(),)
                }
                Payload::Fields(record) => {
                    let shown = record
                        .fields
                        .iter()
                        .filter(|field| !field.sensitive)
                        .map(|field| names::snake(&field.name));
                    let calls = debug_fields(&record.fields, |ident| quote!(#ident));
                    quote!(Self::#ident { #(#shown,)* .. } => f.debug_struct(#text)#calls.finish(),)
                }
            }
        });
        let unrecognized = self
            .unrecognized
            .as_ref()
            .map(|name| quote!(Self::#name(raw) => ::core::fmt::Debug::fmt(raw, f),));
        Some(quote! {
            #allowed
            impl ::core::fmt::Debug for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self {
                        #(#arms)*
                        #unrecognized
                    }
                }
            }
        })
    }

    fn validate(&self) -> TokenStream {
        let (name, private, allowed) = (
            &self.name,
            self.scope.options.private(),
            self.allow_deprecated(),
        );
        let arms: Vec<_> = self
            .union
            .variants
            .iter()
            .filter_map(|variant| self.validate_arm(variant))
            .collect();
        let body = if arms.is_empty() {
            TokenStream::new()
        } else {
            let rest = (arms.len() < self.union.variants.len() || !self.union.closed)
                .then(|| quote!(_ => {}));
            quote!(match self { #(#arms)* #rest })
        };
        quote! {
            #allowed
            impl #name {
                /// Checks the rules of the definition.
                ///
                /// # Errors
                ///
                /// Returns the first broken rule and the path of the value that breaks it.
                pub fn validate(&self) -> ::core::result::Result<(), #private::Invalid> {
                    #body
                    ::core::result::Result::Ok(())
                }
            }
        }
    }

    fn validate_arm(&self, variant: &Variant) -> Option<TokenStream> {
        let (ident, text) = (names::camel(&variant.name), &variant.name);
        match &variant.payload {
            Payload::Unit => None,
            Payload::Single(ty) => {
                let checks = self.scope.checks(ty, &[]);
                (!checks.is_empty()).then(|| quote! {
                    Self::#ident(__rpc_value) => { #(#checks.map_err(|invalid| invalid.in_field(#text))?;)* }
                })
            }
            Payload::Fields(record) => {
                let checks = self.scope.field_checks(&record.fields, |field| {
                    let name = names::snake(&field.name);
                    quote!(#name)
                });
                let ruled = |field: &&rpc_idl::model::Field| {
                    !self.scope.checks(&field.ty, &field.constraints).is_empty()
                };
                let used = record
                    .fields
                    .iter()
                    .filter(ruled)
                    .map(|field| names::snake(&field.name));
                (!checks.is_empty()).then(|| quote!(Self::#ident { #(#used,)* .. } => { #checks }))
            }
        }
    }

    fn display(&self) -> TokenStream {
        let (name, allowed) = (&self.name, self.allow_deprecated());
        let arms = self.union.variants.iter().map(|variant| {
            let ident = names::camel(&variant.name);
            let text = first_line(&variant.docs).unwrap_or_else(|| names::spoken(&variant.name));
            match &variant.payload {
                Payload::Single(ty) if self.is_shown(ty) => {
                    quote!(Self::#ident(value) => ::core::write!(f, "{}: {value}", #text),)
                }
                payload => {
                    let rest = ignored(payload);
                    quote!(Self::#ident #rest => f.write_str(#text),)
                }
            }
        });
        let full_name = self.def.full_name();
        let unrecognized = self.unrecognized.as_ref().map(|name| quote! {
            Self::#name(raw) => ::core::write!(f, "variant {} of {}, which is not known here", raw.ordinal, #full_name),
        });
        quote! {
            #allowed
            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self {
                        #(#arms)*
                        #unrecognized
                    }
                }
            }
        }
    }

    /// Texts and numbers read well in a message; another error speaks for itself as the source.
    fn is_shown(&self, ty: &Type) -> bool {
        let ty = self.scope.resolve(ty);
        matches!(
            ty,
            Type::String | Type::Bool | Type::Uuid | Type::Decimal | Type::Timestamp
        ) || super::types::is_number(ty)
    }

    fn error(&self) -> TokenStream {
        let (name, allowed) = (&self.name, self.allow_deprecated());
        let sources: Vec<_> = self
            .union
            .variants
            .iter()
            .filter(|variant| self.cause(variant).is_some())
            .collect();
        let arms = sources.iter().map(|variant| {
            let ident = names::camel(&variant.name);
            quote!(Self::#ident(cause) => ::core::option::Option::Some(cause),)
        });
        let source = (!sources.is_empty()).then(|| quote! {
            fn source(&self) -> ::core::option::Option<&(dyn ::std::error::Error + 'static)> {
                match self {
                    #(#arms)*
                    #[allow(unreachable_patterns, reason = "every variant may hold another error")]
                    _ => ::core::option::Option::None,
                }
            }
        });
        quote!(#allowed impl ::std::error::Error for #name { #source })
    }

    /// The error type that a variant holds, if it holds one.
    fn cause(&self, variant: &Variant) -> Option<TypeId> {
        let Payload::Single(ty) = &variant.payload else {
            return None;
        };
        match self.scope.resolve(ty) {
            Type::Named(id) => matches!(
                self.scope.model().ty(*id).kind,
                rpc_idl::model::TypeKind::Error(_)
            )
            .then_some(*id),
            _ => None,
        }
    }

    fn declared(&self) -> TokenStream {
        let (name, runtime, allowed) = (
            &self.name,
            self.scope.options.runtime(),
            self.allow_deprecated(),
        );
        let statuses = self.union.variants.iter().map(|variant| {
            let (ident, rest) = (names::camel(&variant.name), ignored(&variant.payload));
            let status = names::camel(variant.status.as_deref().unwrap_or("unknown"));
            quote!(Self::#ident #rest => #runtime::Status::#status,)
        });
        let unrecognized = self
            .unrecognized
            .as_ref()
            .map(|name| quote!(Self::#name(_) => #runtime::Status::Unknown,));
        let (retryable, retry_after) = (self.retryable(), self.retry_after());
        quote! {
            #allowed
            impl #runtime::DeclaredError for #name {
                fn status(&self) -> #runtime::Status {
                    match self {
                        #(#statuses)*
                        #unrecognized
                    }
                }
                #retryable
                #retry_after
            }
        }
    }

    fn retryable(&self) -> Option<TokenStream> {
        let retryable = self
            .union
            .variants
            .iter()
            .filter(|variant| variant.retryable.is_some());
        let arms: Vec<_> = retryable
            .map(|variant| {
                let (ident, rest) = (names::camel(&variant.name), ignored(&variant.payload));
                quote!(Self::#ident #rest)
            })
            .collect();
        (!arms.is_empty()).then(|| {
            quote! {
                fn retryable(&self) -> bool {
                    ::core::matches!(self, #(#arms)|*)
                }
            }
        })
    }

    fn retry_after(&self) -> Option<TokenStream> {
        let arms: Vec<_> = self
            .union
            .variants
            .iter()
            .filter_map(|variant| self.retry_arm(variant))
            .collect();
        (!arms.is_empty()).then(|| quote! {
            fn retry_after(&self) -> ::core::option::Option<::core::time::Duration> {
                match self {
                    #(#arms)*
                    #[allow(unreachable_patterns, reason = "every variant may say how long to wait")]
                    _ => ::core::option::Option::None,
                }
            }
        })
    }

    fn retry_arm(&self, variant: &Variant) -> Option<TokenStream> {
        let after = variant.retryable.as_ref()?.after.as_ref()?;
        let Payload::Fields(record) = &variant.payload else {
            return None;
        };
        let field = record.fields.iter().find(|field| field.name == *after)?;
        let (ident, name) = (names::camel(&variant.name), names::snake(after));
        let value = if self.scope.is_optional(&field.ty) {
            quote!(*#name)
        } else {
            quote!(::core::option::Option::Some(*#name))
        };
        Some(quote!(Self::#ident { #name, .. } => #value,))
    }

    /// `From` for each error type that exactly one variant holds, so that `?` works.
    fn froms(&self) -> TokenStream {
        let mut froms = TokenStream::new();
        for variant in &self.union.variants {
            let Some(cause) = self.cause(variant) else {
                continue;
            };
            let holders = self
                .union
                .variants
                .iter()
                .filter(|other| self.cause(other) == Some(cause))
                .count();
            if holders > 1 || cause == self.id {
                continue;
            }
            let Payload::Single(ty) = &variant.payload else {
                continue;
            };
            let (name, ident, path) = (
                &self.name,
                names::camel(&variant.name),
                self.scope.path(cause),
            );
            let value = if self.scope.is_boxed(self.id, ty) {
                quote!(::std::boxed::Box::new(cause))
            } else {
                quote!(cause)
            };
            let allowed = self.allow_deprecated();
            froms.extend(quote! {
                #allowed
                impl ::core::convert::From<#path> for #name {
                    fn from(cause: #path) -> Self {
                        Self::#ident(#value)
                    }
                }
            });
        }
        froms
    }
}

/// The pattern of a payload nobody looks at.
pub(super) fn ignored(payload: &Payload) -> TokenStream {
    match payload {
        Payload::Unit => TokenStream::new(),
        Payload::Single(_) => quote!((_)),
        Payload::Fields(_) => quote!({ .. }),
    }
}
