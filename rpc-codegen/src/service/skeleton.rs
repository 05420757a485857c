//! The server's side of a service: decodes, calls the user's implementation, encodes.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};

use super::{Argument, Coded, Handed, Lent, Method, Output, Param, Place, Stub};

/// The skeleton's type, its constructors and its dispatch.
pub(super) fn skeleton(stub: &Stub<'_>) -> TokenStream {
    let (definition, constructors, dispatch) =
        (definition(stub), constructors(stub), dispatch(stub));
    quote!(#definition #constructors #dispatch)
}

fn definition(stub: &Stub<'_>) -> TokenStream {
    let (name, visibility, service) = (&stub.names.skeleton, &stub.visibility, parameter(stub));
    let (cfg, deprecated, allowances) = (&stub.cfg, &stub.deprecated, &stub.allowances);
    let docs = format!(
        " Serves an implementation of [`{}`] to remote callers.",
        stub.names.interface
    );
    quote! {
        #[doc = #docs]
        #cfg
        #deprecated
        #allowances
        #visibility struct #name<#service>(::std::sync::Arc<#service>);
    }
}

fn constructors(stub: &Stub<'_>) -> TokenStream {
    let (name, visibility, service) = (&stub.names.skeleton, &stub.visibility, parameter(stub));
    let (cfg, allowances, deprecated) = (&stub.cfg, &stub.allowances, stub.allow_deprecated());
    quote! {
        #cfg
        #allowances
        #deprecated
        // Unbound: a service that lacks the trait is told of once, where it is added to a server.
        impl<#service> #name<#service> {
            /// Serves `service`.
            #visibility fn new(service: #service) -> Self {
                Self(::std::sync::Arc::new(service))
            }

            /// Serves a service that others hold too.
            #visibility fn from_arc(service: ::std::sync::Arc<#service>) -> Self {
                Self(service)
            }
        }

        #cfg
        #[automatically_derived]
        #deprecated
        impl<#service> ::core::clone::Clone for #name<#service> {
            fn clone(&self) -> Self {
                Self(::std::sync::Arc::clone(&self.0))
            }
        }

        #cfg
        #[automatically_derived]
        #deprecated
        impl<#service> ::core::fmt::Debug for #name<#service> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(::core::stringify!(#name))
            }
        }
    }
}

fn dispatch(stub: &Stub<'_>) -> TokenStream {
    let (name, service, bounds) = (&stub.names.skeleton, parameter(stub), bounds(stub));
    let (companion, private, runtime) =
        (&stub.names.companion, stub.runtime.private(), &stub.runtime);
    let (cfg, deprecated) = (&stub.cfg, stub.allow_deprecated());
    let methods = stub.methods.iter().enumerate();
    let arms: Vec<_> = methods
        .map(|(index, method)| arm(stub, index, method))
        .collect();
    // What a handle of this service may be made of.
    let own = stub
        .sides
        .client
        .then(|| stub.names.client.to_token_stream());
    let clients = own.iter().chain(&stub.inherited_clients);
    let serves = clients.map(|client| {
        quote! {
            #cfg
            #[automatically_derived]
            #deprecated
            impl<#service: #bounds> #private::Serves<#client> for #name<#service> {}
        }
    });
    quote! {
        #cfg
        #[automatically_derived]
        #deprecated
        impl<#service: #bounds> #private::Skeleton for #name<#service> {
            fn service(&self) -> &'static #runtime::ServiceDescriptor {
                #companion::SERVICE
            }

            fn call(&self, __rpc_method: ::core::primitive::usize, __rpc_request: #private::Incoming) -> #private::Answer {
                match __rpc_method {
                    #(#arms)*
                    _ => ::std::boxed::Box::pin(::core::future::ready(__rpc_request.unserved())),
                }
            }
        }

        #(#serves)*
    }
}

/// One arm of the dispatch: takes a handle of the service into the future that answers the call.
fn arm(stub: &Stub<'_>, index: usize, method: &Method<'_>) -> TokenStream {
    let (cfg, index, body) = (method.cfg(), stub.index(index), body(stub, method));
    let answer = if method.blocking {
        quote!(__rpc_request.blocking(move |__rpc_request| { #body }))
    } else {
        quote!(::std::boxed::Box::pin(async move { #body }))
    };
    quote! {
        #cfg
        #index => {
            let __rpc_service = ::std::sync::Arc::clone(&self.0);
            #answer
        }
    }
}

/// Decode, check, call, encode.
fn body(stub: &Stub<'_>, method: &Method<'_>) -> TokenStream {
    let (service, interface, ident) = (parameter(stub), &method.interface, &method.ident);
    let (decode, checks, reply) = (decode(stub, method), checks(method), reply(method));
    let arguments = handed_over(method);
    let wait = method.is_async.then(|| quote!(.await));
    // A stream waits by itself for each of its items; a one-way call has nothing to put anywhere.
    let is_answer = !method.blocking && !method.facts.oneway && !method.answers_a_stream();
    let room = is_answer.then(|| quote!(__rpc_request.room().await;));
    quote! {
        #decode
        #checks
        let __rpc_reply = <#service as #interface>::#ident(&*__rpc_service #(, #arguments)*) #wait;
        #room
        #reply
    }
}

fn decode(stub: &Stub<'_>, method: &Method<'_>) -> TokenStream {
    let private = stub.runtime.private();
    let count = method.arguments().count();
    let locals: Vec<_> = (0..count).map(Argument::local).collect();
    let decodes = method.arguments().map(|argument| &argument.decode);
    let length = Literal::usize_unsuffixed(count);
    let mutable = (count > 0).then(|| quote!(mut));
    quote! {
        let __rpc_decoded = (|| {
            let #mutable __rpc_args = __rpc_request.args(#length)?;
            #(let #locals = #decodes;)*
            __rpc_args.finish()?;
            ::core::result::Result::Ok::<_, #private::DecodeError>((#(#locals,)*))
        })();
        let (#(#locals,)*) = match __rpc_decoded {
            ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
            ::core::result::Result::Err(__rpc_error) => return __rpc_request.refuse(__rpc_error),
        };
    }
}

fn checks(method: &Method<'_>) -> TokenStream {
    let mut checks = TokenStream::new();
    for (index, argument) in method.arguments().enumerate() {
        let local = Argument::local(index);
        for check in &argument.checks {
            checks.extend(quote! {
                if let ::core::result::Result::Err(__rpc_invalid) = { let __rpc_value = &#local; #check } {
                    return __rpc_request.invalid(__rpc_invalid);
                }
            });
        }
    }
    checks
}

/// What the handler is called with, in the order of its parameters.
fn handed_over(method: &Method<'_>) -> Vec<TokenStream> {
    let mut index = 0;
    let mut expressions = Vec::new();
    for param in &method.params {
        let argument = match param {
            Param::Sent(argument) => argument,
            Param::Context => {
                expressions.push(quote!(__rpc_request.context()));
                continue;
            }
            Param::Items(items) => {
                let codec = &items.received;
                let unbroken = items.unbroken.then(|| quote!(.unbroken()));
                expressions.push(quote!(__rpc_request.items(#codec) #unbroken));
                continue;
            }
        };
        let local = Argument::local(index);
        index += 1;
        expressions.push(match argument.handed {
            Handed::Over => quote!(#local),
            Handed::Lent => quote!(&#local),
            Handed::LentOptional => quote!(#local.as_deref()),
        });
    }
    expressions
}

fn reply(method: &Method<'_>) -> TokenStream {
    let codec = &method.value.codec;
    match &method.error {
        _ if method.answers_a_stream() => reply_stream(method),
        _ if method.facts.oneway => quote! {
            // One-way methods return `()`.
            let () = __rpc_reply;
            __rpc_request.done()
        },
        error if method.lent.is_some() => reply_lent(method, error.as_ref()),
        Some(error) => {
            let error = &error.codec;
            quote!(__rpc_request.reply_result(&__rpc_reply, #codec, #error))
        }
        None => quote!(__rpc_request.reply(&__rpc_reply, #codec)),
    }
}

/// Encodes what the handler returns or points to.
fn reply_lent(method: &Method<'_>, error: Option<&Coded>) -> TokenStream {
    let Some(Lent { encode, place }) = &method.lent else {
        return TokenStream::new();
    };
    let reply = match place {
        #[cfg(feature = "idl")]
        Place::Here => quote!(__rpc_request.reply_lent(&__rpc_reply, #encode)),
        Place::Behind => quote!(__rpc_request.reply_lent(&*__rpc_reply, #encode)),
        Place::BehindOptional => {
            quote!(__rpc_request.reply_lent_optional(__rpc_reply.as_deref(), #encode))
        }
    };
    let Some(Coded { codec: error, .. }) = error else {
        return reply;
    };
    quote! {
        match __rpc_reply {
            ::core::result::Result::Ok(__rpc_reply) => #reply,
            ::core::result::Result::Err(__rpc_error) => __rpc_request.reply_error(&__rpc_error, #error),
        }
    }
}

/// Sends the items. What borrows from the call ends in a statement of its own, before what it borrows from.
fn reply_stream(method: &Method<'_>) -> TokenStream {
    let (codec, error) = (
        &method.value.codec,
        method.error.as_ref().map(|error| &error.codec),
    );
    let Output::Stream {
        may_not_open,
        items_may_fail,
    } = method.output
    else {
        return TokenStream::new();
    };
    let send = |stream: TokenStream| {
        if items_may_fail {
            quote!(__rpc_request.stream_results(#stream, #codec, #error).await)
        } else {
            quote!(__rpc_request.stream(#stream, #codec).await)
        }
    };
    let outgoing = if may_not_open {
        let send = send(quote!(__rpc_stream));
        quote! {
            match __rpc_reply {
                ::core::result::Result::Ok(__rpc_stream) => #send,
                ::core::result::Result::Err(__rpc_error) => __rpc_request.reply_error(&__rpc_error, #error),
            }
        }
    } else {
        send(quote!(__rpc_reply))
    };
    quote! {
        let __rpc_outgoing = #outgoing;
        __rpc_outgoing
    }
}

fn bounds(stub: &Stub<'_>) -> TokenStream {
    let interface = &stub.names.interface;
    if stub.whole {
        quote!(#interface)
    } else {
        quote!(::core::marker::Send + ::core::marker::Sync + 'static)
    }
}

/// The type of the user's implementation; a trait may itself be called `S`.
fn parameter(stub: &Stub<'_>) -> proc_macro2::Ident {
    if stub.names.interface == "S" {
        format_ident!("T")
    } else {
        format_ident!("S")
    }
}
