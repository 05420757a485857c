//! Emits services: the trait to implement, and everything around it by the shared emitter.

use std::path::PathBuf;

use proc_macro2::TokenStream;
use quote::quote;
use rpc_idl::ids;
use rpc_idl::model::{self, Param as ModelParam, Service, ServiceId, Type};

use super::docs::{deprecated, described, documented};
use super::names;
use super::scope::Scope;
use crate::service::{self, Argument, Coded, Method, Names, Param, Stub};

/// The trait, the skeleton, the clients.
pub(super) fn emit(scope: &Scope<'_>, id: ServiceId, service: &Service) -> TokenStream {
    let interface = interface(scope, service);
    let around = service::emit(&stub(scope, id, service));
    quote!(#interface #around)
}

/// Whether this version can carry the method: one request, one answer.
pub(super) fn is_served(method: &model::Method) -> bool {
    method.stream_in.is_none() && !method.stream_out
}

fn interface(scope: &Scope<'_>, service: &Service) -> TokenStream {
    let name = names::camel(&service.name);
    let (docs, deprecation) = (
        documented(&service.docs, &service.source),
        deprecated(service.deprecated.as_deref()),
    );
    let left_out = left_out_note(service);
    let parents = service
        .extends
        .iter()
        .map(|parent| interface_path(scope, *parent));
    let methods = service
        .methods
        .iter()
        .filter(|method| is_served(method))
        .map(|method| declaration(scope, method));
    let allowed = service
        .extends
        .iter()
        .any(|parent| scope.model().service(*parent).deprecated.is_some());
    let allowed = super::records::allow_deprecated(allowed);
    quote! {
        #docs
        #left_out
        #deprecation
        #allowed
        pub trait #name: #(#parents +)* ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

/// One sentence for each method that is not generated, with its place in one of `files` as these are written.
pub(crate) fn left_out(model: &model::Model, files: &[PathBuf]) -> Vec<String> {
    let path = |file: &str| {
        let found = files.iter().find(|path| path.ends_with(file));
        found.map_or_else(|| file.to_owned(), |path| path.display().to_string())
    };
    let mut sentences = Vec::new();
    for service in &model.services {
        for method in service.methods.iter().filter(|method| !is_served(method)) {
            let (place, name, service) = (&method.source, &method.name, service.full_name());
            let (path, line) = (path(&place.file), place.line);
            sentences.push(format!(
                "{path}:{line}: `{name}` of {service} is left out: streams are not carried yet"
            ));
        }
    }
    sentences
}

/// Says in the documentation which methods are not here.
fn left_out_note(service: &Service) -> TokenStream {
    let names: Vec<_> = service
        .methods
        .iter()
        .filter(|method| !is_served(method))
        .map(|method| format!("`{}`", method.name))
        .collect();
    if names.is_empty() {
        return TokenStream::new();
    }
    let note = format!(
        " Streams are not carried yet; left out: {}.",
        names.join(", ")
    );
    quote!(#[doc = ""] #[doc = #note])
}

fn declaration(scope: &Scope<'_>, method: &model::Method) -> TokenStream {
    let name = names::snake(&method.name);
    let (docs, deprecation) = (
        described(&method.docs, &format!("Answers `{}`.", method.name)),
        deprecated(method.deprecated.as_deref()),
    );
    let params = method.params.iter().map(|param| {
        let (name, ty) = (names::snake(&param.name), scope.owned(&param.ty));
        quote!(#name: #ty)
    });
    let value = value_type(scope, method);
    let output = match &method.throws {
        Some(error) => {
            let error = scope.owned(error);
            quote!(::core::result::Result<#value, #error>)
        }
        None => value,
    };
    quote! {
        #docs
        #deprecation
        fn #name(&self #(, #params)*) -> impl ::core::future::Future<Output = #output> + ::core::marker::Send;
    }
}

fn value_type(scope: &Scope<'_>, method: &model::Method) -> TokenStream {
    method
        .result
        .as_ref()
        .map_or_else(|| quote!(()), |ty| scope.owned(ty))
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
        sides: scope.options.sides(),
        model: scope.model(),
        id,
        names: Names::of(&names::camel(&service.name)),
        visibility: quote!(pub),
        cfg: TokenStream::new(),
        deprecated: deprecated(service.deprecated.as_deref()),
        allowances: TokenStream::new(),
        methods,
        companion: TokenStream::new(),
        whole: true,
    }
}

fn method<'m>(scope: &Scope<'m>, declared_by: ServiceId, facts: &'m model::Method) -> Method<'m> {
    let private = scope.options.private();
    let (docs, deprecation) = (
        described(&facts.docs, &format!("Calls `{}`.", facts.name)),
        deprecated(facts.deprecated.as_deref()),
    );
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
        blocking: false,
        params: facts
            .params
            .iter()
            .map(|param| Param::Sent(argument(scope, param)))
            .collect(),
        value: Coded {
            codec: quote!(#private::Codec::<#value>::direct()),
            ty: value,
        },
        error: error.map(|ty| Coded {
            codec: quote!(#private::ErrorCodec::<#ty>::direct()),
            ty,
        }),
        served: is_served(facts),
    }
}

fn argument(scope: &Scope<'_>, param: &ModelParam) -> Argument {
    let (private, ident) = (scope.options.private(), names::snake(&param.name));
    let name = &param.name;
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
            let codec = codec(&param.ty);
            quote!(__rpc_args.required(#name, #codec)?)
        }
    };
    let checks = scope.checks(&param.ty, &param.constraints);
    let in_param = |check: TokenStream| quote!(#check.map_err(|invalid| invalid.in_field(#name)));
    Argument {
        client_type: scope.borrowed(&param.ty),
        encode: quote!(#private::Encode::encode(&#ident, __rpc_out);),
        decode,
        lent: false,
        checks: checks.into_iter().map(in_param).collect(),
        ident,
    }
}
