//! Emits what stands around a service trait: skeleton, clients, descriptor. Both doors come through here.

mod client;
mod descriptor;
mod in_place;
mod signature;
mod skeleton;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use rpc_idl::model::{self, Model, Service};

use crate::runtime::Runtime;

pub(crate) use self::in_place::InPlace;

/// A service, ready to be emitted: the model's facts and the Rust words that stand for them.
pub(crate) struct Stub<'m> {
    pub(crate) runtime: Runtime,
    pub(crate) sides: Sides,
    pub(crate) model: &'m Model,
    pub(crate) id: model::ServiceId,
    pub(crate) names: Names,
    pub(crate) visibility: TokenStream,
    /// Conditions under which the service exists, as attributes.
    pub(crate) cfg: TokenStream,
    /// `#[deprecated]` of the service, or nothing.
    pub(crate) deprecated: TokenStream,
    /// Attributes that silence lints about items nobody uses, or nothing.
    pub(crate) allowances: TokenStream,
    /// Sorted by call ID, inherited ones included: the index is the number of the method in the descriptor.
    pub(crate) methods: Vec<Method<'m>>,
    /// Clients of the services that it extends: an object of this service is one of those too.
    pub(crate) inherited_clients: Vec<TokenStream>,
    /// Items of the hidden companion, such as one codec for each distinct type.
    pub(crate) companion: TokenStream,
    /// False if the trait cannot be implemented for remote calls: the skeleton then asks nothing of its service.
    pub(crate) whole: bool,
}

/// What is emitted beside the trait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    pub(crate) client: bool,
    pub(crate) blocking: bool,
    pub(crate) server: bool,
}

/// Names of the generated items.
pub(crate) struct Names {
    pub(crate) interface: Ident,
    pub(crate) skeleton: Ident,
    pub(crate) client: Ident,
    pub(crate) blocking_client: Ident,
    /// A hidden type that owns the descriptor and the codecs.
    pub(crate) companion: Ident,
}

/// One method: what the model says, and its Rust side.
pub(crate) struct Method<'m> {
    pub(crate) facts: &'m model::Method,
    pub(crate) declared_by: &'m Service,
    pub(crate) fingerprint: u64,
    pub(crate) ident: Ident,
    /// Path of the trait that has it.
    pub(crate) interface: TokenStream,
    /// Conditions under which it exists.
    pub(crate) cfgs: Vec<TokenStream>,
    /// Documentation and `deprecated`, for the clients.
    pub(crate) attributes: TokenStream,
    /// Whether the trait's method gives a future.
    pub(crate) is_async: bool,
    /// Runs on the blocking pool.
    pub(crate) blocking: bool,
    pub(crate) params: Vec<Param>,
    /// The result; of a stream, one item.
    pub(crate) value: Coded,
    /// Whether the blocking client has the call with a view of the reply too: the value has something to borrow.
    pub(crate) viewed: bool,
    /// How it is encoded, if that is not by way of its codec.
    pub(crate) lent: Option<Lent>,
    /// Whether the result reads itself, so that the client needs no codec of it.
    pub(crate) is_direct: bool,
    pub(crate) error: Option<Coded>,
    pub(crate) output: Output,
}

/// How the handler hands over what the method answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// One value, or a `Result` where there is a declared error.
    Value,
    /// A stream.
    Stream {
        /// The stream stands in a `Result`: it may fail with the declared error before its first item.
        may_not_open: bool,
        /// Items stand in a `Result`: the declared error ends the stream.
        items_may_fail: bool,
    },
}

/// A result that is encoded where it is, by a function that is named without its codec: whose functions for lists would be
/// compiled too, for each type.
pub(crate) struct Lent {
    /// The function that writes it.
    pub(crate) encode: TokenStream,
    pub(crate) place: Place,
}

/// Where the value is that a handler returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the value, which reads and writes itself: only the IDL door knows that.
    #[cfg(feature = "idl")]
    Here,
    /// It is a pointer, and others may hold the value too.
    Behind,
    /// It is such a pointer, or none.
    BehindOptional,
}

/// A Rust type and the expression of its codec.
pub(crate) struct Coded {
    pub(crate) ty: TokenStream,
    pub(crate) codec: TokenStream,
}

/// A parameter.
pub(crate) enum Param {
    /// Lent by the runtime at the server.
    Context,
    /// Sent by the client.
    Sent(Argument),
    /// Sent by the client, item by item, behind all other parameters.
    Items(Items),
}

/// The parameter that is a stream.
pub(crate) struct Items {
    pub(crate) ident: Ident,
    /// One item, and its codec at the client.
    pub(crate) item: Coded,
    /// The codec at the skeleton, which also checks the rules of the definition.
    pub(crate) received: TokenStream,
    /// Whether the handler takes the bare items, without the error that may end them.
    pub(crate) unbroken: bool,
}

/// A parameter that travels.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    /// Type of the parameter at the client.
    pub(crate) client_type: TokenStream,
    /// Statement at the client; the buffer is `__rpc_out`.
    pub(crate) encode: TokenStream,
    /// Expression at the skeleton; the arguments are `__rpc_args`.
    pub(crate) decode: TokenStream,
    /// How the handler gets its value.
    pub(crate) handed: Handed,
    /// `Result<(), Invalid>` expressions at the skeleton, with the value as `__rpc_value`.
    pub(crate) checks: Vec<TokenStream>,
}

/// How the handler gets what was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// As it is.
    Over,
    /// A reference to it.
    Lent,
    /// A reference to what stands in an `Option`.
    LentOptional,
}

/// Everything around the trait.
pub(crate) fn emit(stub: &Stub<'_>) -> TokenStream {
    let companion = descriptor::companion(stub);
    let skeleton = stub.sides.server.then(|| skeleton::skeleton(stub));
    let client = stub.sides.client.then(|| client::client(stub));
    let blocking = stub.sides.blocking.then(|| client::blocking_client(stub));
    quote!(#companion #skeleton #client #blocking)
}

impl Names {
    /// `Greeter` → `GreeterService`, `GreeterClient`, …; the span of the trait's name goes with all of them.
    pub(crate) fn of(interface: &Ident) -> Self {
        let text = interface.to_string();
        let text = text.strip_prefix("r#").unwrap_or(&text);
        // A name that reads as the user's place, but as code of ours: lints about unused code do not look at it.
        let span = interface.span().resolved_at(Span::call_site());
        let skeleton = if text.ends_with("Service") {
            format_ident!("{text}Server", span = span)
        } else {
            format_ident!("{text}Service", span = span)
        };
        Self {
            interface: interface.clone(),
            skeleton,
            client: format_ident!("{text}Client", span = span),
            blocking_client: format_ident!("{text}BlockingClient", span = span),
            companion: format_ident!("__Rpc{text}", span = span),
        }
    }
}

impl<'m> Stub<'m> {
    pub(crate) fn service(&self) -> &'m Service {
        self.model.service(self.id)
    }

    /// How the methods that exist are numbered.
    pub(crate) fn index(&self, index: usize) -> TokenStream {
        if self.is_conditional() {
            let name = index_name(index);
            let companion = &self.names.companion;
            quote!(#companion::#name)
        } else {
            Literal::usize_unsuffixed(index).to_token_stream()
        }
    }

    /// Whether some method exists only under a condition, which moves the numbers of those behind it.
    pub(crate) fn is_conditional(&self) -> bool {
        self.methods.iter().any(|method| !method.cfgs.is_empty())
    }

    /// Whether anything here is deprecated, so that our own use of it must be allowed.
    pub(crate) fn allow_deprecated(&self) -> Option<TokenStream> {
        let service = self.service().deprecated.is_some();
        let method = self
            .methods
            .iter()
            .any(|method| method.facts.deprecated.is_some());
        let parent = self
            .methods
            .iter()
            .any(|method| method.declared_by.deprecated.is_some());
        (service || method || parent)
            .then(|| quote!(#[allow(deprecated, reason = "generated code serves what callers may still use")]))
    }
}

impl Method<'_> {
    pub(crate) fn cfg(&self) -> TokenStream {
        let cfgs = &self.cfgs;
        quote!(#(#[cfg(#cfgs)])*)
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.params.iter().filter_map(|param| match param {
            Param::Sent(argument) => Some(argument),
            Param::Context | Param::Items(_) => None,
        })
    }

    /// The parameter that is a stream.
    pub(crate) fn items(&self) -> Option<&Items> {
        self.params.iter().find_map(|param| match param {
            Param::Items(items) => Some(items),
            Param::Context | Param::Sent(_) => None,
        })
    }

    /// Whether the answer is a stream.
    pub(crate) fn answers_a_stream(&self) -> bool {
        matches!(self.output, Output::Stream { .. })
    }

    /// Whether an object goes by reference, out or back; only connections that serve calls can do that.
    pub(crate) fn has_handles(&self) -> bool {
        let params = self.facts.params.iter().map(|param| &param.ty);
        params.chain(&self.facts.result).any(is_handle)
    }
}

fn is_handle(ty: &model::Type) -> bool {
    match ty {
        model::Type::Optional(inner) => is_handle(inner),
        ty => matches!(ty, model::Type::Handle(_)),
    }
}

impl Coded {
    /// What a one-way method returns: `()`, which nobody encodes.
    pub(crate) fn nothing() -> Self {
        Self {
            ty: quote!(()),
            codec: TokenStream::new(),
        }
    }
}

impl Argument {
    /// The same argument with its place in the skeleton, where user's names could meet constants of theirs.
    pub(crate) fn local(index: usize) -> Ident {
        format_ident!("__rpc_{index}")
    }
}

pub(crate) fn index_name(index: usize) -> Ident {
    format_ident!("INDEX_{index}")
}
