//! Emits `validate()` and the checks of parameters: the rules `@len`, `@range`, `@pattern`, `@items`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use rpc_idl::model::{Constraint, Field, Type, Value};

use super::scope::Scope;
use super::types::{is_float, is_integer};
use super::values::{float, integer};
use crate::runtime::Runtime;

impl Scope<'_> {
    /// Statements that leave a function with the first broken rule of these fields; `place` turns a field into a
    /// reference to its value.
    pub(super) fn field_checks(
        &self,
        fields: &[Field],
        place: impl Fn(&Field) -> TokenStream,
    ) -> TokenStream {
        let mut statements = TokenStream::new();
        for field in fields {
            let (name, place) = (&field.name, place(field));
            for check in self.checks(&field.ty, &field.constraints) {
                statements.extend(quote! {
                    { let __rpc_value = #place; #check }.map_err(|invalid| invalid.in_field(#name))?;
                });
            }
        }
        statements
    }

    /// One `Result<(), Invalid>` expression per rule, over the reference `__rpc_value`.
    pub(super) fn checks(&self, ty: &Type, constraints: &[Constraint]) -> Vec<TokenStream> {
        match self.resolve(ty) {
            Type::Optional(inner) => {
                let nested = self.checks(inner, constraints);
                nested.iter().map(on_some).collect()
            }
            resolved => {
                let own = constraints
                    .iter()
                    .filter_map(|constraint| self.check(resolved, constraint));
                own.chain(self.inner_check(resolved)).collect()
            }
        }
    }

    fn check(&self, ty: &Type, constraint: &Constraint) -> Option<TokenStream> {
        let private = self.options.private();
        let rules = quote!(#private::validate);
        match constraint {
            Constraint::Len { min, max } => {
                let function = if *ty == Type::Bytes {
                    quote!(len_bytes)
                } else {
                    quote!(len_str)
                };
                let (min, max) = (bound(min.as_ref()), bound(max.as_ref()));
                Some(quote!(#rules::#function(__rpc_value, #min, #max)))
            }
            Constraint::Items { min, max, unique } => {
                let (min, max) = (bound(min.as_ref()), bound(max.as_ref()));
                let count = quote!(#rules::items(__rpc_value.len(), #min, #max));
                Some(match (unique, ty) {
                    (true, Type::List(_) | Type::Array(..)) => {
                        quote!(#count.and_then(|()| #rules::unique(__rpc_value.iter())))
                    }
                    _ => count,
                })
            }
            Constraint::Pattern(pattern) => Some(quote! {{
                static PATTERN: ::std::sync::LazyLock<#private::Pattern> =
                    ::std::sync::LazyLock::new(|| #private::Pattern::new(#pattern));
                #rules::pattern(&PATTERN, __rpc_value)
            }}),
            Constraint::Range { min, max } => range(
                self.options.runtime(),
                &rules,
                ty,
                min.as_ref(),
                max.as_ref(),
            ),
        }
    }

    /// The rules of what lies inside of a value.
    fn inner_check(&self, ty: &Type) -> Option<TokenStream> {
        if !self.is_ruled(ty) {
            return None;
        }
        match ty {
            Type::Named(_) => self
                .has_validate(ty)
                .then(|| quote!(__rpc_value.validate())),
            Type::List(item) | Type::Set(item) | Type::Array(item, _) => {
                let check = self.all_checks(item)?;
                Some(quote! {
                    __rpc_value.iter().enumerate().try_for_each(|(index, __rpc_value)| {
                        #check.map_err(|invalid| invalid.in_index(index))
                    })
                })
            }
            Type::Map(_, item) => {
                let check = self.all_checks(item)?;
                Some(quote! {
                    __rpc_value.iter().try_for_each(|(key, __rpc_value)| {
                        #check.map_err(|invalid| invalid.in_key(key))
                    })
                })
            }
            _ => None,
        }
    }

    /// All rules of an element in one expression.
    fn all_checks(&self, ty: &Type) -> Option<TokenStream> {
        self.checks(ty, &[])
            .into_iter()
            .reduce(|first, next| quote!(#first.and_then(|()| #next)))
    }
}

fn on_some(check: &TokenStream) -> TokenStream {
    quote! {
        match __rpc_value {
            ::core::option::Option::Some(__rpc_value) => #check,
            ::core::option::Option::None => ::core::result::Result::Ok(()),
        }
    }
}

fn range(
    runtime: &Runtime,
    rules: &TokenStream,
    ty: &Type,
    min: Option<&Value>,
    max: Option<&Value>,
) -> Option<TokenStream> {
    match ty {
        Type::U128 => {
            let (min, max) = (option(min.map(int_bound)), option(max.map(int_bound)));
            Some(quote!(#rules::range_u128(*__rpc_value, #min, #max)))
        }
        ty if is_integer(ty) => {
            let (min, max) = (option(min.map(int_bound)), option(max.map(int_bound)));
            Some(quote!(#rules::range_int(i128::from(*__rpc_value), #min, #max)))
        }
        ty if is_float(ty) => {
            let (min, max) = (option(min.map(float_bound)), option(max.map(float_bound)));
            Some(quote!(#rules::range_float(f64::from(*__rpc_value), #min, #max)))
        }
        Type::Duration => {
            let (min, max) = (option(min.map(int_bound)), option(max.map(int_bound)));
            Some(quote!(#rules::range_duration(*__rpc_value, #min, #max)))
        }
        Type::Timestamp => {
            let (min, max) = (
                option(min.map(|value| time_bound(runtime, value))),
                option(max.map(|value| time_bound(runtime, value))),
            );
            Some(quote!(#rules::range_timestamp(*__rpc_value, #min, #max)))
        }
        _ => None,
    }
}

fn int_bound(value: &Value) -> TokenStream {
    match value {
        Value::Int(value) => integer(*value),
        Value::Duration(nanos) => integer((*nanos).into()),
        Value::BigUint(value) => {
            let value = Literal::u128_unsuffixed(*value);
            quote!(#value)
        }
        _ => quote!(0),
    }
}

fn float_bound(value: &Value) -> TokenStream {
    match value {
        Value::Float(value) => float(*value),
        Value::Int(value) => float(*value as f64),
        _ => quote!(0.0),
    }
}

fn time_bound(runtime: &Runtime, value: &Value) -> TokenStream {
    let (seconds, nanos) = match value {
        Value::Timestamp(seconds, nanos) => (integer((*seconds).into()), integer((*nanos).into())),
        _ => (quote!(0), quote!(0)),
    };
    quote!(#runtime::Timestamp { seconds: #seconds, nanos: #nanos })
}

fn bound(value: Option<&u64>) -> TokenStream {
    option(value.map(|value| integer((*value).into())))
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
