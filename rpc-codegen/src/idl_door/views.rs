//! Emits the view of a struct: the same fields, with strings and bytes borrowed from the message.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use rpc_idl::model::{Field, Struct, Type, TypeDef, TypeId, Value};
use syn::ext::IdentExt;

use super::codec::{self, Reads};
use super::docs::{deprecated, described};
use super::names;
use super::records::{allow_deprecated, debug_fields};
use super::scope::Scope;

/// The view of a struct that has something to borrow; any other is its own.
pub(super) fn emit(scope: &Scope<'_>, id: TypeId, def: &TypeDef, record: &Struct) -> TokenStream {
    if !scope.options.has_views() || !scope.facts.is_viewed(id) {
        return codec::owned_view(scope, def);
    }
    let view = View {
        scope,
        id,
        def,
        fields: &record.fields,
        owned: names::camel(&def.name),
        name: names::view(&def.name),
    };
    let (definition, debug, decode, viewable) = (
        view.definition(),
        view.debug(),
        view.decode(),
        view.viewable(),
    );
    quote!(#definition #debug #decode #viewable)
}

/// Words that all parts need.
struct View<'a> {
    scope: &'a Scope<'a>,
    id: TypeId,
    def: &'a TypeDef,
    fields: &'a [Field],
    owned: Ident,
    name: Ident,
}

impl View<'_> {
    fn is_sensitive(&self) -> bool {
        self.fields.iter().any(|field| field.sensitive)
    }

    fn allow_deprecated(&self) -> Option<TokenStream> {
        let member = self.fields.iter().any(|field| field.deprecated.is_some());
        allow_deprecated(member || self.def.deprecated.is_some())
    }

    fn definition(&self) -> TokenStream {
        let (name, owned, allowed) = (&self.name, &self.owned, self.allow_deprecated());
        let deprecation = deprecated(self.def.deprecated.as_deref());
        let fields = self.fields.iter().map(|field| {
            let (name, ty) = (
                names::snake(&field.name),
                self.scope.viewed(Some(self.id), &field.ty),
            );
            let docs = described(&field.docs, &format!("Field {}.", field.ordinal));
            let deprecation = deprecated(field.deprecated.as_deref());
            quote!(#docs #deprecation pub #name: #ty,)
        });
        let debug = (!self.is_sensitive()).then(|| quote!(Debug,));
        let docs = format!(" [`{owned}`] with its strings and bytes where they were received.");
        quote! {
            #[doc = #docs]
            #deprecation
            #[derive(Clone, #debug PartialEq)]
            pub struct #name<'a> {
                #(#fields)*
            }

            #allowed
            impl #name<'_> {
                /// Copies what is borrowed.
                #[must_use]
                #[inline]
                pub fn to_owned(&self) -> #owned {
                    self.into()
                }
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
                impl ::core::fmt::Debug for #name<'_> {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.debug_struct(#text)#fields.finish()
                    }
                }
            }
        })
    }

    /// As the struct itself is read. Inlined: so it costs who does not use it nothing but its text.
    fn decode(&self) -> TokenStream {
        let (private, name, owned, allowed) = (
            self.scope.options.private(),
            &self.name,
            &self.owned,
            self.allow_deprecated(),
        );
        let reads = Reads {
            scope: self.scope,
            owner: self.id,
            fields: self.fields,
            absent,
        };
        let (in_order, locals) = (reads.in_order(), reads.locals());
        quote! {
            #[automatically_derived]
            #allowed
            impl<'de> #private::Decode<'de> for #name<'de> {
                #[inline]
                fn decode(input: &mut #private::Reader<'de>) -> ::core::result::Result<Self, #private::DecodeError> {
                    let from = &mut #private::Slots::open(
                        input,
                        <#owned as #private::Record>::NAME,
                        <#owned as #private::Record>::FIELDS,
                    )?;
                    #in_order
                    ::core::result::Result::Ok(Self { #locals })
                }
            }
        }
    }

    fn viewable(&self) -> TokenStream {
        let (private, name, owned, allowed) = (
            self.scope.options.private(),
            &self.name,
            &self.owned,
            self.allow_deprecated(),
        );
        let fields = self.fields.iter().map(|field| names::snake(&field.name));
        quote! {
            #private::viewable!(record #owned #name);

            #[automatically_derived]
            #allowed
            impl ::core::convert::From<&#name<'_>> for #owned {
                #[inline]
                fn from(view: &#name<'_>) -> Self {
                    Self { #(#fields: #private::Viewable::from_view(&view.#fields),)* }
                }
            }
        }
    }
}

impl Scope<'_> {
    /// The type of a field of the view of `owner`, or of a result.
    pub(super) fn viewed(&self, owner: Option<TypeId>, ty: &Type) -> TokenStream {
        if !self.facts.borrows(self.model(), ty) {
            return match owner {
                Some(owner) => self.field(owner, ty),
                None => self.owned(ty),
            };
        }
        let (inner, heap) = (
            |ty: &Type| self.viewed(owner, ty),
            |ty: &Type| self.viewed(None, ty),
        );
        match self.resolve(ty) {
            Type::String => quote!(&'a str),
            Type::Optional(item) => {
                let item = inner(item);
                quote!(::core::option::Option<#item>)
            }
            Type::List(item) if *self.resolve(item) != Type::U8 => {
                let item = heap(item);
                quote!(::std::vec::Vec<#item>)
            }
            Type::Set(item) => {
                let item = heap(item);
                quote!(::std::collections::BTreeSet<#item>)
            }
            Type::Map(key, value) => {
                let (key, value) = (heap(key), heap(value));
                quote!(::std::collections::BTreeMap<#key, #value>)
            }
            Type::Array(item, length) => {
                let (item, length) = (inner(item), Literal::u32_unsuffixed(*length));
                quote!([#item; #length])
            }
            Type::Named(id) => {
                let def = self.model().ty(*id);
                let (package, name) = (self.package_path(&def.package), names::view(&def.name));
                let path = quote!(#package #name<'a>);
                match owner {
                    Some(owner) if self.is_boxed(owner, ty) => quote!(::std::boxed::Box<#path>),
                    _ => path,
                }
            }
            // Bytes, and lists of them.
            _ => quote!(&'a [u8]),
        }
    }

    /// A default in a view, or of a parameter that is borrowed: literals instead of strings and bytes of one's own.
    pub(super) fn viewed_value(&self, ty: &Type, value: &Value) -> TokenStream {
        if !self.facts.borrows(self.model(), ty) {
            return self.value(ty, value);
        }
        match (self.resolve(ty), value) {
            (Type::Optional(_), Value::None) => quote!(::core::option::Option::None),
            (Type::Optional(inner), value) => {
                let value = self.viewed_value(inner, value);
                quote!(::core::option::Option::Some(#value))
            }
            (Type::String, Value::String(text)) => quote!(#text),
            (Type::Bytes, Value::Bytes(bytes)) => {
                let bytes = Literal::byte_string(bytes);
                quote!(&#bytes[..])
            }
            (Type::List(item), Value::List(items)) if *self.resolve(item) == Type::U8 => {
                let items = items.iter().map(|value| self.value(item, value));
                quote!(&[#(#items),*][..])
            }
            (Type::Array(item, _), Value::List(items)) => {
                let items = items.iter().map(|value| self.viewed_value(item, value));
                quote!([#(#items),*])
            }
            (Type::List(item), Value::List(items)) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|value| self.viewed_value(item, value))
                    .collect();
                collected(&quote!(::std::vec::Vec), &items)
            }
            (Type::Set(item), Value::List(items)) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|value| self.viewed_value(item, value))
                    .collect();
                collected(&quote!(::std::collections::BTreeSet), &items)
            }
            (Type::Map(key, item), Value::Map(entries)) => {
                let entry = |(name, value): &(Value, Value)| {
                    let (name, value) =
                        (self.viewed_value(key, name), self.viewed_value(item, value));
                    quote!((#name, #value))
                };
                let entries: Vec<_> = entries.iter().map(entry).collect();
                collected(&quote!(::std::collections::BTreeMap), &entries)
            }
            _ => self.value(ty, value),
        }
    }
}

/// What an absent field of a view is.
fn absent(scope: &Scope<'_>, owner: TypeId, field: &Field) -> Option<TokenStream> {
    match &field.default {
        Some(value) if scope.facts.borrows(scope.model(), &field.ty) => {
            Some(scope.viewed_value(&field.ty, value))
        }
        _ => super::records::absent(scope, owner, field),
    }
}

fn collected(collection: &TokenStream, items: &[TokenStream]) -> TokenStream {
    match items {
        [] => quote!(#collection::new()),
        items => quote!(#collection::from([#(#items),*])),
    }
}
