//! Streams in a trait: which forms are taken, and what is said about the others.

use quote::ToTokens;
use syn::{
    AssocType, GenericArgument, PathArguments, PathSegment, ReturnType, Signature, TraitBound,
    Type, TypeParamBound, parse_quote,
};

use super::arguments::MethodArguments;
use super::origin::{ParamKind, ParamOrigin};
use super::rust_types::{
    check_error, check_item, is_result_alias, is_unit, last_segment, option_argument, peel,
    result_arguments, type_arguments,
};
use crate::refusals::Refusals;
use crate::service::Output;

/// Said of a stream inside of another type, or in a form that hides what is in it.
pub(super) const MISPLACED: &str = "a stream stands by itself: `Items<T>` or `impl Stream<Item = T>` as the last parameter, `impl Stream<Item = T>` as the result, also in a `Result<…, E>`";

/// Whether this is a stream, in any form that people write.
pub(super) fn is_stream(ty: &Type) -> bool {
    match peel(ty) {
        Type::ImplTrait(ty) => ty.bounds.iter().any(is_stream_bound),
        Type::TraitObject(ty) => ty.bounds.iter().any(is_stream_bound),
        Type::Path(_) => last_segment(peel(ty)).is_some_and(|segment| {
            let count = type_arguments(segment).len();
            let name = &segment.ident;
            (name == "Items" && count == 1) || (name == "BoxStream" && count > 0)
        }),
        _ => false,
    }
}

/// A parameter that is a stream: the type of an item, and whether the handler takes bare items. The outer option is
/// empty if it is none, the inner one if something is wrong with it.
pub(super) fn taken<'a>(ty: &'a Type, refusals: &mut Refusals) -> Option<Option<(&'a Type, bool)>> {
    if let Type::Reference(reference) = peel(ty)
        && is_stream(&reference.elem)
    {
        refusals.at(
            ty,
            "a stream is handed over to the method: take it by value, as in `chunks: Items<T>`",
        );
        return Some(None);
    }
    if !is_stream(ty) {
        return None;
    }
    let found = match peel(ty) {
        Type::ImplTrait(_) => item_of(ty, refusals).map(|item| (item, true)),
        _ => items_argument(ty).map(|item| (item, false)),
    };
    if found.is_none() && !matches!(peel(ty), Type::ImplTrait(_)) {
        refusals.at(ty, MISPLACED);
    }
    Some(found.filter(|(item, _)| is_item(item, Direction::In, refusals)))
}

/// A result that is a stream: an item, the declared error, and where that may come.
pub(super) fn answered(ty: &Type, refusals: &mut Refusals) -> Option<(Type, Option<Type>, Output)> {
    let (stream, outer) = match result_arguments(ty) {
        Some((value, error)) => (value, Some(error)),
        None => (ty, None),
    };
    if !is_stream(stream) {
        return None;
    }
    let unknown = |ty: &Type| Some((ty.clone(), outer.cloned(), Output::Value));
    if !matches!(peel(stream), Type::ImplTrait(_)) {
        refusals.at(
            stream,
            "a method answers a stream as `impl Stream<Item = T>`, whatever type it is made of",
        );
        return unknown(stream);
    }
    let Some(item) = item_of(stream, refusals) else {
        return unknown(stream);
    };
    if is_result_alias(item) {
        refusals.at(
            item,
            "write the error out, as in `Result<T, E>`: what an alias hides cannot be seen here",
        );
        return unknown(item);
    }
    let (value, inner) = match result_arguments(item) {
        Some((value, error)) => (value, Some(error)),
        None => (item, None),
    };
    if let (Some(outer), Some(inner)) = (outer, inner)
        && text(outer) != text(inner)
    {
        refusals.at(
            inner,
            format!(
                "a method declares one error: the items fail with another one than the method, which fails with `{}`",
                text(outer)
            ),
        );
    }
    is_item(value, Direction::Out, refusals);
    let error = outer.or(inner);
    if let Some(error) = error {
        check_error(error, refusals);
    }
    let output = Output::Stream {
        may_not_open: outer.is_some(),
        items_may_fail: inner.is_some(),
    };
    Some((value.clone(), error.cloned(), output))
}

/// Refuses what a stream cannot be together with.
pub(super) fn check_method(
    signature: &Signature,
    arguments: &MethodArguments,
    output: Output,
    params: &[ParamOrigin],
    refusals: &mut Refusals,
) {
    if signature.asyncness.is_none()
        && let Output::Stream {
            may_not_open: true, ..
        } = output
        && let ReturnType::Type(_, ty) = &signature.output
    {
        refusals.at(
            ty,
            "whether the stream opens is found out at the server: write `async fn`, or `impl Stream<Item = Result<T, E>>` alone",
        );
    }
    let Some((taken, unbroken)) = params.iter().find_map(|param| match param.kind {
        ParamKind::Items { unbroken } => Some((&param.ident, unbroken)),
        ParamKind::Context | ParamKind::Sent => None,
    }) else {
        return;
    };
    if signature.asyncness.is_none() && output == Output::Value {
        refusals.at(
            taken,
            "a method that takes a stream waits for its items: write `async fn`",
        );
    }
    if arguments.oneway {
        refusals.at(
            taken,
            "a one-way method is one message and takes no stream: leave `oneway` out",
        );
    }
    if arguments.finish && unbroken {
        refusals.at(
            taken,
            "with `on_cancel = \"finish\"` the method goes on although its caller is gone, and must see that: take `Items<T>`",
        );
    }
}

/// Adds to a parameter `impl Stream` what the skeleton hands over, so that implementations may rely on it.
pub(super) fn bind_taken(ty: &mut Type) {
    if let Some(bounds) = stream_bounds(ty) {
        add(bounds, "Send", parse_quote!(::core::marker::Send));
        add(bounds, "Unpin", parse_quote!(::core::marker::Unpin));
        let is_static = |bound: &TypeParamBound| matches!(bound, TypeParamBound::Lifetime(_));
        if !bounds.iter().any(is_static) {
            bounds.push(parse_quote!('static));
        }
    }
}

/// Adds `Send` to a result `impl Stream`, because the server may move it between threads.
pub(super) fn bind_answered(ty: &mut Type) {
    let stream = match result_arguments(ty) {
        Some(_) => first_argument(ty),
        None => Some(ty),
    };
    if let Some(bounds) = stream.and_then(stream_bounds) {
        add(bounds, "Send", parse_quote!(::core::marker::Send));
    }
}

type Bounds = syn::punctuated::Punctuated<TypeParamBound, syn::Token![+]>;

fn add(bounds: &mut Bounds, name: &str, bound: TypeParamBound) {
    let is_there =
        |bound: &TypeParamBound| last_of(bound).is_some_and(|segment| segment.ident == name);
    if !bounds.iter().any(is_there) {
        bounds.push(bound);
    }
}

fn stream_bounds(ty: &mut Type) -> Option<&mut Bounds> {
    match ty {
        Type::Paren(inner) => stream_bounds(&mut inner.elem),
        Type::Group(inner) => stream_bounds(&mut inner.elem),
        Type::ImplTrait(ty) if ty.bounds.iter().any(is_stream_bound) => Some(&mut ty.bounds),
        _ => None,
    }
}

fn first_argument(ty: &mut Type) -> Option<&mut Type> {
    let path = match ty {
        Type::Paren(inner) => return first_argument(&mut inner.elem),
        Type::Group(inner) => return first_argument(&mut inner.elem),
        Type::Path(path) => path,
        _ => return None,
    };
    match &mut path.path.segments.last_mut()?.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments
                .args
                .iter_mut()
                .find_map(|argument| match argument {
                    GenericArgument::Type(ty) => Some(ty),
                    _ => None,
                })
        }
        _ => None,
    }
}

/// Which way the items of a stream go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// Whether items can be of this type; what cannot is refused.
fn is_item(ty: &Type, direction: Direction, refusals: &mut Refusals) -> bool {
    let before = refusals.count();
    if option_argument(peel(ty)).is_some() {
        refusals.at(
            ty,
            "the items of a stream cannot be optional: leave the `Option` out; a stream that has no item sends none",
        );
    } else if is_unit(ty) {
        refusals.at(
            ty,
            "the items of a stream carry something: send a number or a struct",
        );
    } else if direction == Direction::In && result_arguments(ty).is_some() {
        refusals.at(
            ty,
            "what a caller sends has no declared error: name the type of an item alone; `Items<T>` tells of a stream that broke",
        );
    } else {
        check_item(ty, refusals);
    }
    refusals.count() == before
}

/// The `T` of `impl Stream<Item = T>`; refuses a stream that does not say it, or says it twice.
fn item_of<'a>(ty: &'a Type, refusals: &mut Refusals) -> Option<&'a Type> {
    let Type::ImplTrait(stream) = peel(ty) else {
        return None;
    };
    let found = stream.bounds.iter().find_map(|bound| {
        let segment = last_of(bound).filter(|segment| segment.ident == "Stream")?;
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Item" => Some(ty),
            _ => None,
        })
    });
    if found.is_none() {
        refusals.at(
            ty,
            "say what the items are, as in `impl Stream<Item = u64>`",
        );
    }
    found
}

fn items_argument(ty: &Type) -> Option<&Type> {
    let segment = last_segment(peel(ty)).filter(|segment| segment.ident == "Items")?;
    match type_arguments(segment).as_slice() {
        [item] => Some(item),
        _ => None,
    }
}

fn is_stream_bound(bound: &TypeParamBound) -> bool {
    last_of(bound).is_some_and(|segment| segment.ident == "Stream")
}

fn last_of(bound: &TypeParamBound) -> Option<&PathSegment> {
    match bound {
        TypeParamBound::Trait(TraitBound { path, .. }) => path.segments.last(),
        _ => None,
    }
}

fn text(ty: &Type) -> String {
    ty.to_token_stream().to_string()
}
