//! Rust expressions for the literals of a definition.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use rpc_idl::model::{Type, TypeId, TypeKind, Value};

use super::enums::variant_names;
use super::scope::Scope;
use super::types::is_float;

impl Scope<'_> {
    /// An owned value, for defaults.
    pub(super) fn value(&self, ty: &Type, value: &Value) -> TokenStream {
        let runtime = self.options.runtime();
        match (self.resolve(ty), value) {
            (Type::Optional(_), Value::None) => quote!(::core::option::Option::None),
            (Type::Optional(inner), value) => {
                let value = self.value(inner, value);
                quote!(::core::option::Option::Some(#value))
            }
            (Type::Any, value) => self.any(value),
            (Type::String, Value::String(text)) => match self.options.has_small_strings() {
                true => quote!(#runtime::SmolStr::new_static(#text)),
                false => quote!(::std::string::String::from(#text)),
            },
            (Type::Decimal, Value::String(text)) => quote! {
                // The definition was checked: the text is a decimal.
                <#runtime::Decimal as ::core::str::FromStr>::from_str(#text).unwrap_or_default()
            },
            (Type::Bytes, Value::Bytes(bytes)) => {
                let bytes = Literal::byte_string(bytes);
                match self.options.has_shared_bytes() {
                    true => quote!(#runtime::Bytes::from_static(#bytes)),
                    false => quote!(::std::vec::Vec::from(#bytes)),
                }
            }
            (Type::Array(item, _), Value::List(items)) => {
                let items = items.iter().map(|value| self.value(item, value));
                quote!([#(#items),*])
            }
            (Type::List(item), Value::List(items)) => {
                self.collection(&quote!(::std::vec::Vec), item, items)
            }
            (Type::Set(item), Value::List(items)) => {
                self.collection(&quote!(::std::collections::BTreeSet), item, items)
            }
            (Type::Map(key, item), Value::Map(entries)) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| self.entry(key, item, entry, Self::value))
                    .collect();
                match entries.is_empty() {
                    true => quote!(::std::collections::BTreeMap::new()),
                    false => quote!(::std::collections::BTreeMap::from([#(#entries),*])),
                }
            }
            _ => self.constant(ty, value),
        }
    }

    /// A value that a `const` can hold: slices instead of collections.
    pub(super) fn constant(&self, ty: &Type, value: &Value) -> TokenStream {
        let runtime = self.options.runtime();
        let ty = self.resolve(ty);
        match value {
            Value::Bool(value) => quote!(#value),
            Value::Int(value) if is_float(ty) => float(*value as f64),
            Value::Int(value) => integer(*value),
            Value::BigUint(value) => {
                let value = Literal::u128_unsuffixed(*value);
                quote!(#value)
            }
            Value::Float(value) => float(*value),
            Value::String(text) if *ty == Type::Uuid => {
                let bytes = uuid_bytes(text).into_iter().map(Literal::u8_unsuffixed);
                quote!(#runtime::Uuid([#(#bytes),*]))
            }
            Value::String(text) => quote!(#text),
            Value::Duration(nanos) => {
                let nanos = Literal::u64_unsuffixed(u64::try_from(*nanos).unwrap_or(0));
                quote!(::core::time::Duration::from_nanos(#nanos))
            }
            Value::Timestamp(seconds, nanos) => {
                let (seconds, nanos) =
                    (integer((*seconds).into()), Literal::u32_unsuffixed(*nanos));
                quote!(#runtime::Timestamp { seconds: #seconds, nanos: #nanos })
            }
            Value::Bytes(bytes) => {
                let bytes = Literal::byte_string(bytes);
                quote!(#bytes)
            }
            Value::List(items) => self.constant_list(ty, items),
            Value::Map(entries) => match ty {
                Type::Map(key, item) => {
                    let entries = entries
                        .iter()
                        .map(|entry| self.entry(key, item, entry, Self::constant));
                    quote!(&[#(#entries),*])
                }
                _ => quote!(&[]),
            },
            Value::Enum(id, number) => self.enum_value(*id, *number),
            Value::None => quote!(::core::option::Option::None),
        }
    }

    /// The type of such a `const`.
    pub(super) fn constant_type(&self, ty: &Type) -> TokenStream {
        match self.resolve(ty) {
            Type::String | Type::Decimal => quote!(&str),
            Type::Bytes => quote!(&[u8]),
            Type::Optional(inner) => {
                let inner = self.constant_type(inner);
                quote!(::core::option::Option<#inner>)
            }
            Type::List(item) | Type::Set(item) => {
                let item = self.constant_type(item);
                quote!(&[#item])
            }
            Type::Array(item, length) => {
                let (item, length) = (self.constant_type(item), Literal::u32_unsuffixed(*length));
                quote!([#item; #length])
            }
            Type::Map(key, value) => {
                let (key, value) = (self.constant_type(key), self.constant_type(value));
                quote!(&[(#key, #value)])
            }
            _ => self.owned(ty),
        }
    }

    /// Whether a `const` of this type can be written.
    pub(super) fn is_constant(&self, ty: &Type) -> bool {
        match self.resolve(ty) {
            Type::Any | Type::Foreign(_) => false,
            Type::Optional(inner)
            | Type::List(inner)
            | Type::Set(inner)
            | Type::Array(inner, _) => self.is_constant(inner),
            Type::Map(key, value) => self.is_constant(key) && self.is_constant(value),
            Type::Named(id) => matches!(self.model().ty(*id).kind, TypeKind::Enum(_)),
            _ => true,
        }
    }

    fn constant_list(&self, ty: &Type, items: &[Value]) -> TokenStream {
        match ty {
            Type::Array(item, _) => {
                let items = items.iter().map(|value| self.constant(item, value));
                quote!([#(#items),*])
            }
            Type::List(item) | Type::Set(item) => {
                let items = items.iter().map(|value| self.constant(item, value));
                quote!(&[#(#items),*])
            }
            _ => quote!(&[]),
        }
    }

    fn collection(&self, collection: &TokenStream, item: &Type, items: &[Value]) -> TokenStream {
        if items.is_empty() {
            return quote!(#collection::new());
        }
        let items = items.iter().map(|value| self.value(item, value));
        quote!(#collection::from([#(#items),*]))
    }

    fn entry(
        &self,
        key: &Type,
        item: &Type,
        (name, value): &(Value, Value),
        write: fn(&Self, &Type, &Value) -> TokenStream,
    ) -> TokenStream {
        let (name, value) = (write(self, key, name), write(self, item, value));
        quote!((#name, #value))
    }

    fn enum_value(&self, id: TypeId, number: i64) -> TokenStream {
        let (path, def) = (self.path(id), self.model().ty(id));
        let TypeKind::Enum(definition) = &def.kind else {
            return quote!(#path);
        };
        let names = variant_names(definition);
        match definition
            .values
            .iter()
            .position(|value| value.number == number)
        {
            Some(index) => {
                let name = &names[index];
                quote!(#path::#name)
            }
            None => {
                let number = integer(number.into());
                quote!(#path::Unrecognized(#number))
            }
        }
    }

    fn any(&self, value: &Value) -> TokenStream {
        let any = self.options.runtime();
        match value {
            Value::Bool(value) => quote!(#any::Value::Bool(#value)),
            Value::Int(value) => {
                let value = integer(*value);
                quote!(#any::Value::Int(#value))
            }
            Value::Float(value) => {
                let value = float(*value);
                quote!(#any::Value::F64(#value))
            }
            Value::String(text) => quote!(#any::Value::Str(::std::string::String::from(#text))),
            Value::Bytes(bytes) => {
                let bytes = Literal::byte_string(bytes);
                quote!(#any::Value::Bin(::std::vec::Vec::from(#bytes)))
            }
            Value::List(items) => {
                let items = items.iter().map(|item| self.any(item));
                quote!(#any::Value::Array(::std::vec![#(#items),*]))
            }
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    let (key, value) = (self.any(key), self.any(value));
                    quote!((#key, #value))
                });
                quote!(#any::Value::Map(::std::vec![#(#entries),*]))
            }
            Value::Enum(_, number) => {
                let number = integer((*number).into());
                quote!(#any::Value::Int(#number))
            }
            _ => quote!(#any::Value::Nil),
        }
    }
}

/// An integer literal; a sign stands before it, not in it.
pub(super) fn integer(value: i128) -> TokenStream {
    let digits = Literal::u128_unsuffixed(value.unsigned_abs());
    if value < 0 {
        quote!(-#digits)
    } else {
        quote!(#digits)
    }
}

/// A float literal.
pub(super) fn float(value: f64) -> TokenStream {
    let digits = Literal::f64_unsuffixed(value.abs());
    if value.is_sign_negative() {
        quote!(-#digits)
    } else {
        quote!(#digits)
    }
}

/// The bytes of a UUID in its canonical text.
fn uuid_bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    let mut bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    bytes.resize(16, 0);
    bytes
}
