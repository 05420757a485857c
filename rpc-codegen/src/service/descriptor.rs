//! The hidden companion of a service: its descriptor, and the codecs of its types.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use rpc_idl::ids;
use rpc_idl::model::Retry;

use super::signature::signature;
use super::{Method, Stub, index_name};
use crate::runtime::Runtime;

/// A type without values that owns the descriptor, so that nothing of ours takes a name from the user.
pub(super) fn companion(stub: &Stub<'_>) -> TokenStream {
    let (name, visibility, cfg, allowances) = (
        &stub.names.companion,
        &stub.visibility,
        &stub.cfg,
        &stub.allowances,
    );
    let (descriptor, indices, items) = (descriptor(stub), indices(stub), &stub.companion);
    quote! {
        #cfg
        #[doc(hidden)]
        #allowances
        #[derive(::core::fmt::Debug)]
        #visibility struct #name;

        #cfg
        #allowances
        impl #name {
            #descriptor
            #indices
            #items
        }
    }
}

fn descriptor(stub: &Stub<'_>) -> TokenStream {
    let (runtime, service) = (&stub.runtime, stub.service());
    let (name, docs) = (service.full_name(), &service.docs.0);
    let fingerprint = ids::service_fingerprint(stub.model, stub.id);
    let version = optional(service.version.as_ref().map(|version| quote!(#version)));
    let methods = stub
        .methods
        .iter()
        .map(|method| method_descriptor(stub, method));
    quote! {
        const SERVICE: &'static #runtime::ServiceDescriptor = &#runtime::ServiceDescriptor {
            name: #name,
            fingerprint: #fingerprint,
            version: #version,
            docs: #docs,
            methods: &[#(#methods),*],
        };
    }
}

fn method_descriptor(stub: &Stub<'_>, method: &Method<'_>) -> TokenStream {
    let (runtime, facts, cfg) = (&stub.runtime, method.facts, method.cfg());
    let (id, service, name, wire_name) = (
        facts.call_id,
        method.declared_by.full_name(),
        &facts.name,
        &facts.wire_name,
    );
    let kind = kind(facts.stream_in.is_some(), facts.stream_out);
    let (oneway, idempotent, finish) = (facts.oneway, facts.idempotent, facts.finish);
    let timeout = optional(
        facts
            .timeout
            .map(|nanos| quote!(::core::time::Duration::from_nanos(#nanos))),
    );
    let retry = optional(
        facts
            .retry
            .as_deref()
            .map(|retry| method_retry(runtime, retry)),
    );
    let fingerprint = method.fingerprint;
    let signature = signature(stub.model, &method.declared_by.package, facts);
    quote! {
        #cfg
        #runtime::MethodDescriptor {
            id: #id,
            service: #service,
            name: #name,
            wire_name: #wire_name,
            kind: #runtime::MethodKind::#kind,
            oneway: #oneway,
            idempotent: #idempotent,
            finish: #finish,
            timeout: #timeout,
            retry: #retry,
            fingerprint: #fingerprint,
            signature: #signature,
            served: true,
        }
    }
}

/// What `@retry` says, in the runtime's words.
fn method_retry(runtime: &Runtime, retry: &Retry) -> TokenStream {
    let max_attempts = retry.max;
    let on = retry.on.iter().map(|status| {
        let status = camel(status);
        quote!(#runtime::Status::#status)
    });
    let first_pause = optional(
        retry
            .backoff
            .map(|nanos| quote!(::core::time::Duration::from_nanos(#nanos))),
    );
    quote! {
        #runtime::MethodRetry {
            max_attempts: #max_attempts,
            on: &[#(#on),*],
            first_pause: #first_pause,
        }
    }
}

/// `not_found` as `NotFound`.
fn camel(word: &str) -> Ident {
    let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    let name: String = word
        .split('_')
        .filter(|part| !part.is_empty())
        .map(capital)
        .collect();
    format_ident!("{name}")
}

fn kind(stream_in: bool, stream_out: bool) -> Ident {
    let name = match (stream_in, stream_out) {
        (false, false) => "Unary",
        (true, false) => "ClientStream",
        (false, true) => "ServerStream",
        (true, true) => "BidiStream",
    };
    format_ident!("{name}")
}

/// Where methods come and go with conditions, their numbers are counted by the compiler.
fn indices(stub: &Stub<'_>) -> TokenStream {
    if !stub.is_conditional() {
        return TokenStream::new();
    }
    let mut indices = TokenStream::new();
    let mut next = quote!(0);
    for (index, method) in stub.methods.iter().enumerate() {
        let (name, cfgs) = (index_name(index), &method.cfgs);
        let exists = if cfgs.is_empty() {
            quote!(true)
        } else {
            quote!(::core::cfg!(all(#(#cfgs),*)))
        };
        indices.extend(quote! {
            #[allow(dead_code, reason = "used where the method exists")]
            const #name: ::core::primitive::usize = #next;
        });
        next = quote!(Self::#name + #exists as ::core::primitive::usize);
    }
    indices
}

fn optional(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
