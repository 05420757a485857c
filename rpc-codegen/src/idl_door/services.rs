//! Emits services: the trait to implement, and everything around it by the shared emitter.

use proc_macro2::TokenStream;
use quote::quote;
use rpc_idl::ids;
use rpc_idl::model::{self, Param as ModelParam, Service, ServiceId, Type, Value};

use super::docs::{deprecated, described, documented};
use super::names;
use super::scope::Scope;
use crate::service::{
    self, Argument, Coded, Handed, InPlace, Items, Lent, Method, Names, Output, Param, Place,
    Sides, Stub,
};

/// The trait, the skeleton, the clients.
pub(super) fn emit(scope: &Scope<'_>, id: ServiceId, service: &Service) -> TokenStream {
    let interface = interface(scope, service);
    let around = service::emit(&stub(scope, id, service));
    quote!(#interface #around)
}

fn interface(scope: &Scope<'_>, service: &Service) -> TokenStream {
    let name = names::camel(&service.name);
    let (docs, deprecation) = (
        documented(&service.docs, &service.source),
        deprecated(service.deprecated.as_deref()),
    );
    let parents = service
        .extends
        .iter()
        .map(|parent| interface_path(scope, *parent));
    let methods = service
        .methods
        .iter()
        .map(|method| declaration(scope, method));
    let allowed = service
        .extends
        .iter()
        .any(|parent| scope.model().service(*parent).deprecated.is_some());
    let allowed = super::records::allow_deprecated(allowed);
    quote! {
        #docs
        #deprecation
        #allowed
        pub trait #name: #(#parents +)* ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

fn declaration(scope: &Scope<'_>, method: &model::Method) -> TokenStream {
    let name = names::snake(&method.name);
    let (docs, deprecation) = (
        described(&method.docs, &format!("Answers `{}`.", method.name)),
        deprecated(method.deprecated.as_deref()),
    );
    let params = method.params.iter().map(|param| {
        let (name, ty) = (names::snake(&param.name), scope.taken(&param.ty));
        quote!(#name: #ty)
    });
    let runtime = scope.options.runtime();
    let items = method.stream_in.as_ref().map(|param| {
        let (name, ty) = (names::snake(&param.name), scope.owned(&param.ty));
        quote!(#name: #runtime::Items<#ty>)
    });
    let params = params.chain(items);
    let output = output_type(scope, method);
    quote! {
        #docs
        #deprecation
        fn #name(&self #(, #params)*) -> impl ::core::future::Future<Output = #output> + ::core::marker::Send;
    }
}

/// What the future of a method gives.
fn output_type(scope: &Scope<'_>, method: &model::Method) -> TokenStream {
    let (value, runtime) = (
        scope
            .shared(method)
            .unwrap_or_else(|| value_type(scope, method)),
        scope.options.runtime(),
    );
    let error = method.throws.as_ref().map(|error| scope.owned(error));
    let or_error = |value: TokenStream| match &error {
        Some(error) => quote!(::core::result::Result<#value, #error>),
        None => value,
    };
    if !method.stream_out {
        return or_error(value);
    }
    let item = or_error(value);
    or_error(quote!(impl #runtime::Stream<Item = #item> + ::core::marker::Send))
}

fn value_type(scope: &Scope<'_>, method: &model::Method) -> TokenStream {
    method
        .result
        .as_ref()
        .map_or_else(|| quote!(()), |ty| scope.owned(ty))
}

impl Scope<'_> {
    /// What a handler takes.
    fn taken(&self, ty: &Type) -> TokenStream {
        let Some(in_place) = self.in_place(ty) else {
            return self.owned(ty);
        };
        let taken = in_place.taken();
        match self.resolve(ty) {
            Type::Optional(_) => quote!(::core::option::Option<#taken>),
            _ => taken,
        }
    }

    /// How a handler borrows a parameter of this type, if it does.
    fn in_place(&self, ty: &Type) -> Option<InPlace> {
        if !self.options.has_borrowed_arguments() {
            return None;
        }
        let present = match self.resolve(ty) {
            Type::Optional(inner) => self.resolve(inner),
            ty => ty,
        };
        match present {
            Type::String => Some(InPlace::Str),
            Type::Bytes => Some(InPlace::Bytes),
            // Another spelling of bytes.
            Type::List(item) if *self.resolve(item) == Type::U8 => Some(InPlace::Bytes),
            _ => None,
        }
    }

    /// What a handler of a method with `@shared` returns.
    fn shared(&self, method: &model::Method) -> Option<TokenStream> {
        let ty = method.result.as_ref().filter(|_| is_shared(method))?;
        let runtime = self.options.runtime();
        let shared = |ty: &Type| {
            let target = self.lent_type(ty);
            quote!(#runtime::Shared<#target>)
        };
        Some(match self.resolve(ty) {
            Type::Optional(inner) => {
                let inner = shared(inner);
                quote!(::core::option::Option<#inner>)
            }
            _ => shared(ty),
        })
    }

    /// How the value of an answer is written: by its own type, without a codec.
    fn lent(&self, method: &model::Method) -> Lent {
        let private = self.options.private();
        let Some(ty) = method.result.as_ref().filter(|_| is_shared(method)) else {
            let ty = value_type(self, method);
            return Lent {
                encode: quote!(<#ty as #private::Encode>::encode),
                place: Place::Here,
            };
        };
        let (ty, place) = match self.resolve(ty) {
            Type::Optional(inner) => (&**inner, Place::BehindOptional),
            ty => (ty, Place::Behind),
        };
        let target = self.lent_type(ty);
        Lent {
            encode: quote!(<#target as #private::Encode>::encode),
            place,
        }
    }

    /// What a pointer to a value of this type leads to.
    fn lent_type(&self, ty: &Type) -> TokenStream {
        match self.resolve(ty) {
            Type::String => quote!(::core::primitive::str),
            Type::Bytes => quote!([u8]),
            Type::List(item) => {
                let item = self.owned(item);
                quote!([#item])
            }
            _ => self.owned(ty),
        }
    }
}

/// Items of a stream are given away, whatever the annotation says.
fn is_shared(method: &model::Method) -> bool {
    method.shared && !method.stream_out
}

fn interface_path(scope: &Scope<'_>, id: ServiceId) -> TokenStream {
    let service = scope.model().service(id);
    let (package, name) = (
        scope.package_path(&service.package),
        names::camel(&service.name),
    );
    quote!(#package #name)
}

fn stub<'m>(scope: &Scope<'m>, id: ServiceId, service: &'m Service) -> Stub<'m> {
    let mut methods: Vec<_> = scope
        .model()
        .all_methods(id)
        .into_iter()
        .map(|(declared_by, facts)| method(scope, declared_by, facts))
        .collect();
    methods.sort_by_key(|method| method.facts.call_id);
    Stub {
        runtime: scope.options.runtime().clone(),
        sides: sides(scope, service),
        model: scope.model(),
        id,
        names: Names::of(&names::camel(&service.name)),
        visibility: quote!(pub),
        cfg: TokenStream::new(),
        deprecated: deprecated(service.deprecated.as_deref()),
        allowances: TokenStream::new(),
        methods,
        inherited_clients: inherited_clients(scope, id),
        companion: TokenStream::new(),
        whole: true,
    }
}

/// What is wanted of a service, and its client if handles need one to be of.
fn sides(scope: &Scope<'_>, service: &Service) -> Sides {
    let (wanted, name) = (scope.options.sides(), service.full_name());
    let is_named = |ty: &Type| {
        let inner = match ty {
            Type::Optional(inner) => inner,
            ty => ty,
        };
        matches!(inner, Type::Handle(service) if **service == *name)
    };
    let mut methods = scope
        .model()
        .services
        .iter()
        .flat_map(|service| &service.methods);
    let by_reference = methods.any(|method| {
        let params = method.params.iter().map(|param| &param.ty);
        params.chain(&method.result).any(is_named)
    });
    Sides {
        client: wanted.client || by_reference,
        ..wanted
    }
}

/// Clients of the services that this one extends, over any number of steps. What another crate made may have none.
fn inherited_clients(scope: &Scope<'_>, id: ServiceId) -> Vec<TokenStream> {
    if !scope.options.sides().client {
        return Vec::new();
    }
    let model = scope.model();
    let mut found = std::collections::BTreeSet::new();
    let mut pending = model.service(id).extends.clone();
    while let Some(parent) = pending.pop() {
        if found.insert(parent) {
            pending.extend(&model.service(parent).extends);
        }
    }
    found
        .into_iter()
        .map(|parent| model.service(parent))
        .filter(|parent| !scope.options.is_extern(&parent.package))
        .map(|parent| scope.client(&parent.full_name()))
        .collect()
}

fn method<'m>(scope: &Scope<'m>, declared_by: ServiceId, facts: &'m model::Method) -> Method<'m> {
    let private = scope.options.private();
    let (docs, deprecation) = (
        described(&facts.docs, &format!("Calls `{}`.", facts.name)),
        deprecated(facts.deprecated.as_deref()),
    );
    let params = facts
        .params
        .iter()
        .map(|param| Param::Sent(argument(scope, param)));
    let items = facts
        .stream_in
        .as_ref()
        .map(|param| Param::Items(items(scope, param)));
    let value = value_type(scope, facts);
    let error = facts.throws.as_ref().map(|ty| scope.owned(ty));
    Method {
        facts,
        declared_by: scope.model().service(declared_by),
        fingerprint: ids::method_fingerprint(scope.model(), declared_by, facts),
        ident: names::snake(&facts.name),
        interface: interface_path(scope, declared_by),
        cfgs: Vec::new(),
        attributes: quote!(#docs #deprecation),
        is_async: true,
        blocking: false,
        params: params.chain(items).collect(),
        value: Coded {
            codec: quote!(#private::Codec::<#value>::direct()),
            ty: value,
        },
        viewed: scope.options.has_views()
            && !facts.stream_out
            && facts.stream_in.is_none()
            && facts
                .result
                .as_ref()
                .is_some_and(|ty| scope.facts.borrows(scope.model(), ty)),
        lent: (!facts.stream_out).then(|| scope.lent(facts)),
        is_direct: !facts.stream_out,
        error: error.map(|ty| Coded {
            codec: quote!(#private::ErrorCodec::<#ty>::direct()),
            ty,
        }),
        output: if facts.stream_out {
            Output::Stream {
                may_not_open: facts.throws.is_some(),
                items_may_fail: facts.throws.is_some(),
            }
        } else {
            Output::Value
        },
    }
}

fn items(scope: &Scope<'_>, param: &ModelParam) -> Items {
    let (private, ty) = (scope.options.private(), scope.owned(&param.ty));
    let codec = quote!(#private::Codec::<#ty>::direct());
    let checks = scope.checks(&param.ty, &param.constraints);
    let received = match checks
        .into_iter()
        .reduce(|first, next| quote!(#first.and_then(|()| #next)))
    {
        None => codec.clone(),
        // An item that breaks a rule is refused as one that cannot be read.
        Some(check) => quote! {
            #private::Codec {
                decode: |__rpc_input| {
                    let __rpc_item = (#codec.decode)(__rpc_input)?;
                    { let __rpc_value = &__rpc_item; #check }
                        .map_err(|invalid| #private::DecodeError::custom(::std::string::ToString::to_string(&invalid)))?;
                    ::core::result::Result::Ok(__rpc_item)
                },
                ..#codec
            }
        },
    };
    Items {
        ident: names::snake(&param.name),
        item: Coded { ty, codec },
        received,
        unbroken: false,
    }
}

fn argument(scope: &Scope<'_>, param: &ModelParam) -> Argument {
    let (private, ident) = (scope.options.private(), names::snake(&param.name));
    let name = &param.name;
    let (decode, handed) = decode(scope, param);
    let checks = scope.checks(&param.ty, &param.constraints);
    let in_param = |check: TokenStream| quote!(#check.map_err(|invalid| invalid.in_field(#name)));
    Argument {
        client_type: scope.borrowed(&param.ty),
        encode: quote!(#private::Encode::encode(&#ident, __rpc_out);),
        decode,
        handed,
        checks: checks.into_iter().map(in_param).collect(),
        ident,
    }
}

/// How the skeleton reads a parameter, and how the handler gets it.
fn decode(scope: &Scope<'_>, param: &ModelParam) -> (TokenStream, Handed) {
    if let Some(in_place) = scope.in_place(&param.ty) {
        return decode_in_place(scope, param, in_place);
    }
    let (private, name) = (scope.options.private(), &param.name);
    let codec = |ty: &Type| {
        let ty = scope.owned(ty);
        quote!(#private::Codec::<#ty>::direct())
    };
    let decode = match (scope.resolve(&param.ty), &param.default) {
        (Type::Optional(inner), None) => {
            let codec = codec(inner);
            quote!(__rpc_args.optional(#name, #codec)?)
        }
        (Type::Optional(inner), Some(default)) => {
            let (codec, default) = (codec(inner), scope.value(&param.ty, default));
            quote!(__rpc_args.optional(#name, #codec)?.or_else(|| #default))
        }
        (_, Some(default)) => {
            let (codec, default) = (codec(&param.ty), scope.value(&param.ty, default));
            quote!(__rpc_args.optional(#name, #codec)?.unwrap_or_else(|| #default))
        }
        (_, None) => {
            let ty = scope.owned(&param.ty);
            quote!(__rpc_args.borrowed::<#ty>(#name)?)
        }
    };
    (decode, Handed::Over)
}

fn decode_in_place(
    scope: &Scope<'_>,
    param: &ModelParam,
    in_place: InPlace,
) -> (TokenStream, Handed) {
    let optional = in_place.optional(&param.name);
    let literal = |ty: &Type, value| in_place.default(&scope.viewed_value(ty, value));
    let (decode, is_optional) = match (scope.resolve(&param.ty), param.default.as_deref()) {
        (Type::Optional(_), None | Some(Value::None)) => (optional, true),
        (Type::Optional(inner), Some(default)) => {
            let default = literal(inner, default);
            (
                quote!(#optional.or(::core::option::Option::Some(#default))),
                true,
            )
        }
        (_, Some(default)) => {
            let default = literal(&param.ty, default);
            (quote!(#optional.unwrap_or(#default)), false)
        }
        (_, None) => (in_place.required(&param.name), false),
    };
    (decode, in_place.handed(is_optional))
}
