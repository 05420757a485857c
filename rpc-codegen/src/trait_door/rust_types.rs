//! Rust types as users write them: which travel, how arguments are borrowed, what the model makes of them.

use quote::ToTokens;
use rpc_idl::model;
use syn::ext::IdentExt;
use syn::{
    Expr, ExprLit, GenericArgument, Lifetime, Lit, Path, PathArguments, PathSegment, ReturnType,
    Type, TypeParamBound, TypePath, TypeReference, TypeTraitObject, parse_quote,
};

use super::streams;
use crate::refusals::Refusals;

/// How an argument is written, which decides how it is decoded and handed over.
pub(super) enum Shape<'a> {
    /// `&str`
    Str,
    /// `&[u8]`
    Bytes,
    /// `Option<&str>`
    OptionStr,
    /// `&[T]`
    Slice(&'a Type),
    /// `&T`
    Borrowed(&'a Type),
    /// `Option<T>`
    Optional(&'a Type),
    /// Anything else.
    Owned(&'a Type),
}

/// Sorts an argument type; references that cannot be served are refused.
pub(super) fn shape<'a>(ty: &'a Type, refusals: &mut Refusals) -> Option<Shape<'a>> {
    let before = refusals.count();
    let shape = match peel(ty) {
        Type::Reference(reference) => {
            check_reference(reference, refusals);
            match peel(&reference.elem) {
                Type::Slice(slice) if is_primitive(&slice.elem, "u8") => Shape::Bytes,
                Type::Slice(slice) => Shape::Slice(&slice.elem),
                inner if is_primitive(inner, "str") => Shape::Str,
                inner => Shape::Borrowed(inner),
            }
        }
        other => match option_argument(other) {
            Some(Type::Reference(reference)) if is_primitive(&reference.elem, "str") => {
                check_reference(reference, refusals);
                Shape::OptionStr
            }
            Some(inner) => Shape::Optional(inner),
            None => Shape::Owned(other),
        },
    };
    match &shape {
        Shape::Str | Shape::Bytes | Shape::OptionStr => {}
        Shape::Borrowed(ty) | Shape::Optional(ty) | Shape::Owned(ty) if handle_of(ty).is_some() => {
        }
        Shape::Slice(ty) | Shape::Borrowed(ty) | Shape::Optional(ty) | Shape::Owned(ty) => {
            refuse_inside(ty, Place::Argument, refusals)
        }
    }
    (refusals.count() == before).then_some(shape)
}

/// A result that the handler does not give away, such as `Arc<[T]>`.
pub(crate) struct Lent {
    /// The same value as somebody owns it: what the caller gets, and what it is on the wire.
    pub(crate) owned: Type,
    pub(crate) target: Target,
    /// Whether it stands in an `Option`.
    pub(crate) optional: bool,
}

/// What a pointer leads to.
pub(crate) enum Target {
    /// `Arc<T>`
    Value(Type),
    /// `Arc<[T]>`
    Slice(Type),
    /// `Arc<str>`
    Str,
}

/// Recognises `Arc<T>`, `Cow<'static, T>` and `&'static T`, where `T` may be a slice or `str`, and all of that in an `Option`.
pub(super) fn lent(ty: &Type) -> Option<Lent> {
    let ty = peel(ty);
    let (pointer, optional) = match option_argument(ty) {
        Some(inner) => (inner, true),
        None => (ty, false),
    };
    let pointee = peel(pointee(pointer)?);
    let (owned, target): (Type, _) = match pointee {
        Type::Slice(slice) => {
            let item = &*slice.elem;
            (
                parse_quote!(::std::vec::Vec<#item>),
                Target::Slice(item.clone()),
            )
        }
        ty if is_primitive(ty, "str") => (parse_quote!(::std::string::String), Target::Str),
        ty => (ty.clone(), Target::Value(ty.clone())),
    };
    let owned = match optional {
        true => parse_quote!(::core::option::Option<#owned>),
        false => owned,
    };
    Some(Lent {
        owned,
        target,
        optional,
    })
}

fn pointee(ty: &Type) -> Option<&Type> {
    if let Type::Reference(reference) = ty {
        let lifetime = reference.lifetime.as_ref()?;
        let is_shared = reference.mutability.is_none() && lifetime.ident == "static";
        return is_shared.then_some(&*reference.elem);
    }
    let segment = last_segment(ty)?;
    match type_arguments(segment).as_slice() {
        [inner] if segment.ident == "Arc" => Some(inner),
        [inner] if segment.ident == "Cow" && is_for_ever(segment) => Some(inner),
        _ => None,
    }
}

/// Whether the lifetime in `Cow<'static, T>` is that one.
fn is_for_ever(segment: &PathSegment) -> bool {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return false;
    };
    arguments.args.iter().any(|argument| {
        matches!(argument, GenericArgument::Lifetime(lifetime) if lifetime.ident == "static")
    })
}

/// Refuses what cannot be a result.
pub(super) fn check_result(ty: &Type, refusals: &mut Refusals) {
    if handle_of(option_argument(peel(ty)).unwrap_or(ty)).is_none() {
        refuse_inside(ty, Place::Result, refusals);
    }
}

/// Refuses what cannot be a declared error.
pub(super) fn check_error(ty: &Type, refusals: &mut Refusals) {
    refuse_inside(ty, Place::Result, refusals);
}

/// Refuses what cannot be an item of a stream.
pub(super) fn check_item(ty: &Type, refusals: &mut Refusals) {
    refuse_inside(ty, Place::Item, refusals);
}

/// The model's type of an argument.
pub(super) fn shape_type(shape: &Shape<'_>) -> model::Type {
    match shape {
        Shape::Str => model::Type::String,
        Shape::Bytes => model::Type::Bytes,
        Shape::OptionStr => model::Type::Optional(Box::new(model::Type::String)),
        Shape::Slice(item) => model::Type::List(Box::new(model_type(item))),
        Shape::Borrowed(ty) | Shape::Owned(ty) => model_type(ty),
        Shape::Optional(ty) => optional(model_type(ty)),
    }
}

/// The model's type of an owned Rust type, by its spelling; what is not known stays a name.
pub(super) fn model_type(ty: &Type) -> model::Type {
    if let Some(service) = handle_of(ty) {
        return model::Type::Handle(service.into());
    }
    match peel(ty) {
        Type::Array(array) => match &array.len {
            Expr::Lit(ExprLit {
                lit: Lit::Int(length),
                ..
            }) => match length.base10_parse() {
                Ok(length) => model::Type::Array(Box::new(model_type(&array.elem)), length),
                Err(_) => foreign(ty),
            },
            _ => foreign(ty),
        },
        Type::Path(TypePath {
            qself: None, path, ..
        }) => known_path(path).unwrap_or_else(|| foreign(ty)),
        _ => foreign(ty),
    }
}

/// The two arguments of `Result<T, E>`, whatever path leads to it.
pub(super) fn result_arguments(ty: &Type) -> Option<(&Type, &Type)> {
    let segment = last_segment(peel(ty))?;
    match type_arguments(segment).as_slice() {
        [value, error] if segment.ident == "Result" => Some((value, error)),
        _ => None,
    }
}

/// Whether this is `Result<T>` or a bare `Result`: an alias whose error is written elsewhere.
pub(super) fn is_result_alias(ty: &Type) -> bool {
    last_segment(peel(ty))
        .is_some_and(|segment| segment.ident == "Result" && type_arguments(segment).len() == 1)
}

/// Whether this is `&Context`.
pub(super) fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = peel(ty) else {
        return false;
    };
    reference.mutability.is_none()
        && last_segment(peel(&reference.elem))
            .is_some_and(|segment| segment.ident == "Context" && segment.arguments.is_none())
}

/// Whether this is the context in another form than `&Context`, such as `&mut Context` or `Option<&Context>`.
pub(super) fn is_wrong_context(ty: &Type) -> bool {
    let is_named = |ty: &Type| {
        last_segment(peel(ty))
            .is_some_and(|segment| segment.ident == "Context" && segment.arguments.is_none())
    };
    match peel(ty) {
        Type::Reference(reference) => reference.mutability.is_some() && is_named(&reference.elem),
        // By value it may well be a type of the user's, unless they say whose it is.
        Type::Path(path)
            if path
                .path
                .segments
                .first()
                .is_some_and(|first| first.ident == "rpc_runtime") =>
        {
            is_named(ty)
        }
        other => option_argument(other).is_some_and(is_context),
    }
}

/// Whether nothing travels: `()`.
pub(super) fn is_unit(ty: &Type) -> bool {
    matches!(peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Takes off parentheses and the invisible groups that `macro_rules` leave.
pub(super) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => peel(&inner.elem),
        Type::Group(inner) => peel(&inner.elem),
        other => other,
    }
}

fn known_path(path: &Path) -> Option<model::Type> {
    let segment = path.segments.last()?;
    let name = segment.ident.to_string();
    if !is_known_home(path, &name) {
        return None;
    }
    Some(match (name.as_str(), type_arguments(segment).as_slice()) {
        ("bool", []) => model::Type::Bool,
        ("i8", []) => model::Type::I8,
        ("i16", []) => model::Type::I16,
        ("i32", []) => model::Type::I32,
        ("i64" | "isize", []) => model::Type::I64,
        ("i128", []) => model::Type::I128,
        ("u8", []) => model::Type::U8,
        ("u16", []) => model::Type::U16,
        ("u32", []) => model::Type::U32,
        ("u64" | "usize", []) => model::Type::U64,
        ("u128", []) => model::Type::U128,
        ("f32", []) => model::Type::F32,
        ("f64", []) => model::Type::F64,
        ("String", []) => model::Type::String,
        ("Bytes", []) => model::Type::Bytes,
        ("Duration", []) => model::Type::Duration,
        ("Timestamp", []) => model::Type::Timestamp,
        ("Uuid", []) => model::Type::Uuid,
        ("Decimal", []) => model::Type::Decimal,
        ("Value", []) => model::Type::Any,
        ("Vec", [item]) if is_primitive(item, "u8") => model::Type::Bytes,
        ("Vec", [item]) => model::Type::List(Box::new(model_type(item))),
        ("Option", [item]) => optional(model_type(item)),
        ("Box" | "Arc", [item]) => model_type(item),
        ("HashSet" | "BTreeSet", [item]) => model::Type::Set(Box::new(model_type(item))),
        ("HashMap" | "BTreeMap", [key, value]) => {
            model::Type::Map(Box::new(model_type(key)), Box::new(model_type(value)))
        }
        _ => return None,
    })
}

/// Whether the words before a known name leave its meaning: `std::time::Duration` is ours, `chrono::Duration` is not.
fn is_known_home(path: &Path, name: &str) -> bool {
    const HOMES: [&str; 12] = [
        "std",
        "core",
        "alloc",
        "collections",
        "time",
        "string",
        "vec",
        "boxed",
        "sync",
        "option",
        "primitive",
        "rpc_runtime",
    ];
    let mut homes = path
        .segments
        .iter()
        .rev()
        .skip(1)
        .map(|segment| segment.ident.to_string());
    homes.all(|home| {
        HOMES.contains(&home.as_str())
            || (home == "uuid" && name == "Uuid")
            || (home == "bytes" && name == "Bytes")
    })
}

/// The service of `Handle<CounterClient>`: `Counter`. All that a macro can see of it is the name of its client.
fn handle_of(ty: &Type) -> Option<String> {
    let segment = last_segment(peel(ty))?;
    let arguments = type_arguments(segment);
    let [client] = arguments.as_slice() else {
        return None;
    };
    let client = last_segment(peel(client)).filter(|_| segment.ident == "Handle")?;
    let name = client.ident.unraw().to_string();
    let service = name.strip_suffix("Client")?;
    (!service.is_empty() && client.arguments.is_none()).then(|| service.to_owned())
}

/// The type with the package that its service is taken to be of: that of the trait.
pub(super) fn in_package(ty: model::Type, package: &str) -> model::Type {
    match ty {
        model::Type::Handle(service) if !package.is_empty() => {
            model::Type::Handle(format!("{package}.{service}").into())
        }
        model::Type::Optional(inner) => optional(in_package(*inner, package)),
        other => other,
    }
}

fn optional(inner: model::Type) -> model::Type {
    match inner {
        already @ model::Type::Optional(_) => already,
        inner => model::Type::Optional(Box::new(inner)),
    }
}

/// The text of a type that only Rust knows, with the spaces a person would leave out.
fn foreign(ty: &Type) -> model::Type {
    let mut text = ty.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        ("< ", "<"),
        (" ,", ","),
        ("& ", "&"),
        ("( ", "("),
        (" )", ")"),
    ] {
        text = text.replace(from, to);
    }
    model::Type::Foreign(text)
}

pub(super) fn option_argument(ty: &Type) -> Option<&Type> {
    let segment = last_segment(ty)?;
    match type_arguments(segment).as_slice() {
        [inner] if segment.ident == "Option" => Some(peel(inner)),
        _ => None,
    }
}

pub(super) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(TypePath {
            qself: None, path, ..
        }) => path.segments.last(),
        _ => None,
    }
}

pub(super) fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn is_primitive(ty: &Type, name: &str) -> bool {
    matches!(peel(ty), Type::Path(TypePath { qself: None, path, .. }) if path.is_ident(name))
}

fn is_future(object: &TypeTraitObject) -> bool {
    object.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound
            .path
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "Future"),
        _ => false,
    })
}

/// `Rc<T>`, which would be refused by rustc too, but in the middle of our code.
fn is_rc(ty: &TypePath) -> bool {
    ty.path
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "Rc" && type_arguments(segment).len() == 1)
}

fn check_reference(reference: &TypeReference, refusals: &mut Refusals) {
    // Other lifetimes are refused where they are declared.
    if let Some(lifetime) = reference
        .lifetime
        .as_ref()
        .filter(|lifetime| lifetime.ident == "static")
    {
        refusals.at(
            lifetime,
            "arguments are borrowed for the call only: leave the lifetime out, as in `&str`",
        );
    }
    if reference.mutability.is_some() {
        refusals.at(reference, "a `&mut` argument cannot change anything at the caller: take `&T` or `T`, and return what changed");
    }
}

fn refuse_inside(ty: &Type, place: Place, refusals: &mut Refusals) {
    // Inside of a pointer both are fine: `Box<str>`, `Arc<[T]>`.
    if matches!(peel(ty), Type::Slice(_)) {
        refusals.at(ty, "a slice has no size: take `&[T]` or `Vec<T>`");
    } else if is_primitive(ty, "str") {
        refusals.at(ty, "`str` has no size: take `&str` or `String`");
    }
    Inspector { place, refusals }.inspect(ty);
}

/// Where a type stands; a reference is refused in other words in each.
#[derive(Clone, Copy)]
enum Place {
    Argument,
    Result,
    Item,
}

/// Walks a type and refuses what has no meaning on another machine.
struct Inspector<'a> {
    place: Place,
    refusals: &'a mut Refusals,
}

impl Inspector<'_> {
    fn inspect(&mut self, ty: &Type) {
        let message = match ty {
            Type::Reference(_) => match self.place {
                Place::Argument => {
                    "references stand only at the outside of an argument (`&str`, `&[u8]`, `&T`, `&[T]`, `Option<&str>`): use an owned type here, such as `String` or `Vec<T>`"
                }
                Place::Result => {
                    "a result is made on another machine and cannot be a reference: return an owned type, such as `String` or `Vec<T>`"
                }
                Place::Item => {
                    "an item is made on another machine and cannot be a reference: use an owned type, such as `String` or `Vec<T>`"
                }
            },
            ty if streams::is_stream(ty) => streams::MISPLACED,
            ty if handle_of(ty).is_some() => {
                "an object goes by reference as a parameter or a result of its own, or in an `Option`: take it out of here"
            }
            Type::ImplTrait(_) => match self.place {
                Place::Argument | Place::Item => {
                    "`impl Trait` has no form on the wire: name the type"
                }
                Place::Result => {
                    "`impl Trait` has no form on the wire: name the type; for a future write `async fn`"
                }
            },
            Type::TraitObject(object) if is_future(object) => {
                "a future stays at the server: write `async fn` and the type it gives"
            }
            Type::TraitObject(_) => {
                "`dyn Trait` has no form on the wire: use an enum of the types you mean"
            }
            Type::Ptr(_) => "a pointer means nothing on another machine: send the value",
            Type::FnPtr(_) => "a function cannot travel: send what it needs, or use another method",
            Type::Never(_) => "`!` has no form on the wire: return `()`",
            Type::Infer(_) => "the type must be written out",
            Type::Macro(_) => "a macro cannot stand for a type here: write the type out",
            Type::Path(path) if path.qself.is_some() => {
                "write the type out: a projection has no form on the wire"
            }
            Type::Path(path)
                if path
                    .path
                    .segments
                    .first()
                    .is_some_and(|first| first.ident == "Self") =>
            {
                "`Self` is the service itself, which stays where it is: name the type that travels"
            }
            Type::Path(path) if is_rc(path) => {
                "`Rc` stays on its thread: send the value itself, or an `Arc`"
            }
            other => return self.go_into(other),
        };
        self.refusals.at(ty, message);
    }

    /// The types inside of one that is fine itself. `syn` could walk it, but compiling that takes every macro user longer.
    fn go_into(&mut self, ty: &Type) {
        match ty {
            Type::Array(array) => self.inspect(&array.elem),
            Type::Slice(slice) => self.inspect(&slice.elem),
            Type::Group(group) => self.inspect(&group.elem),
            Type::Paren(paren) => self.inspect(&paren.elem),
            Type::Tuple(tuple) => tuple.elems.iter().for_each(|elem| self.inspect(elem)),
            Type::Path(path) => {
                for segment in &path.path.segments {
                    self.inspect_arguments(&segment.arguments);
                }
            }
            _ => {}
        }
    }

    fn inspect_arguments(&mut self, arguments: &PathArguments) {
        match arguments {
            PathArguments::None => {}
            PathArguments::AngleBracketed(arguments) => {
                for argument in &arguments.args {
                    match argument {
                        GenericArgument::Type(ty) => self.inspect(ty),
                        GenericArgument::Lifetime(lifetime) => self.inspect_lifetime(lifetime),
                        GenericArgument::AssocType(named) => self.inspect(&named.ty),
                        _ => {}
                    }
                }
            }
            PathArguments::Parenthesized(arguments) => {
                for input in &arguments.inputs {
                    self.inspect(&input.ty);
                }
                if let ReturnType::Type(_, output) = &arguments.output {
                    self.inspect(output);
                }
            }
        }
    }

    fn inspect_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.refusals.at(
                lifetime,
                "borrowed types cannot travel: use the owned form of this type",
            );
        }
    }
}
