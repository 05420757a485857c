//! Rust types for the model's types: owned, boxed where they recurse, borrowed as clients take them.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};
use rpc_idl::model::{Type, TypeId, TypeKind};

use super::names;
use super::scope::Scope;
use crate::service::Names;

impl Scope<'_> {
    /// The path of a named type.
    pub(super) fn path(&self, id: TypeId) -> TokenStream {
        let def = self.model().ty(id);
        let (package, name) = (self.package_path(&def.package), names::camel(&def.name));
        quote!(#package #name)
    }

    /// The type of a value that somebody owns.
    pub(super) fn owned(&self, ty: &Type) -> TokenStream {
        self.spell(ty, None)
    }

    /// The type of a field of `owner`: boxed where `owner` would contain itself.
    pub(super) fn field(&self, owner: TypeId, ty: &Type) -> TokenStream {
        self.spell(ty, Some(owner))
    }

    /// What a client's method takes: borrowed where that spares the caller a copy.
    pub(super) fn borrowed(&self, ty: &Type) -> TokenStream {
        match self.model().resolve(ty) {
            Type::String => quote!(&str),
            Type::Bytes if self.options.has_shared_bytes() => {
                let runtime = self.options.runtime();
                quote!(impl #runtime::BytesArg)
            }
            Type::Bytes => quote!(&[u8]),
            Type::List(item) => {
                let item = self.owned(item);
                quote!(&[#item])
            }
            Type::Optional(inner) => {
                let inner = match self.resolve(inner) {
                    // Nobody could tell what type a `None` is of.
                    Type::Bytes => quote!(&[u8]),
                    _ => self.borrowed(inner),
                };
                quote!(::core::option::Option<#inner>)
            }
            // Whoever sends a handle may keep another one of the same object.
            Type::Handle(_) => self.owned(ty),
            resolved if self.is_copy(resolved) => self.owned(ty),
            _ => {
                let ty = self.owned(ty);
                quote!(&#ty)
            }
        }
    }

    /// Whether a field of `owner` of this type is a box.
    pub(super) fn is_boxed(&self, owner: TypeId, ty: &Type) -> bool {
        matches!(self.resolve(ty), Type::Named(id) if self.facts.contains(*id, owner))
    }

    fn is_copy(&self, resolved: &Type) -> bool {
        match resolved {
            Type::Named(id) => matches!(self.model().ty(*id).kind, TypeKind::Enum(_)),
            Type::Timestamp | Type::Duration | Type::Uuid => true,
            other => is_number(other) || *other == Type::Bool,
        }
    }

    fn spell(&self, ty: &Type, owner: Option<TypeId>) -> TokenStream {
        let inner = |ty: &Type| self.spell(ty, owner);
        let heap = |ty: &Type| self.spell(ty, None);
        let runtime = &self.options.runtime();
        match ty {
            Type::String if self.options.has_small_strings() => quote!(#runtime::SmolStr),
            Type::String => quote!(::std::string::String),
            Type::Bytes if self.options.has_shared_bytes() => quote!(#runtime::Bytes),
            Type::Bytes => quote!(::std::vec::Vec<u8>),
            Type::Timestamp => quote!(#runtime::Timestamp),
            Type::Duration => quote!(::core::time::Duration),
            Type::Uuid => quote!(#runtime::Uuid),
            Type::Decimal => quote!(#runtime::Decimal),
            Type::Any => quote!(#runtime::Value),
            Type::Optional(item) => wrap(&quote!(::core::option::Option), &[inner(item)]),
            Type::List(item) => wrap(&quote!(::std::vec::Vec), &[heap(item)]),
            Type::Set(item) => wrap(&quote!(::std::collections::BTreeSet), &[heap(item)]),
            Type::Map(key, value) => wrap(
                &quote!(::std::collections::BTreeMap),
                &[heap(key), heap(value)],
            ),
            Type::Array(item, length) => {
                let (item, length) = (inner(item), Literal::u32_unsuffixed(*length));
                quote!([#item; #length])
            }
            Type::Named(id) => self.spell_named(*id, owner),
            Type::Handle(service) => {
                let client = self.client(service);
                quote!(#runtime::Handle<#client>)
            }
            // Only the trait door makes these, and it emits no types.
            Type::Foreign(text) => syn::parse_str::<syn::Type>(text)
                .map_or_else(|_| quote!(()), |ty| ty.into_token_stream()),
            number => number_type(number),
        }
    }

    /// The path of the client of a service, by its full name.
    pub(super) fn client(&self, service: &str) -> TokenStream {
        let (package, name) = service.rsplit_once('.').unwrap_or(("", service));
        let client = Names::of(&names::camel(name)).client;
        let package = self.package_path(package);
        quote!(#package #client)
    }

    fn spell_named(&self, id: TypeId, owner: Option<TypeId>) -> TokenStream {
        let Some(owner) = owner.filter(|owner| self.facts.contains(id, *owner)) else {
            return self.path(id);
        };
        match &self.model().ty(id).kind {
            // The box goes inside of what the alias stands for.
            TypeKind::Alias(target) => self.spell(target, Some(owner)),
            _ => wrap(&quote!(::std::boxed::Box), &[self.path(id)]),
        }
    }
}

/// Whether this is an integer or a float.
pub(super) fn is_number(ty: &Type) -> bool {
    is_integer(ty) || is_float(ty)
}

/// Whether this is `f32` or `f64`.
pub(super) fn is_float(ty: &Type) -> bool {
    matches!(ty, Type::F32 | Type::F64)
}

/// Whether this is one of the integer types.
pub(super) fn is_integer(ty: &Type) -> bool {
    matches!(
        ty,
        Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::I128
            | Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::U128
    )
}

/// The Rust type of a scalar; `bool` for what is none.
pub(super) fn number_type(ty: &Type) -> TokenStream {
    match ty {
        Type::I8 => quote!(i8),
        Type::I16 => quote!(i16),
        Type::I32 => quote!(i32),
        Type::I64 => quote!(i64),
        Type::I128 => quote!(i128),
        Type::U8 => quote!(u8),
        Type::U16 => quote!(u16),
        Type::U32 => quote!(u32),
        Type::U64 => quote!(u64),
        Type::U128 => quote!(u128),
        Type::F32 => quote!(f32),
        Type::F64 => quote!(f64),
        _ => quote!(bool),
    }
}

fn wrap(outer: &TokenStream, inner: &[TokenStream]) -> TokenStream {
    quote!(#outer<#(#inner),*>)
}
