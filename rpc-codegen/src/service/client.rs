//! The caller's side of a service: the asynchronous client and the blocking one.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use super::{Coded, Method, Stub};

/// The asynchronous client.
pub(super) fn client(stub: &Stub<'_>) -> TokenStream {
    let side = Side {
        stub,
        name: &stub.names.client,
        channel: format_ident!("Channel"),
        is_blocking: false,
    };
    let (definition, conversions) = (side.definition("Calls"), side.conversions());
    let constructors = [
        side.service_const(),
        side.connect(),
        side.constructor(),
        side.channel(),
    ];
    let methods: Vec<_> = side
        .methods()
        .map(|(index, method)| side.call(index, method))
        .collect();
    side.wrap(definition, &constructors, &methods, conversions)
}

/// The blocking client.
pub(super) fn blocking_client(stub: &Stub<'_>) -> TokenStream {
    let side = Side {
        stub,
        name: &stub.names.blocking_client,
        channel: format_ident!("BlockingChannel"),
        is_blocking: true,
    };
    let (definition, conversions) = (
        side.definition("Calls, from threads that may wait,"),
        side.conversions(),
    );
    let constructors = [
        side.service_const(),
        side.blocking_connect(),
        side.constructor(),
        side.channel(),
        side.with_options(),
    ];
    let methods: Vec<_> = side
        .methods()
        .flat_map(|(index, method)| {
            [
                side.blocking_call(index, method),
                side.blocking_view(index, method),
            ]
        })
        .collect();
    side.wrap(definition, &constructors, &methods, conversions)
}

/// What differs between the two clients.
struct Side<'a> {
    stub: &'a Stub<'a>,
    name: &'a Ident,
    channel: Ident,
    is_blocking: bool,
}

/// The call of a channel, and what it gives the caller.
struct Call {
    verb: &'static str,
    output: TokenStream,
    /// What stands between the method's descriptor and the parameters.
    extra: Vec<TokenStream>,
    /// The parameter that is a stream, if the caller hands it over here.
    items: Option<TokenStream>,
}

impl<'a> Side<'a> {
    /// Methods of this client. Nobody serves objects on the connection of a blocking one, so it cannot carry handles.
    fn methods(&self) -> impl Iterator<Item = (usize, &'a Method<'a>)> {
        let methods = self.stub.methods.iter().enumerate();
        methods.filter(|(_, method)| self.has(method))
    }

    fn has(&self, method: &Method<'_>) -> bool {
        !(self.is_blocking && method.has_handles())
    }

    /// Whether the client has a method of this name, which then replaces ours.
    fn has_method(&self, name: &str) -> bool {
        let mut methods = self.methods();
        methods.any(|(_, method)| method.ident == name)
    }

    /// Says which methods are not here.
    fn left_out(&self) -> TokenStream {
        let methods = self.stub.methods.iter();
        let names: Vec<_> = methods
            .filter(|method| !self.has(method))
            .map(|method| format!("`{}`", method.ident))
            .collect();
        if names.is_empty() {
            return TokenStream::new();
        }
        let note = format!(
            " Not here, because they carry objects by reference, which only [`{}`] can: {}.",
            self.stub.names.client,
            names.join(", ")
        );
        quote!(#[doc = ""] #[doc = #note])
    }

    fn wrap(
        &self,
        definition: TokenStream,
        constructors: &[TokenStream],
        methods: &[TokenStream],
        conversions: TokenStream,
    ) -> TokenStream {
        let (name, cfg, allowances) = (self.name, &self.stub.cfg, &self.stub.allowances);
        let deprecated = self.stub.allow_deprecated();
        quote! {
            #definition
            #cfg
            #allowances
            #deprecated
            impl #name {
                #(#constructors)*
                #(#methods)*
            }
            #conversions
        }
    }

    fn definition(&self, calls: &str) -> TokenStream {
        let Self {
            stub,
            name,
            channel,
            ..
        } = self;
        let left_out = self.left_out();
        let (runtime, visibility, cfg, allowances) =
            (&stub.runtime, &stub.visibility, &stub.cfg, &stub.allowances);
        let deprecated = &stub.deprecated;
        let docs = format!(" {calls} a remote [`{}`].", stub.names.interface);
        quote! {
            #[doc = #docs]
            #left_out
            #cfg
            #deprecated
            #allowances
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #visibility struct #name {
                channel: #runtime::#channel,
            }
        }
    }

    fn service_const(&self) -> TokenStream {
        let (runtime, visibility, companion) = (
            &self.stub.runtime,
            &self.stub.visibility,
            &self.stub.names.companion,
        );
        quote! {
            /// What is known of the service: its methods, their call IDs and fingerprints.
            #visibility const SERVICE: &'static #runtime::ServiceDescriptor = #companion::SERVICE;
        }
    }

    fn connect(&self) -> TokenStream {
        if self.has_method("connect") {
            return TokenStream::new();
        }
        let (runtime, visibility) = (&self.stub.runtime, &self.stub.visibility);
        quote! {
            /// Connects to the service at `address`, or to whichever of its instances a registry knows.
            ///
            /// # Errors
            ///
            /// Fails if the address makes no sense or nobody answers there.
            #visibility async fn connect(
                address: impl ::core::convert::AsRef<::core::primitive::str>,
            ) -> #runtime::Result<Self> {
                let channel = #runtime::Channel::connect_to(address.as_ref(), Self::SERVICE).await?;
                ::core::result::Result::Ok(Self { channel })
            }
        }
    }

    fn blocking_connect(&self) -> TokenStream {
        if self.has_method("connect") {
            return TokenStream::new();
        }
        let (runtime, visibility) = (&self.stub.runtime, &self.stub.visibility);
        quote! {
            /// Connects to the service at `address`, or to whichever of its instances a registry knows.
            ///
            /// # Errors
            ///
            /// Fails if the address makes no sense or nobody answers there.
            #visibility fn connect(
                address: impl ::core::convert::AsRef<::core::primitive::str>,
            ) -> #runtime::Result<Self> {
                let channel = #runtime::BlockingChannel::connect_to(address.as_ref(), Self::SERVICE)?;
                ::core::result::Result::Ok(Self { channel })
            }
        }
    }

    fn constructor(&self) -> TokenStream {
        if self.has_method("new") {
            return TokenStream::new();
        }
        let (runtime, visibility, channel) =
            (&self.stub.runtime, &self.stub.visibility, &self.channel);
        quote! {
            /// Calls through a channel that is already there.
            #[must_use]
            #visibility fn new(channel: #runtime::#channel) -> Self {
                Self { channel }
            }
        }
    }

    fn channel(&self) -> TokenStream {
        if self.has_method("channel") {
            return TokenStream::new();
        }
        let (runtime, visibility, channel) =
            (&self.stub.runtime, &self.stub.visibility, &self.channel);
        quote! {
            /// Where the calls go.
            #[must_use]
            #visibility fn channel(&self) -> &#runtime::#channel {
                &self.channel
            }
        }
    }

    fn with_options(&self) -> TokenStream {
        if self.has_method("with_options") {
            return TokenStream::new();
        }
        let (runtime, visibility) = (&self.stub.runtime, &self.stub.visibility);
        quote! {
            /// A client whose calls have these options, such as a deadline.
            #[must_use]
            #visibility fn with_options(&self, options: #runtime::CallOptions) -> Self {
                Self { channel: self.channel.with_options(options) }
            }
        }
    }

    fn conversions(&self) -> TokenStream {
        let Self {
            stub,
            name,
            channel,
            ..
        } = self;
        let (runtime, cfg, deprecated) = (&stub.runtime, &stub.cfg, stub.allow_deprecated());
        let companion = &stub.names.companion;
        let client = (!self.is_blocking).then(|| {
            quote! {
                #cfg
                #[automatically_derived]
                #deprecated
                impl #runtime::Client for #name {
                    const SERVICE: &'static #runtime::ServiceDescriptor = #companion::SERVICE;
                }
            }
        });
        quote! {
            #client

            #cfg
            #[automatically_derived]
            #deprecated
            impl ::core::convert::From<#runtime::#channel> for #name {
                fn from(channel: #runtime::#channel) -> Self {
                    Self { channel }
                }
            }

            #cfg
            #[automatically_derived]
            #deprecated
            impl ::core::convert::AsRef<#runtime::#channel> for #name {
                fn as_ref(&self) -> &#runtime::#channel {
                    &self.channel
                }
            }
        }
    }

    fn call(&self, index: usize, method: &Method<'_>) -> TokenStream {
        let runtime = &self.stub.runtime;
        if method.facts.oneway {
            return self.method(index, method, Call::one_way(quote!(#runtime::OneWay)));
        }
        let (value, error) = types(method);
        let mut call = Call {
            verb: verb(method),
            output: if method.answers_a_stream() {
                quote!(#runtime::StreamCall<#value, #error>)
            } else {
                quote!(#runtime::Call<#value, #error>)
            },
            extra: vec![returns(self.stub, method)],
            items: None,
        };
        if let Some(items) = method.items() {
            let (name, item, codec) = (&items.ident, &items.item.ty, &items.item.codec);
            call.items =
                Some(quote!(impl #runtime::Stream<Item = #item> + ::core::marker::Send + 'static));
            call.extra.extend([quote!(#name), codec.clone()]);
        }
        self.method(index, method, call)
    }

    fn blocking_call(&self, index: usize, method: &Method<'_>) -> TokenStream {
        let runtime = &self.stub.runtime;
        if method.facts.oneway {
            return self.method(index, method, Call::one_way(quote!(#runtime::Result<()>)));
        }
        let (value, error) = types(method);
        let mut call = Call {
            verb: verb(method),
            output: value.clone(),
            extra: vec![returns(self.stub, method)],
            items: None,
        };
        match method.items() {
            None if method.answers_a_stream() => {
                call.output = quote!(#runtime::BlockingItems<#value, #error>);
            }
            None => {}
            // Both ways at once would need two threads, so the caller sends when it likes.
            Some(items) if method.answers_a_stream() => {
                let (item, codec) = (&items.item.ty, &items.item.codec);
                call.output = quote!(#runtime::BlockingExchange<#item, #value, #error>);
                call.extra.push(codec.clone());
            }
            Some(items) => {
                let (name, item, codec) = (&items.ident, &items.item.ty, &items.item.codec);
                call.items = Some(quote!(impl ::core::iter::IntoIterator<Item = #item>));
                call.extra.extend([quote!(#name), codec.clone()]);
            }
        }
        let value = call.output;
        call.output = quote!(::core::result::Result<#value, #runtime::CallError<#error>>);
        self.method(index, method, call)
    }

    /// The call whose reply is not decoded: `list_view` beside `list`, unless the service has a method of that name.
    fn blocking_view(&self, index: usize, method: &Method<'_>) -> TokenStream {
        let ident = format_ident!("{}_view", method.ident.unraw());
        if !method.viewed || self.has_method(&ident.to_string()) {
            return TokenStream::new();
        }
        let runtime = &self.stub.runtime;
        let (value, error) = types(method);
        let returns = returns(self.stub, method);
        let call = Call {
            verb: verb(method),
            output: quote! {
                ::core::result::Result<#runtime::View<#value>, #runtime::CallError<#error>>
            },
            extra: vec![quote!(#returns.view())],
            items: None,
        };
        let docs = format!(
            " [`{0}`](Self::{0}), with the reply as it came: strings and bytes are read where they are.",
            method.ident
        );
        let deprecated = method
            .facts
            .deprecated
            .is_some()
            .then(|| quote!(#[deprecated]));
        let attributes = quote!(#[doc = #docs] #deprecated);
        self.named_method(index, method, &ident, &attributes, call)
    }

    fn method(&self, index: usize, method: &Method<'_>, call: Call) -> TokenStream {
        self.named_method(index, method, &method.ident, &method.attributes, call)
    }

    fn named_method(
        &self,
        index: usize,
        method: &Method<'_>,
        ident: &Ident,
        attributes: &TokenStream,
        call: Call,
    ) -> TokenStream {
        let (visibility, companion, private) = (
            &self.stub.visibility,
            &self.stub.names.companion,
            self.stub.runtime.private(),
        );
        let (cfg, index) = (method.cfg(), self.stub.index(index));
        let (verb, output, extra) = (format_ident!("{}", call.verb), call.output, call.extra);
        let count = method.arguments().count();
        let many = (count + usize::from(call.items.is_some()) > MANY).then(|| {
            quote!(#[allow(clippy::too_many_arguments, reason = "there are as many in the trait, where it can be judged")])
        });
        let count = Literal::usize_unsuffixed(count);
        let names: Vec<_> = method.arguments().map(|argument| &argument.ident).collect();
        let types = method.arguments().map(|argument| &argument.client_type);
        let encodes = method.arguments().map(|argument| &argument.encode);
        let items = method.items().zip(call.items).map(|(items, ty)| {
            let name = &items.ident;
            quote!(, #name: #ty)
        });
        // Inlined: so a method is compiled where it is called, and one that nobody calls is not.
        quote! {
            #attributes
            #cfg
            #many
            #[inline]
            #visibility fn #ident(&self #(, #names: #types)* #items) -> #output {
                self.channel.#verb(&#companion::SERVICE.methods[#index], #(#extra,)* |__rpc_out| {
                    #private::write::array(__rpc_out, #count);
                    #(#encodes)*
                })
            }
        }
    }
}

impl Call {
    fn one_way(output: TokenStream) -> Self {
        Self {
            verb: "one_way",
            output,
            extra: Vec::new(),
            items: None,
        }
    }
}

/// What a channel calls a method of this kind.
fn verb(method: &Method<'_>) -> &'static str {
    match (method.items().is_some(), method.answers_a_stream()) {
        (false, false) => "call",
        (false, true) => "stream",
        (true, false) => "upload",
        (true, true) => "exchange",
    }
}

/// Types of the value and of the declared error, which is `Infallible` where there is none.
fn types(method: &Method<'_>) -> (TokenStream, TokenStream) {
    let error = match &method.error {
        Some(error) => error.ty.clone(),
        None => quote!(::core::convert::Infallible),
    };
    (method.value.ty.clone(), error)
}

fn returns(stub: &Stub<'_>, method: &Method<'_>) -> TokenStream {
    let (private, codec) = (stub.runtime.private(), &method.value.codec);
    if method.is_direct {
        let ty = &method.value.ty;
        return match &method.error {
            Some(Coded { ty: error, codec }) => {
                quote!(#private::Returns::<#ty, #error>::direct_or(#codec))
            }
            None => quote!(#private::Returns::<#ty>::direct()),
        };
    }
    match &method.error {
        Some(error) => {
            let error = &error.codec;
            quote!(#private::Returns::result(#codec, #error))
        }
        None => quote!(#private::Returns::plain(#codec)),
    }
}

/// More arguments than this, `self` aside, are what clippy complains of.
const MANY: usize = 6;
