//! Emits what the runtime must know of a type to carry it: slots, numbers, variants.
//!
//! The runtime makes MessagePack and serde forms of one description, so there is one description to emit.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use rpc_idl::model::{Enum, Field, Payload, Struct, Type, TypeDef, TypeId, Union, Variant};

use super::enums::{is_deprecated, variant_names};
use super::names;
use super::records::{absent, allow_deprecated};
use super::scope::Scope;
use super::unions::{ignored, unrecognized};
use super::values::integer;

/// A struct: its slots.
pub(super) fn record(scope: &Scope<'_>, id: TypeId, def: &TypeDef, record: &Struct) -> TokenStream {
    let (private, name, full_name) = (
        scope.options.private(),
        names::camel(&def.name),
        def.full_name(),
    );
    let slots = slot_names(&record.fields);
    let writes = writes(&record.fields, |name| quote!(&self.#name));
    let reads = Reads {
        scope,
        owner: id,
        fields: &record.fields,
        absent,
    };
    let (taking, values, in_order, locals) = (
        reads.taking(&quote!(Self::FIELDS)),
        reads.values(),
        reads.in_order(),
        reads.locals(),
    );
    let member = record.fields.iter().any(|field| field.deprecated.is_some());
    let allowed = allow_deprecated(member || def.deprecated.is_some());
    let wire = wire(scope, "record", def);
    quote! {
        #allowed
        impl #private::Record for #name {
            const NAME: &'static str = #full_name;
            const FIELDS: &'static [&'static str] = &[#(#slots),*];

            fn write<S: #private::Sink>(&self, to: &mut S) -> ::core::result::Result<(), S::Error> {
                #writes
                ::core::result::Result::Ok(())
            }

            fn decode(from: &mut #private::Slots<'_, '_>) -> ::core::result::Result<Self, #private::DecodeError> {
                #in_order
                ::core::result::Result::Ok(Self { #locals })
            }

            fn read<'de, S: #private::Source<'de>>(from: &mut S) -> ::core::result::Result<Self, S::Error> {
                #taking
                ::core::result::Result::Ok(Self { #values })
            }
        }
        #wire
    }
}

/// An enum: its numbers.
pub(super) fn enumeration(scope: &Scope<'_>, def: &TypeDef, definition: &Enum) -> TokenStream {
    let (private, name, full_name) = (
        scope.options.private(),
        names::camel(&def.name),
        def.full_name(),
    );
    let variants = variant_names(definition);
    let numbers: Vec<_> = definition
        .values
        .iter()
        .map(|value| integer(value.number.into()))
        .collect();
    let words = definition.values.iter().map(|value| &value.name);
    let rest = if definition.closed {
        quote!(::core::option::Option::None)
    } else {
        quote!(
            ::core::convert::TryFrom::try_from(number)
                .ok()
                .map(Self::Unrecognized)
        )
    };
    // Only a `u64` that this side does not know can be too large; it is then as unknown as before.
    let number = match definition.repr {
        Type::U64 => quote!(
            <i64 as ::core::convert::TryFrom<u64>>::try_from(Self::number(*self))
                .unwrap_or(i64::MAX)
        ),
        Type::I64 => quote!(Self::number(*self)),
        _ => quote!(i64::from(Self::number(*self))),
    };
    let allowed = allow_deprecated(is_deprecated(def, definition));
    let (wire, view) = (wire(scope, "enumeration", def), owned_view(scope, def));
    quote! {
        #allowed
        impl #private::Enumeration for #name {
            const NAME: &'static str = #full_name;
            const VALUES: &'static [(i64, &'static str)] = &[#((#numbers, #words)),*];

            fn number(&self) -> i64 {
                #number
            }

            fn from_number(number: i64) -> ::core::option::Option<Self> {
                match number {
                    #(#numbers => ::core::option::Option::Some(Self::#variants),)*
                    _ => #rest,
                }
            }
        }
        #wire
        #view
    }
}

/// A union or error: its variants.
pub(super) fn union(scope: &Scope<'_>, id: TypeId, def: &TypeDef, union: &Union) -> TokenStream {
    let (private, name, full_name) = (
        scope.options.private(),
        names::camel(&def.name),
        def.full_name(),
    );
    let parts = Variants {
        scope,
        id,
        union,
        unrecognized: unrecognized(union),
    };
    let known = union.variants.iter().map(|variant| {
        let (ordinal, name) = (Literal::u32_unsuffixed(variant.ordinal), &variant.name);
        quote!((#ordinal, #name))
    });
    let (ordinal, write, read, fields) =
        (parts.ordinal(), parts.write(), parts.read(), parts.fields());
    let allowed = parts.allow_deprecated(def);
    let (wire, view) = (wire(scope, "union", def), owned_view(scope, def));
    quote! {
        #allowed
        impl #private::Union for #name {
            const NAME: &'static str = #full_name;
            const VARIANTS: &'static [(u32, &'static str)] = &[#(#known),*];
            #ordinal
            #write
            #read
            #fields
        }
        #wire
        #view
    }
}

/// The runtime's macro that makes all forms of a description.
fn wire(scope: &Scope<'_>, kind: &str, def: &TypeDef) -> TokenStream {
    let (private, kind, name) = (
        scope.options.private(),
        format_ident!("{kind}"),
        names::camel(&def.name),
    );
    within(def, &quote!(#private::wire!(#kind #name);))
}

/// What says that a type is its own view: it has nothing to borrow.
pub(super) fn owned_view(scope: &Scope<'_>, def: &TypeDef) -> TokenStream {
    let (private, name) = (scope.options.private(), names::camel(&def.name));
    within(def, &quote!(#private::viewable!(owned #name);))
}

fn within(def: &TypeDef, call: &TokenStream) -> TokenStream {
    let allowed = allow_deprecated(def.deprecated.is_some());
    if allowed.is_some() {
        // An attribute on a macro call reaches nothing inside of it; on a block it does.
        return quote!(#allowed const _: () = { #call };);
    }
    call.clone()
}

/// The name of each slot, holes included.
fn slot_names(fields: &[Field]) -> Vec<&str> {
    let mut names = Vec::new();
    for field in fields {
        names.resize(slot(field), "");
        names.push(&*field.name);
    }
    names
}

fn slot(field: &Field) -> usize {
    field.ordinal.saturating_sub(1) as usize
}

/// Statements that give each slot to the sink `to`.
fn writes(fields: &[Field], place: impl Fn(&Ident) -> TokenStream) -> TokenStream {
    let mut statements = TokenStream::new();
    let mut next = 0;
    for field in fields {
        let holes = (next..slot(field)).map(|_| quote!(to.hole()?;));
        let (name, value) = (&field.name, place(&names::snake(&field.name)));
        statements.extend(quote!(#(#holes)* to.field(#name, #value)?;));
        next = slot(field) + 1;
    }
    statements
}

/// Takes fields out of the source `from`.
pub(super) struct Reads<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) owner: TypeId,
    pub(super) fields: &'a [Field],
    /// What an absent field is.
    pub(super) absent: fn(&Scope<'_>, TypeId, &Field) -> Option<TokenStream>,
}

impl Reads<'_> {
    /// Takes what the source has, in any order, into one local for each field.
    fn taking(&self, slots: &TokenStream) -> TokenStream {
        let locals: Vec<_> = self.fields.iter().map(local).collect();
        let types = self
            .fields
            .iter()
            .map(|field| match self.scope.resolve(&field.ty) {
                Type::Optional(inner) => self.scope.field(self.owner, inner),
                _ => self.scope.field(self.owner, &field.ty),
            });
        let numbers = self
            .fields
            .iter()
            .map(|field| Literal::usize_unsuffixed(slot(field)));
        let names = self.fields.iter().map(|field| &field.name);
        quote! {
            #(let mut #locals: ::core::option::Option<#types> = ::core::option::Option::None;)*
            while let ::core::option::Option::Some(slot) = from.next(#slots)? {
                match slot {
                    #(#numbers => #locals = from.field(#names)?,)*
                    _ => from.skip()?,
                }
            }
        }
    }

    /// Takes each field out of the slots `from` into a local, one after the other, up to the end.
    ///
    /// The struct is put together when nothing can fail any more: so it is made where it is returned, and not moved.
    pub(super) fn in_order(&self) -> TokenStream {
        let mut statements = TokenStream::new();
        let mut next = 0;
        for field in self.fields {
            let holes = (next..slot(field)).map(|_| quote!(from.hole()?;));
            let (local, value) = (local(field), self.next_slot(field));
            statements.extend(quote!(#(#holes)* let #local = #value;));
            next = slot(field) + 1;
        }
        quote!(#statements from.finish()?;)
    }

    /// The fields of a struct expression, which are locals.
    pub(super) fn locals(&self) -> TokenStream {
        let fields = self.fields.iter().map(|field| {
            let (ident, local) = (names::snake(&field.name), local(field));
            quote!(#ident: #local,)
        });
        fields.collect()
    }

    fn next_slot(&self, field: &Field) -> TokenStream {
        let (name, ordinal) = (&field.name, Literal::u32_unsuffixed(field.ordinal));
        let is_optional = self.scope.is_optional(&field.ty);
        match (self.absent)(self.scope, self.owner, field) {
            Some(default) if field.default.is_some() && is_optional => {
                quote!(from.optional(#name)?.or_else(|| #default))
            }
            Some(_) if is_optional => quote!(from.optional(#name)?),
            Some(default) => quote!(from.optional(#name)?.unwrap_or_else(|| #default)),
            None => quote!(from.required(#ordinal, #name)?),
        }
    }

    /// The fields of a struct expression, made of the locals.
    fn values(&self) -> TokenStream {
        self.fields.iter().map(|field| self.value(field)).collect()
    }

    fn value(&self, field: &Field) -> TokenStream {
        let (local, ident, name) = (local(field), names::snake(&field.name), &field.name);
        let ordinal = Literal::u32_unsuffixed(field.ordinal);
        let is_optional = self.scope.is_optional(&field.ty);
        let value = match (self.absent)(self.scope, self.owner, field) {
            Some(default) if field.default.is_some() && is_optional => {
                quote!(#local.or_else(|| #default))
            }
            Some(_) if is_optional => quote!(#local),
            Some(default) => quote!(#local.unwrap_or_else(|| #default)),
            None => quote!(from.required(#local, Self::NAME, #ordinal, #name)?),
        };
        quote!(#ident: #value,)
    }
}

fn local(field: &Field) -> Ident {
    format_ident!("field_{}", field.ordinal)
}

/// The variants of a union.
struct Variants<'a> {
    scope: &'a Scope<'a>,
    id: TypeId,
    union: &'a Union,
    unrecognized: Option<Ident>,
}

impl Variants<'_> {
    fn allow_deprecated(&self, def: &TypeDef) -> Option<TokenStream> {
        let member = |variant: &Variant| {
            let field = record_of(variant)
                .is_some_and(|record| record.fields.iter().any(|field| field.deprecated.is_some()));
            field || variant.deprecated.is_some()
        };
        allow_deprecated(def.deprecated.is_some() || self.union.variants.iter().any(member))
    }

    fn ordinal(&self) -> TokenStream {
        let arms = self.union.variants.iter().map(|variant| {
            let (ident, rest) = (names::camel(&variant.name), ignored(&variant.payload));
            let ordinal = Literal::u32_unsuffixed(variant.ordinal);
            quote!(Self::#ident #rest => #ordinal,)
        });
        let unrecognized = self
            .unrecognized
            .as_ref()
            .map(|name| quote!(Self::#name(raw) => raw.ordinal,));
        quote! {
            fn ordinal(&self) -> u32 {
                match self {
                    #(#arms)*
                    #unrecognized
                }
            }
        }
    }

    fn write(&self) -> TokenStream {
        let private = self.scope.options.private();
        let arms = self.union.variants.iter().map(|variant| {
            let ident = names::camel(&variant.name);
            match &variant.payload {
                Payload::Unit => quote!(Self::#ident => to.unit(),),
                Payload::Single(_) => quote!(Self::#ident(value) => to.value(value),),
                Payload::Fields(_) => quote!(Self::#ident { .. } => to.fields(self),),
            }
        });
        let unrecognized = self
            .unrecognized
            .as_ref()
            .map(|name| quote!(Self::#name(raw) => to.raw(raw),));
        quote! {
            fn write<S: #private::PayloadSink>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
                match self {
                    #(#arms)*
                    #unrecognized
                }
            }
        }
    }

    fn read(&self) -> TokenStream {
        let private = self.scope.options.private();
        let arms = self.union.variants.iter().map(|variant| {
            let (ident, ordinal) = (
                names::camel(&variant.name),
                Literal::u32_unsuffixed(variant.ordinal),
            );
            match &variant.payload {
                Payload::Unit => quote!(#ordinal => from.unit().map(|()| Self::#ident),),
                Payload::Single(_) => quote!(#ordinal => from.value().map(Self::#ident),),
                Payload::Fields(_) => quote!(#ordinal => from.fields(ordinal),),
            }
        });
        let rest = match &self.unrecognized {
            Some(name) => quote!(from.raw(ordinal).map(Self::#name)),
            None => quote!(::core::result::Result::Err(
                from.unknown(Self::NAME, ordinal)
            )),
        };
        quote! {
            fn read<'de, S: #private::PayloadSource<'de>>(ordinal: u32, from: S) -> ::core::result::Result<Self, S::Error> {
                match ordinal {
                    #(#arms)*
                    _ => #rest,
                }
            }
        }
    }

    /// Both directions of the variants with fields; nothing if there are none.
    fn fields(&self) -> TokenStream {
        let records: Vec<_> = self
            .union
            .variants
            .iter()
            .filter_map(|variant| Some((variant, record_of(variant)?)))
            .collect();
        if records.is_empty() {
            return TokenStream::new();
        }
        let private = self.scope.options.private();
        let write_arms = records
            .iter()
            .map(|(variant, record)| write_arm(variant, record));
        let decode_arms = records
            .iter()
            .map(|(variant, record)| self.decode_arm(variant, record));
        let read_arms = records
            .iter()
            .map(|(variant, record)| self.read_arm(variant, record));
        let rest = (records.len() < self.union.variants.len() || self.unrecognized.is_some())
            .then(|| quote!(_ => ::core::result::Result::Ok(()),));
        quote! {
            fn write_fields<S: #private::Sink>(&self, to: &mut S) -> ::core::result::Result<(), S::Error> {
                match self {
                    #(#write_arms)*
                    #rest
                }
            }

            fn decode_fields(ordinal: u32, input: &mut #private::Reader<'_>) -> ::core::result::Result<Self, #private::DecodeError> {
                match ordinal {
                    #(#decode_arms)*
                    _ => ::core::result::Result::Err(
                        #private::DecodeError::unknown_variant(Self::NAME, ::core::convert::From::from(ordinal))
                    ),
                }
            }

            fn read_fields<'de, S: #private::Source<'de>>(ordinal: u32, from: &mut S) -> ::core::result::Result<Self, S::Error> {
                match ordinal {
                    #(#read_arms)*
                    _ => ::core::result::Result::Err(from.unknown(Self::NAME, ordinal)),
                }
            }
        }
    }

    fn decode_arm(&self, variant: &Variant, record: &Struct) -> TokenStream {
        let private = self.scope.options.private();
        let (ident, ordinal) = (
            names::camel(&variant.name),
            Literal::u32_unsuffixed(variant.ordinal),
        );
        let slots = slot_names(&record.fields);
        let reads = Reads {
            scope: self.scope,
            owner: self.id,
            fields: &record.fields,
            absent,
        };
        let (in_order, locals) = (reads.in_order(), reads.locals());
        quote! {
            #ordinal => {
                let from = &mut #private::Slots::open(input, Self::NAME, &[#(#slots),*])?;
                #in_order
                ::core::result::Result::Ok(Self::#ident { #locals })
            }
        }
    }

    fn read_arm(&self, variant: &Variant, record: &Struct) -> TokenStream {
        let (ident, ordinal) = (
            names::camel(&variant.name),
            Literal::u32_unsuffixed(variant.ordinal),
        );
        let slots = slot_names(&record.fields);
        let reads = Reads {
            scope: self.scope,
            owner: self.id,
            fields: &record.fields,
            absent,
        };
        let (taking, values) = (reads.taking(&quote!(&[#(#slots),*])), reads.values());
        quote! {
            #ordinal => {
                #taking
                ::core::result::Result::Ok(Self::#ident { #values })
            }
        }
    }
}

fn write_arm(variant: &Variant, record: &Struct) -> TokenStream {
    let ident = names::camel(&variant.name);
    let fields: Vec<_> = record
        .fields
        .iter()
        .map(|field| names::snake(&field.name))
        .collect();
    let locals: Vec<_> = record.fields.iter().map(local).collect();
    let by_name = |name: &Ident| {
        let local = fields
            .iter()
            .position(|field| field == name)
            .map(|index| &locals[index]);
        quote!(#local)
    };
    let writes = writes(&record.fields, by_name);
    quote! {
        Self::#ident { #(#fields: #locals),* } => {
            #writes
            ::core::result::Result::Ok(())
        }
    }
}

fn record_of(variant: &Variant) -> Option<&Struct> {
    match &variant.payload {
        Payload::Fields(record) => Some(record),
        _ => None,
    }
}
