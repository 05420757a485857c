//! The trait door: `#[rpc_service]` on a trait.

mod arguments;
mod bodies;
mod from_trait;
mod interface;
mod origin;
mod rust_types;
mod streams;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use rpc_idl::ids;
use rpc_idl::model::ServiceId;
use syn::spanned::Spanned;
use syn::{Attribute, Item, ItemTrait, Type, Visibility};

use self::arguments::ServiceArguments;
use self::origin::{MethodOrigin, Origin, ParamKind, ParamOrigin, Reading};
use self::rust_types::{Shape, Target, shape};
use crate::refusals::Refusals;
use crate::runtime::Runtime;
use crate::service::{
    self, Argument, Coded, Handed, InPlace, Items, Lent, Method, Names, Param, Place, Sides, Stub,
};

/// Expands `#[rpc_service]`: the trait, its skeleton, its clients.
///
/// Whatever is wrong with the trait comes out as `compile_error!`s beside it, all at once; the trait and its stubs are
/// there nevertheless.
pub fn expand_service(attr: TokenStream, item: TokenStream) -> TokenStream {
    let mut refusals = Refusals::default();
    let arguments = ServiceArguments::read(attr, &mut refusals);
    let (readable, visibilities) = bodies::without_visibilities(item.clone());
    let (emptied, bodies) = bodies::set_aside(readable);
    let mut item = match syn::parse2::<Item>(emptied) {
        Ok(Item::Trait(item)) => item,
        Ok(other) => {
            refusals.at_span(
                from_trait::item_span(&other),
                "`#[rpc_service]` goes on a trait",
            );
            let errors = refusals.into_tokens();
            return quote!(#item #errors);
        }
        Err(error) => {
            refusals.push(error);
            return expand_unread(arguments, item, refusals);
        }
    };
    for place in visibilities {
        refusals.at_span(
            place,
            "the methods of a trait are as visible as the trait: leave this out",
        );
    }
    bodies::put_back(&mut item, bodies);
    expand_trait(arguments, &item, refusals)
}

/// Reads a trait as `#[rpc_service]` does and returns the model both doors share.
///
/// # Errors
///
/// Returns every mistake, combined into one error of `syn`, if the trait could not be served as it stands.
pub fn read_trait(attr: TokenStream, item: &ItemTrait) -> syn::Result<rpc_idl::Model> {
    let mut refusals = Refusals::default();
    let arguments = ServiceArguments::read(attr, &mut refusals);
    let reading = from_trait::from_trait(arguments, item, &mut refusals);
    refusals.into_result().map(|()| reading.model)
}

/// A trait that our parser does not understand, with stubs that have no methods: the mistake is told once, not again
/// for every name that would be missing.
fn expand_unread(
    arguments: ServiceArguments,
    item: TokenStream,
    mut refusals: Refusals,
) -> TokenStream {
    let stubs = syn::parse2(bodies::shell(item.clone())).map(|shell| {
        let mut reading = from_trait::from_trait(arguments, &shell, &mut refusals);
        reading.whole = false;
        service::emit(&stub(&reading))
    });
    let (item, stubs) = (bodies::without_rpc(item), stubs.unwrap_or_default());
    let errors = refusals.into_tokens();
    quote!(#item #stubs #errors)
}

fn expand_trait(
    arguments: ServiceArguments,
    item: &ItemTrait,
    mut refusals: Refusals,
) -> TokenStream {
    let reading = from_trait::from_trait(arguments, item, &mut refusals);
    let interface = interface::interface(item);
    let stubs = service::emit(&stub(&reading));
    let errors = refusals.into_tokens();
    quote!(#interface #stubs #errors)
}

fn stub(reading: &Reading) -> Stub<'_> {
    let Reading {
        model,
        origin,
        whole,
    } = reading;
    let id = ServiceId(0);
    let names = Names::of(&origin.ident);
    let mut codecs = Codecs::new(origin, &names);
    let service = model.service(id);
    let mut methods: Vec<_> = service
        .methods
        .iter()
        .zip(&origin.methods)
        .map(|(facts, rust)| Method {
            facts,
            declared_by: service,
            fingerprint: ids::method_fingerprint(model, id, facts),
            ident: rust.ident.clone(),
            interface: origin.ident.to_token_stream(),
            cfgs: rust.cfgs(),
            attributes: client_attributes(rust),
            is_async: rust.is_async,
            blocking: rust.is_blocking(),
            params: rust
                .params
                .iter()
                .map(|param| codecs.param(rust, param))
                .collect(),
            value: if facts.oneway {
                Coded::nothing()
            } else {
                codecs.value(rust, &rust.value)
            },
            // Of a type that only the compiler knows, nobody can say here.
            viewed: false,
            is_direct: false,
            lent: rust.lent.as_ref().map(|lent| codecs.lent(rust, lent)),
            error: rust.error.as_ref().map(|error| codecs.error(rust, error)),
            output: rust.output,
        })
        .collect();
    methods.sort_by_key(|method| method.facts.call_id);
    Stub {
        runtime: codecs.runtime.clone(),
        sides: Sides {
            client: true,
            blocking: true,
            server: true,
        },
        model,
        id,
        visibility: origin.visibility.to_token_stream(),
        cfg: only(&origin.attributes, "cfg"),
        deprecated: only(&origin.attributes, "deprecated"),
        allowances: allowances(&origin.visibility),
        methods,
        inherited_clients: Vec::new(),
        companion: codecs.items(),
        names,
        whole: *whole,
    }
}

/// Nobody asked for both clients, so what is private to the crate may stay unused.
fn allowances(visibility: &Visibility) -> TokenStream {
    match visibility {
        Visibility::Public(_) => TokenStream::new(),
        _ => {
            quote!(#[allow(dead_code, reason = "a service need not use all of its generated items")])
        }
    }
}

fn only(attributes: &[Attribute], name: &str) -> TokenStream {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name))
        .map(ToTokens::to_token_stream)
        .collect()
}

/// Documentation and `deprecated`; a method without documentation gets a line, because the user's crate may ask for it.
fn client_attributes(method: &MethodOrigin) -> TokenStream {
    let (docs, deprecated) = (
        only(&method.attributes, "doc"),
        only(&method.attributes, "deprecated"),
    );
    if docs.is_empty() {
        let docs = format!(" Calls `{}`.", method.ident);
        quote!(#[doc = #docs] #deprecated)
    } else {
        quote!(#docs #deprecated)
    }
}

/// One function for each distinct type, so that a type that cannot travel is reported once, where the user wrote it.
struct Codecs {
    runtime: Runtime,
    companion: syn::Ident,
    known: Vec<Known>,
}

struct Known {
    ty: Type,
    text: String,
    /// For a declared error: the codec of what is in it.
    content: Option<TokenStream>,
    /// Conditions of the methods that need it; one without conditions makes it unconditional.
    cfgs: Vec<Vec<TokenStream>>,
}

impl Codecs {
    fn new(origin: &Origin, names: &Names) -> Self {
        let runtime = origin.runtime.as_ref().map(Runtime::at).unwrap_or_default();
        Self {
            runtime,
            companion: names.companion.clone(),
            known: Vec::new(),
        }
    }

    fn value(&mut self, method: &MethodOrigin, ty: &Type) -> Coded {
        Coded {
            ty: ty.to_token_stream(),
            codec: self.codec(method, ty, false),
        }
    }

    fn lent(&mut self, method: &MethodOrigin, lent: &rust_types::Lent) -> Lent {
        let private = self.runtime.private();
        let encode = match &lent.target {
            Target::Value(ty) => {
                let codec = self.codec(method, ty, false);
                quote!(#codec.encode)
            }
            Target::Slice(item) => {
                let codec = self.codec(method, item, false);
                quote!(#codec.encode_list)
            }
            Target::Str => quote!(<::core::primitive::str as #private::Encode>::encode),
        };
        Lent {
            encode,
            place: match lent.optional {
                true => Place::BehindOptional,
                false => Place::Behind,
            },
        }
    }

    fn error(&mut self, method: &MethodOrigin, ty: &Type) -> Coded {
        Coded {
            ty: ty.to_token_stream(),
            codec: self.codec(method, ty, true),
        }
    }

    /// The call of the function that returns the codec of `ty`.
    fn codec(&mut self, method: &MethodOrigin, ty: &Type, is_error: bool) -> TokenStream {
        let content = is_error.then(|| self.codec(method, ty, false));
        let text = ty.to_token_stream().to_string();
        let found = self
            .known
            .iter()
            .position(|known| known.text == text && known.content.is_some() == is_error);
        let index = found.unwrap_or_else(|| {
            self.known.push(Known {
                ty: ty.clone(),
                text,
                content,
                cfgs: Vec::new(),
            });
            self.known.len() - 1
        });
        self.known[index].cfgs.push(method.cfgs());
        let (companion, name) = (&self.companion, codec_name(index, is_error));
        quote!(#companion::#name())
    }

    fn param(&mut self, method: &MethodOrigin, param: &ParamOrigin) -> Param {
        match param.kind {
            ParamKind::Context => return Param::Context,
            ParamKind::Items { unbroken } => {
                let item = self.value(method, &param.ty);
                return Param::Items(Items {
                    ident: param.ident.clone(),
                    received: item.codec.clone(),
                    item,
                    unbroken,
                });
            }
            ParamKind::Sent => {}
        }
        // Its mistakes were reported when it was read.
        match shape(&param.ty, &mut Refusals::default()) {
            Some(shape) => Param::Sent(self.argument(method, param, &shape)),
            None => Param::Context,
        }
    }

    fn argument(
        &mut self,
        method: &MethodOrigin,
        param: &ParamOrigin,
        shape: &Shape<'_>,
    ) -> Argument {
        use syn::ext::IdentExt;
        let (ident, name, private) = (
            &param.ident,
            param.ident.unraw().to_string(),
            self.runtime.private(),
        );
        let direct = quote!(#private::Encode::encode(&#ident, __rpc_out););
        let (encode, decode, handed) = match shape {
            Shape::Str => (
                direct,
                InPlace::Str.required(&name),
                InPlace::Str.handed(false),
            ),
            Shape::Bytes => (
                direct,
                InPlace::Bytes.required(&name),
                InPlace::Bytes.handed(false),
            ),
            Shape::OptionStr => (
                direct,
                InPlace::Str.optional(&name),
                InPlace::Str.handed(true),
            ),
            Shape::Slice(item) => {
                let codec = self.codec(method, item, false);
                (
                    quote!((#codec.encode_list)(#ident, __rpc_out);),
                    quote!(__rpc_args.list(#name, #codec)?),
                    Handed::Lent,
                )
            }
            Shape::Borrowed(ty) => {
                let codec = self.codec(method, ty, false);
                (
                    quote!((#codec.encode)(#ident, __rpc_out);),
                    quote!(__rpc_args.required(#name, #codec)?),
                    Handed::Lent,
                )
            }
            Shape::Owned(ty) => {
                let codec = self.codec(method, ty, false);
                (
                    quote!((#codec.encode)(&#ident, __rpc_out);),
                    quote!(__rpc_args.required(#name, #codec)?),
                    Handed::Over,
                )
            }
            Shape::Optional(inner) => {
                let codec = self.codec(method, inner, false);
                let encode = quote! {
                    match &#ident {
                        ::core::option::Option::Some(__rpc_value) => (#codec.encode)(__rpc_value, __rpc_out),
                        ::core::option::Option::None => #private::write::nil(__rpc_out),
                    }
                };
                (
                    encode,
                    quote!(__rpc_args.optional(#name, #codec)?),
                    Handed::Over,
                )
            }
        };
        Argument {
            ident: ident.clone(),
            client_type: param.ty.to_token_stream(),
            encode,
            decode,
            handed,
            checks: Vec::new(),
        }
    }

    fn items(&self) -> TokenStream {
        self.known
            .iter()
            .enumerate()
            .map(|(index, known)| self.item(index, known))
            .collect()
    }

    fn item(&self, index: usize, known: &Known) -> TokenStream {
        let (private, ty, cfg) = (self.runtime.private(), &known.ty, known.cfg());
        let name = codec_name(index, known.content.is_some());
        match &known.content {
            Some(content) => quote! {
                #cfg
                fn #name() -> #private::ErrorCodec<#ty> {
                    #[allow(unused_imports, reason = "which of the two is used depends on the type")]
                    use #private::{ViaDeclared as _, ViaUndeclared as _};
                    #private::ErrorCodec { codec: #content, facts: (&#private::Probe::<#ty>::new()).facts().of::<#ty>() }
                }
            },
            None => {
                // The bound that a type without a form breaks is asked for here, at the user's words, and nowhere else.
                let choice = quote_spanned!(ty.span()=> .of::<#ty>());
                quote! {
                    #cfg
                    fn #name() -> #private::Codec<#ty> {
                        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
                        use #private::{ViaSerde as _, ViaWire as _};
                        (&#private::Probe::<#ty>::new()).codec() #choice
                    }
                }
            }
        }
    }
}

impl Known {
    fn cfg(&self) -> TokenStream {
        if self.cfgs.iter().any(Vec::is_empty) {
            return TokenStream::new();
        }
        let alternatives = self.cfgs.iter().map(|cfgs| quote!(all(#(#cfgs),*)));
        quote!(#[cfg(any(#(#alternatives),*))])
    }
}

fn codec_name(index: usize, is_error: bool) -> syn::Ident {
    if is_error {
        format_ident!("error_codec_{index}")
    } else {
        format_ident!("codec_{index}")
    }
}
