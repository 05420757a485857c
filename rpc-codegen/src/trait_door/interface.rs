//! The user's trait as it is given back: every `async fn` in the form that servers can spawn.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    FnArg, ItemTrait, Pat, ReturnType, Safety, Signature, TraitItem, TraitItemFn, Type,
    parse_quote, parse_quote_spanned,
};

use super::arguments::is_rpc;
use super::bodies::unread;
use super::rust_types::peel;
use super::streams;

/// The trait, whatever is wrong with it: implementations beside it must not fail for a second reason.
pub(crate) fn interface(item: &ItemTrait) -> TokenStream {
    let mut item = item.clone();
    item.attrs.retain(|attribute| !is_rpc(attribute));
    item.unsafety = None;
    item.modifiers.auto_token = None;
    if item.colon_token.is_none() {
        item.colon_token = Some(syn::Token![:](item.ident.span()));
    }
    item.supertraits.push(parse_quote!(::core::marker::Send));
    item.supertraits.push(parse_quote!(::core::marker::Sync));
    item.supertraits.push(parse_quote!('static));
    for entry in &mut item.items {
        if let TraitItem::Fn(function) = entry {
            mend(function);
        }
    }
    item.into_token_stream()
}

fn mend(function: &mut TraitItemFn) {
    function.attrs.retain(|attribute| !is_rpc(attribute));
    function.sig.constness = None;
    function.sig.safety = Safety::Default;
    function.sig.abi = None;
    function.sig.variadic = None;
    mend_inputs(function);
    if let ReturnType::Type(_, ty) = &mut function.sig.output {
        streams::bind_answered(ty);
    }
    if function.sig.asyncness.take().is_some() {
        desugar(function);
    }
}

fn mend_inputs(function: &mut TraitItemFn) {
    if function.sig.receiver().is_none() {
        let at = function.sig.ident.span();
        function
            .sig
            .inputs
            .insert(0, parse_quote_spanned!(at=> &self));
    }
    let has_body = function.default.is_some();
    for (index, input) in function.sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(typed) = input else { continue };
        typed.attrs.retain(|attribute| !is_rpc(attribute));
        streams::bind_taken(&mut typed.ty);
        if !has_body && is_pattern(&typed.pat) {
            // Refused already; here rustc would refuse it a second time.
            let name = quote::format_ident!("__rpc_{index}", span = typed.pat.span());
            *typed.pat = parse_quote!(#name);
        }
    }
}

/// Whether rustc refuses it in a function without a body. It has a word of its own about `mut`.
fn is_pattern(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(name) => name.by_ref.is_some() || name.subpat.is_some(),
        Pat::Wild(_) => false,
        _ => true,
    }
}

/// `async fn f() -> R` as `fn f() -> impl Future<Output = R> + Send`, so that a body that is not `Send` is reported at
/// its `.await`, and "required by" points at the user's result type.
fn desugar(function: &mut TraitItemFn) {
    let output = output_type(&function.sig);
    let future = quote_spanned! {output.span()=>
        impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
    function.sig.output = ReturnType::Type(
        syn::Token![->](output.span()),
        Box::new(Type::Verbatim(future)),
    );
    if let Some(body) = function.default.take() {
        function.attrs.push(parse_quote! {
            #[allow(clippy::manual_async_fn, reason = "the future must be `Send`, which `async fn` cannot say")]
        });
        function.default = Some(unread(&body, quote!(async move #body)));
    }
}

fn output_type(signature: &Signature) -> Type {
    match &signature.output {
        ReturnType::Type(_, ty) => match peel(ty) {
            // Refused already; nested `impl Trait` would be refused again.
            Type::ImplTrait(_) if !streams::is_stream(ty) => parse_quote_spanned!(ty.span()=> ()),
            _ => (**ty).clone(),
        },
        ReturnType::Default => {
            let unit = quote_spanned!(signature.ident.span()=> ());
            parse_quote!(#unit)
        }
    }
}
