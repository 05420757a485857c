//! Reads a trait into the model, and refuses what could not be called from another machine.

use proc_macro2::Span;
use rpc_idl::ids;
use rpc_idl::model::{Deprecated, Docs, Method, Model, Package, Param, Service, Source};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericParam, Ident, ItemTrait, Lit, Meta, Pat, PatType,
    Receiver, ReceiverKind, ReturnType, Safety, Signature, TraitItem, TraitItemFn, Type,
};

use super::arguments::{self, MethodArguments, ServiceArguments, is_marked_context, is_rpc};
use super::origin::{MethodOrigin, Origin, ParamKind, ParamOrigin, Reading};
use super::rust_types::{
    self, check_error, check_result, is_context, is_result_alias, is_unit, is_wrong_context,
    model_type, result_arguments, shape, shape_type,
};
use super::streams;
use crate::refusals::Refusals;
use crate::service::Output;

/// The trait as a model with one service. Methods with mistakes are left out of it.
pub(crate) fn from_trait(
    arguments: ServiceArguments,
    item: &ItemTrait,
    refusals: &mut Refusals,
) -> Reading {
    let before = refusals.count();
    check_trait(item, refusals);
    let whole = refusals.count() == before;
    let name = arguments
        .name
        .unwrap_or_else(|| item.ident.unraw().to_string());
    let package = arguments.package.unwrap_or_default();
    let mut service = empty_service(package, name, &item.attrs);
    service.version = arguments.version;
    let mut origins: Vec<MethodOrigin> = Vec::new();
    for entry in &item.items {
        let TraitItem::Fn(function) = entry else {
            continue;
        };
        let Some((method, origin)) = read_method(&service, function, refusals) else {
            continue;
        };
        if is_free(&service, &origins, &method, &origin, refusals) {
            service.methods.push(method);
            origins.push(origin);
        }
    }
    if !whole {
        service.methods.clear();
        origins.clear();
    }
    let origin = Origin {
        ident: item.ident.clone(),
        visibility: item.vis.clone(),
        attributes: forwarded(&item.attrs),
        runtime: arguments.runtime,
        methods: origins,
    };
    Reading {
        model: model_of(service),
        origin,
        whole,
    }
}

fn empty_service(package: String, name: String, attributes: &[Attribute]) -> Service {
    Service {
        package: package.into(),
        name: name.into(),
        docs: docs(attributes),
        extends: Vec::new(),
        methods: Vec::new(),
        reserved: Vec::new(),
        version: None,
        deprecated: deprecated(attributes).map(Box::new),
        annotations: Box::default(),
        source: Source::default(),
    }
}

fn model_of(service: Service) -> Model {
    let package = Package {
        name: service.package.clone(),
        ..Package::default()
    };
    Model {
        packages: vec![package],
        services: vec![service],
        ..Model::default()
    }
}

fn check_trait(item: &ItemTrait, refusals: &mut Refusals) {
    if !item.generics.params.is_empty() {
        refusals.at(
            &item.generics,
            "`#[rpc_service]` traits cannot be generic: the wire needs concrete types; use an enum or `Vec<u8>`",
        );
    }
    if let Some(token) = &item.unsafety {
        refusals.at(token, "`#[rpc_service]` traits cannot be `unsafe`: a caller far away cannot keep a safety contract");
    }
    if let Some(token) = &item.modifiers.auto_token {
        refusals.at(token, "`#[rpc_service]` traits cannot be `auto` traits");
    }
    for entry in &item.items {
        match entry {
            TraitItem::Fn(_) => {}
            TraitItem::Type(ty) => refusals.at(
                ty,
                "associated types have no form on the wire: name the concrete type in the methods",
            ),
            TraitItem::Const(constant) => refusals.at(
                constant,
                "associated constants do not travel: put the constant beside the trait, or return it from a method",
            ),
            TraitItem::Macro(call) => refusals.at(call, "macros in the trait are not expanded here: write the methods out"),
            other => refusals.at(other, "only methods can stand in an `#[rpc_service]` trait"),
        }
    }
}

fn read_method(
    service: &Service,
    function: &TraitItemFn,
    refusals: &mut Refusals,
) -> Option<(Method, MethodOrigin)> {
    let before = refusals.count();
    let signature = &function.sig;
    let arguments = MethodArguments::read(&function.attrs, refusals);
    check_signature(signature, refusals);
    let (params, stream_in, origins) = read_params(signature, refusals);
    let (value, error, output) = read_output(signature, refusals);
    if arguments.oneway && !(is_unit(&value) && error.is_none()) {
        refusals.at(
            &signature.output,
            "a one-way method gets no answer: leave the result out",
        );
    }
    streams::check_method(signature, &arguments, output, &origins, refusals);
    if refusals.count() > before {
        return None;
    }
    let lent = match output {
        Output::Value => rust_types::lent(&value),
        Output::Stream { .. } => None,
    };
    let value = lent.as_ref().map_or(value, |lent| lent.owned.clone());
    let in_package = |ty| rust_types::in_package(ty, &service.package);
    let params: Vec<_> = params
        .into_iter()
        .map(|param| Param {
            ty: in_package(param.ty),
            ..param
        })
        .collect();
    let name = signature.ident.unraw().to_string();
    let wire_name = arguments.name.unwrap_or_else(|| name.clone());
    let call_id = arguments
        .id
        .unwrap_or_else(|| ids::call_id(&service.full_name(), &wire_name));
    let method = Method {
        name: name.into(),
        wire_name: wire_name.into(),
        call_id,
        docs: docs(&function.attrs),
        params: params.into(),
        stream_in: stream_in.map(Box::new),
        result: (!is_unit(&value)).then(|| in_package(model_type(&value))),
        stream_out: output != Output::Value,
        throws: error.as_ref().map(model_type),
        oneway: arguments.oneway,
        idempotent: arguments.idempotent,
        timeout: arguments.timeout,
        retry: arguments.retry.map(Box::new),
        hedge: None,
        auth: None,
        max_size: None,
        lb_key: None,
        finish: arguments.finish,
        shared: lent.is_some(),
        deprecated: deprecated(&function.attrs).map(Box::new),
        annotations: Box::default(),
        source: Source::default(),
    };
    let origin = MethodOrigin {
        ident: signature.ident.clone(),
        attributes: forwarded(&function.attrs),
        is_async: signature.asyncness.is_some(),
        params: origins,
        value,
        lent,
        error,
        output,
    };
    Some((method, origin))
}

fn check_signature(signature: &Signature, refusals: &mut Refusals) {
    for param in &signature.generics.params {
        match param {
            GenericParam::Lifetime(lifetime) => {
                refusals.at(lifetime, "arguments are borrowed for the call only: leave the lifetime out, as in `&str`");
            }
            other => refusals.at(
                other,
                "methods cannot be generic: the wire needs concrete types",
            ),
        }
    }
    if let Some(clause) = &signature.generics.where_clause {
        refusals.at(
            clause,
            "methods cannot have a `where` clause: the wire needs concrete types",
        );
    }
    if let Some(token) = &signature.constness {
        refusals.at(token, "a remote call cannot be `const`");
    }
    if let Safety::Unsafe(token) = &signature.safety {
        refusals.at(
            token,
            "methods cannot be `unsafe`: a caller far away cannot keep a safety contract",
        );
    }
    if let Some(abi) = &signature.abi {
        refusals.at(
            abi,
            "methods cannot be `extern`: calls travel as messages, not over an ABI",
        );
    }
    if let Some(variadic) = &signature.variadic {
        refusals.at(
            variadic,
            "methods have a fixed number of arguments: take a `Vec<T>`",
        );
    }
}

fn check_receiver(receiver: &Receiver, refusals: &mut Refusals) {
    let is_plain = match &receiver.kind {
        ReceiverKind::Reference(_, lifetime, mutability) => {
            lifetime.is_none() && mutability.is_none()
        }
        _ => false,
    };
    if !is_plain {
        refusals.at(
            receiver,
            "the receiver must be `&self`: many calls run at once on one service; keep what changes in a `Mutex` or an atomic",
        );
    }
}

/// Parameters that travel, the stream among them, and the Rust side of all.
fn read_params(
    signature: &Signature,
    refusals: &mut Refusals,
) -> (Vec<Param>, Option<Param>, Vec<ParamOrigin>) {
    let (mut params, mut origins) = (Vec::new(), Vec::<ParamOrigin>::new());
    let mut stream: Option<Param> = None;
    for input in &signature.inputs {
        let typed = match input {
            FnArg::Receiver(receiver) => {
                check_receiver(receiver, refusals);
                continue;
            }
            FnArg::Typed(typed) => typed,
        };
        let Some((param, origin)) = read_param(typed, refusals) else {
            continue;
        };
        let has = |kind| origins.iter().any(|earlier| earlier.kind == kind);
        let is_stream = matches!(origin.kind, ParamKind::Items { .. });
        if origin.kind == ParamKind::Context && has(ParamKind::Context) {
            refusals.at(typed, "a method has one context");
        } else if stream.is_some() && is_stream {
            refusals.at(
                typed,
                "a method takes one stream: send the other values as a `Vec<T>`, or make two methods",
            );
        } else if stream.is_some() && origin.kind == ParamKind::Sent {
            refusals.at(
                typed,
                "the stream is the last parameter, because its items follow all the others: move this one before it",
            );
        }
        if is_stream {
            stream = stream.or(param);
        } else {
            params.extend(param);
        }
        origins.push(origin);
    }
    (params, stream, origins)
}

/// The parameter in the model (none for a context, which does not travel) and its Rust side.
fn read_param(typed: &PatType, refusals: &mut Refusals) -> Option<(Option<Param>, ParamOrigin)> {
    let ident = param_name(&typed.pat, refusals);
    let marked = is_marked_context(&typed.attrs, refusals);
    if let Some(attribute) = typed
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg"))
    {
        refusals.at(
            attribute,
            "a parameter is there or not for everybody: put `cfg` on the method or the trait",
        );
    }
    let origin = |kind, ty: &Type| {
        ident.clone().map(|ident| ParamOrigin {
            ident,
            ty: ty.clone(),
            kind,
        })
    };
    let named = |origin: &ParamOrigin, ty| Param {
        name: origin.ident.unraw().to_string().into(),
        docs: Docs::default(),
        ty,
        default: None,
        constraints: Box::default(),
        annotations: Box::default(),
        source: Source::default(),
    };
    if marked || is_context(&typed.ty) || is_wrong_context(&typed.ty) {
        if is_wrong_context(&typed.ty) || !matches!(rust_types::peel(&typed.ty), Type::Reference(_))
        {
            refusals.at(
                &typed.ty,
                "the context is lent to the method: take `&Context`",
            );
        }
        return Some((None, origin(ParamKind::Context, &typed.ty)?));
    }
    if let Some(stream) = streams::taken(&typed.ty, refusals) {
        let (item, unbroken) = stream?;
        let origin = origin(ParamKind::Items { unbroken }, item)?;
        let param = named(&origin, model_type(item));
        return Some((Some(param), origin));
    }
    let shape = shape(&typed.ty, refusals)?;
    let origin = origin(ParamKind::Sent, &typed.ty)?;
    let param = named(&origin, shape_type(&shape));
    Some((Some(param), origin))
}

fn param_name(pattern: &Pat, refusals: &mut Refusals) -> Option<Ident> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            Some(name.ident.clone())
        }
        Pat::Wild(wild) => {
            refusals.at(
                wild,
                "give the parameter a name: callers and messages on the wire refer to it",
            );
            None
        }
        other => {
            refusals.at(
                other,
                "patterns cannot name a parameter: give it a name and take it apart in the method",
            );
            None
        }
    }
}

/// The value and the declared error of a method, and how they are handed over.
fn read_output(signature: &Signature, refusals: &mut Refusals) -> (Type, Option<Type>, Output) {
    let ReturnType::Type(_, ty) = &signature.output else {
        let unit = syn::TypeTuple {
            attrs: Vec::new(),
            paren_token: syn::token::Paren(signature.ident.span()),
            elems: Default::default(),
        };
        return (Type::Tuple(unit), None, Output::Value);
    };
    if let Some(answer) = streams::answered(ty, refusals) {
        return answer;
    }
    if is_result_alias(ty) {
        refusals.at(
            ty,
            "write the error out, as in `Result<T, E>`: what an alias hides cannot be seen here",
        );
        return ((**ty).clone(), None, Output::Value);
    }
    let (value, error) = match result_arguments(ty) {
        Some((value, error)) => (value, Some(error)),
        None => (&**ty, None),
    };
    match rust_types::lent(value) {
        Some(lent) => check_result(&lent.owned, refusals),
        None => check_result(value, refusals),
    }
    if let Some(error) = error {
        check_error(error, refusals);
    }
    (value.clone(), error.cloned(), Output::Value)
}

/// Whether neither the name nor the call ID is taken; a taken name is left to rustc, which reports it anyway.
fn is_free(
    service: &Service,
    origins: &[MethodOrigin],
    method: &Method,
    origin: &MethodOrigin,
    refusals: &mut Refusals,
) -> bool {
    if origins
        .iter()
        .any(|earlier| earlier.ident == origin.ident && earlier.cfgs().is_empty())
    {
        return false;
    }
    let taken = |id| {
        service
            .methods
            .iter()
            .position(|earlier| earlier.call_id == id)
    };
    let Some(earlier) = taken(method.call_id) else {
        return true;
    };
    if origins[earlier].ident == origin.ident {
        // One name under two conditions; they exclude each other, or rustc says so.
        return true;
    }
    let free = (method.call_id + 1..)
        .find(|id| taken(*id).is_none())
        .unwrap_or(ids::FRAMEWORK_IDS);
    refusals.at(
        &origin.ident,
        format!(
            "`{}` has the same call ID as `{}` ({}): give one of them another wire name, or add `#[rpc(id = {free})]`",
            method.name, service.methods[earlier].name, method.call_id
        ),
    );
    false
}

/// The attributes that clients and skeletons repeat.
fn forwarded(attributes: &[Attribute]) -> Vec<Attribute> {
    let repeats = |attribute: &&Attribute| {
        ["doc", "deprecated", "cfg"]
            .iter()
            .any(|name| attribute.path().is_ident(name))
            && !is_rpc(attribute)
    };
    attributes.iter().filter(repeats).cloned().collect()
}

fn docs(attributes: &[Attribute]) -> Docs {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        if let (
            true,
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }),
        ) = (pair.path.is_ident("doc"), &pair.value)
        {
            lines.extend(
                text.value()
                    .lines()
                    .map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()),
            );
        }
    }
    Docs(lines.join("\n").into())
}

fn deprecated(attributes: &[Attribute]) -> Option<Deprecated> {
    let attribute = attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("deprecated"))?;
    let mut found = Deprecated::default();
    match &attribute.meta {
        Meta::NameValue(pair) => found.note = text_of(&pair.value),
        Meta::List(list) => {
            // What is wrong in here is rustc's to report: the attribute stays on the trait.
            let _ = list.parse_nested_meta(|meta| {
                let text = text_of(&meta.value()?.parse()?);
                match meta.path.is_ident("since") {
                    true => found.since = text,
                    false => found.note = text,
                }
                Ok(())
            });
        }
        Meta::Path(_) => {}
    }
    Some(found)
}

fn text_of(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// The place to complain about an item that is no trait.
pub(crate) fn item_span(item: &syn::Item) -> Span {
    match item {
        syn::Item::Fn(function) => function.sig.fn_token.span,
        syn::Item::Struct(item) => item.struct_token.span,
        syn::Item::Enum(item) => item.enum_token.span,
        syn::Item::Impl(item) => item.impl_token.span,
        other => arguments::span_of(other).located_at(other.span()),
    }
}
