//! What a set of definitions means: plain data that every generator reads.
//!
//! Both doors end here: `.idl` text through [`compile`](crate::compile), a Rust trait through
//! `rpc_codegen`. Nothing in the model refers to syntax trees, files on disk or Rust tokens; a place in a
//! file is kept as text ([`Source`]) for documentation only and takes no part in comparisons.

use std::fmt;
use std::sync::Arc;

/// Everything that was compiled together.
///
/// All lists are in a fixed order (packages and definitions by full name, members by ordinal or as written for
/// parameters), so that equal definitions are equal models whatever file or order they were written in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Packages, sorted by name.
    pub packages: Vec<Package>,
    /// Records, enums, unions, errors and aliases, sorted by full name. [`TypeId`] is an index into this list.
    pub types: Vec<TypeDef>,
    /// Services, sorted by full name. [`ServiceId`] is an index into this list.
    pub services: Vec<Service>,
    /// Constants, sorted by full name.
    pub consts: Vec<Const>,
    /// Declared custom annotations, sorted by full name.
    pub annotations: Vec<AnnotationDef>,
}

/// Index of a type in [`Model::types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// Index of a service in [`Model::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u32);

/// A package: the namespace that a `package a.b.v1;` line names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Package {
    /// Full dotted name; empty for definitions without a package (trait door).
    pub name: Arc<str>,
    /// Doc comment lines of all its `package` lines, joined in file order.
    pub docs: Docs,
    /// Annotations on the package lines.
    pub annotations: Box<[Annotation]>,
}

/// A named type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDef {
    /// Package it is declared in.
    pub package: Arc<str>,
    /// Name without the package.
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// Annotations as written, known and custom ones.
    pub annotations: Box<[Annotation]>,
    /// `@deprecated`.
    pub deprecated: Option<Box<Deprecated>>,
    /// Where it was written.
    pub source: Source,
    /// What it is.
    pub kind: TypeKind,
}

/// The kinds of named types.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `struct`
    Struct(Struct),
    /// `enum`
    Enum(Enum),
    /// `union`
    Union(Union),
    /// `error`: a union that may stand after `throws`.
    Error(Union),
    /// `type A = B;`
    Alias(Type),
}

/// The fields of a record, of a union variant with fields, and of nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    /// Fields, sorted by ordinal.
    pub fields: Box<[Field]>,
    /// What may not be used again.
    pub reserved: Arc<Reserved>,
}

/// One field. On the wire it is element `ordinal - 1` of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// 1-based; at most 4096.
    pub ordinal: u32,
    /// Name in the definition (snake case by convention).
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// Type; `T?` is [`Type::Optional`].
    pub ty: Type,
    /// Value when the field is missing, already checked against `ty`.
    pub default: Option<Box<Value>>,
    /// `@len`, `@range`, `@pattern`, `@items`, in the order written.
    pub constraints: Box<[Constraint]>,
    /// `@sensitive`: redacted in `Debug`.
    pub sensitive: bool,
    /// `@deprecated`.
    pub deprecated: Option<Box<Deprecated>>,
    /// All annotations as written.
    pub annotations: Box<[Annotation]>,
    /// Where it was written.
    pub source: Source,
}

/// Numbers and names that a later version may not use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reserved {
    /// Inclusive ranges of ordinals or enum numbers; `max` is `i64::MAX`.
    pub ranges: Box<[(i64, i64)]>,
    /// Names.
    pub names: Box<[Arc<str>]>,
}

/// `enum`: a named number.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// `closed`: an unknown number is a decode error instead of a kept value.
    pub closed: bool,
    /// The integer type after the colon; `Type::I32` when none was written.
    pub repr: Type,
    /// Values, sorted by number.
    pub values: Box<[EnumValue]>,
    /// What may not be used again.
    pub reserved: Arc<Reserved>,
}

/// One value of an enum.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumValue {
    /// The number on the wire.
    pub number: i64,
    /// Name (Pascal case by convention).
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// `@deprecated`.
    pub deprecated: Option<Box<Deprecated>>,
    /// All annotations as written.
    pub annotations: Box<[Annotation]>,
    /// Where it was written.
    pub source: Source,
}

/// `union` or `error`: one of several variants, on the wire `[ordinal, payload]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// `closed`: an unknown variant is a decode error instead of a kept value.
    pub closed: bool,
    /// Variants, sorted by ordinal.
    pub variants: Box<[Variant]>,
    /// What may not be used again.
    pub reserved: Arc<Reserved>,
}

/// One variant of a union or error.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// 1-based; at most 4096.
    pub ordinal: u32,
    /// Name (Pascal case by convention).
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// What it carries.
    pub payload: Payload,
    /// `@status(...)` of an error variant.
    pub status: Option<Arc<str>>,
    /// `@retryable` of an error variant; the name is that of `@retryable(after = field)`.
    pub retryable: Option<Box<Retryable>>,
    /// `@deprecated`.
    pub deprecated: Option<Box<Deprecated>>,
    /// All annotations as written.
    pub annotations: Box<[Annotation]>,
    /// Where it was written.
    pub source: Source,
}

/// What a variant carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// Nothing; `nil` on the wire.
    Unit,
    /// `Circle(f64)`: the bare value.
    Single(Type),
    /// `Rect { 1: w: f64 }`: a record.
    Fields(Box<Struct>),
}

/// `@retryable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retryable {
    /// Name of the field (a `duration`) that says how long to wait, if one was named.
    pub after: Option<Arc<str>>,
}

/// A service: a named set of methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Package it is declared in; empty in the trait door without `package = "…"`.
    pub package: Arc<str>,
    /// Name without the package.
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// Services whose methods are part of this one, as written.
    pub extends: Vec<ServiceId>,
    /// Its own methods, in the order written. Methods of extended services are not repeated here:
    /// see [`Model::all_methods`].
    pub methods: Vec<Method>,
    /// Names of methods that may not be used again.
    pub reserved: Vec<String>,
    /// `@version`.
    pub version: Option<String>,
    /// `@deprecated`.
    pub deprecated: Option<Box<Deprecated>>,
    /// All annotations as written.
    pub annotations: Box<[Annotation]>,
    /// Where it was written.
    pub source: Source,
}

/// One method.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Name in the definition.
    pub name: Arc<str>,
    /// The name that is hashed into the call ID: `@wire_name`, else `name`.
    pub wire_name: Arc<str>,
    /// Number of the method on both machines; see [`ids::call_id`](crate::ids::call_id). `@id(n)` overrides it.
    pub call_id: u64,
    /// Doc comment.
    pub docs: Docs,
    /// Parameters that travel, as written; the position is the ordinal. A `stream` parameter is not among them.
    pub params: Box<[Param]>,
    /// The `stream` parameter, always the last one.
    pub stream_in: Option<Box<Param>>,
    /// Result; `None` is void. With `stream_out` it is the type of one item.
    pub result: Option<Type>,
    /// Whether the result is `stream T`.
    pub stream_out: bool,
    /// The declared error.
    pub throws: Option<Type>,
    /// `oneway`: nothing comes back.
    pub oneway: bool,
    /// `@idempotent`: may be repeated when it is unknown whether it ran.
    pub idempotent: bool,
    /// `@timeout`, in nanoseconds; that of the service where the method has none. So are `retry`, `auth` and `max_size`.
    pub timeout: Option<u64>,
    /// `@retry`.
    pub retry: Option<Box<Retry>>,
    /// `@hedge(after)`, in nanoseconds.
    pub hedge: Option<u64>,
    /// `@auth(...)`.
    pub auth: Option<Box<Auth>>,
    /// `@max_size`, in bytes.
    pub max_size: Option<u64>,
    /// `@lb(key = param)`: parameter whose value keys the consistent hash.
    pub lb_key: Option<Arc<str>>,
    /// `@on_cancel(finish)`: the handler runs to its end although the caller is gone.
    pub finish: bool,
    /// `@shared`: the handler answers with something that it does not give away; nothing of it is on the wire.
    pub shared: bool,
    /// `@deprecated`.
    pub deprecated: Option<Box<Deprecated>>,
    /// All annotations as written.
    pub annotations: Box<[Annotation]>,
    /// Where it was written.
    pub source: Source,
}

/// How a method moves data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// One request, one answer.
    Unary,
    /// Many requests, one answer.
    ClientStream,
    /// One request, many answers.
    ServerStream,
    /// Many of both.
    BidiStream,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Name.
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// Type; for a `stream` parameter the type of one item.
    pub ty: Type,
    /// Value when a caller leaves it out.
    pub default: Option<Box<Value>>,
    /// `@len`, `@range`, `@pattern`, `@items`.
    pub constraints: Box<[Constraint]>,
    /// All annotations as written.
    pub annotations: Box<[Annotation]>,
    /// Where it was written.
    pub source: Source,
}

/// The statuses that `@status(…)` and `@retry(on = […])` may name.
pub const STATUSES: &[&str] = &[
    "invalid_argument",
    "not_found",
    "already_exists",
    "permission_denied",
    "unauthenticated",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unavailable",
    "deadline_exceeded",
    "unimplemented",
    "internal",
    "cancelled",
    "data_loss",
];

/// `@retry(max, on, backoff)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub max: u32,
    /// Status names on which to try again.
    pub on: Vec<String>,
    /// First pause in nanoseconds.
    pub backoff: Option<u64>,
}

/// `@auth(scope = "…")` or `@auth(none)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nobody is asked who they are.
    None,
    /// The caller needs this scope.
    Scope(String),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Const {
    /// Package it is declared in.
    pub package: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// Type.
    pub ty: Type,
    /// Value, already checked against `ty`.
    pub value: Value,
    /// `@deprecated`.
    pub deprecated: Option<Box<Deprecated>>,
    /// All annotations as written.
    pub annotations: Box<[Annotation]>,
    /// Where it was written.
    pub source: Source,
}

/// `annotation acme.team(name: string) on service, method;`
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationDef {
    /// Package it is declared in.
    pub package: Arc<str>,
    /// Name without the package.
    pub name: Arc<str>,
    /// Doc comment.
    pub docs: Docs,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it may stand on: `package`, `struct`, `enum`, `union`, `error`, `service`, `method`, `field`, `value`,
    /// `variant`, `param`, `const`, `type`.
    pub targets: Vec<String>,
    /// Where it was written.
    pub source: Source,
}

/// A type as used by a field, parameter, result, alias or constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `i128`
    I128,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `u128`
    U128,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `string`
    String,
    /// `bytes`; `list<u8>` is another spelling of it.
    Bytes,
    /// `timestamp`
    Timestamp,
    /// `duration`
    Duration,
    /// `uuid`
    Uuid,
    /// `decimal`
    Decimal,
    /// `any`
    Any,
    /// `T?`; never nested in itself.
    Optional(Box<Type>),
    /// `list<T>`
    List(Box<Type>),
    /// `set<T>`
    Set(Box<Type>),
    /// `map<K, V>`
    Map(Box<Type>, Box<Type>),
    /// `array<T, N>`
    Array(Box<Type>, u32),
    /// A type of this model.
    Named(TypeId),
    /// `handle<Service>`: an object by reference, by the full name of its service. Only a whole parameter or result,
    /// or the inside of its `T?`.
    Handle(Arc<str>),
    /// A Rust type that only the trait door knows, by the text of its path. It has no shape here.
    Foreign(String),
}

/// A literal after name resolution.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true`, `false`
    Bool(bool),
    /// Any integer type.
    Int(i128),
    /// `u128` above `i128::MAX`.
    BigUint(u128),
    /// `f32`, `f64`
    Float(f64),
    /// `string`, `decimal`, `uuid` (canonical text)
    String(String),
    /// `duration`, in nanoseconds.
    Duration(i64),
    /// `timestamp`: seconds since 1970-01-01T00:00:00Z and nanoseconds.
    Timestamp(i64, u32),
    /// `bytes`
    Bytes(Vec<u8>),
    /// `list`, `set`, `array`
    List(Vec<Value>),
    /// `map`
    Map(Vec<(Value, Value)>),
    /// A value of an enum, by its number.
    Enum(TypeId, i64),
    /// Absent, for `T?`; only written as a default by generators, never in source.
    None,
}

/// A rule on a value, checked by the generated `validate()`.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// `@len(min, max)`: characters of a string, bytes of `bytes`.
    Len {
        /// Least length.
        min: Option<u64>,
        /// Greatest length.
        max: Option<u64>,
    },
    /// `@range(min, max)`: bounds of a number, duration or timestamp, inclusive.
    Range {
        /// Least value.
        min: Option<Value>,
        /// Greatest value.
        max: Option<Value>,
    },
    /// `@pattern("…")`: a regular expression that the whole string must match; see docs/idl.md for the dialect.
    Pattern(String),
    /// `@items(min, max, unique)`: elements of a list, set, array or map.
    Items {
        /// Fewest elements.
        min: Option<u64>,
        /// Most elements.
        max: Option<u64>,
        /// No two equal.
        unique: bool,
    },
}

/// An annotation as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// Name; for custom ones the full dotted name.
    pub name: Arc<str>,
    /// Arguments: the name (empty for a positional one) and the value.
    pub args: Box<[(Arc<str>, AnnotationValue)]>,
}

/// An argument of an annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum AnnotationValue {
    /// A literal.
    Literal(Value),
    /// A bare word, such as `not_found`.
    Word(Arc<str>),
    /// A list.
    List(Vec<AnnotationValue>),
}

/// `@deprecated("note", since = "1.3")`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deprecated {
    /// What to use instead.
    pub note: Option<String>,
    /// Version of the definition in which it became deprecated.
    pub since: Option<String>,
}

/// A doc comment: its text without the `///`, lines joined by `\n`. Takes no part in comparisons of models.
#[derive(Clone, Default)]
pub struct Docs(pub Box<str>);

/// Where something was written, for documentation. Takes no part in comparisons of models.
#[derive(Clone, Default)]
pub struct Source {
    /// Path relative to the root that was searched, with `/`; empty in the trait door. All definitions of a file share it.
    pub file: Arc<String>,
    /// 1-based line; 0 when unknown.
    pub line: u32,
}

impl Model {
    /// The type with this ID.
    pub fn ty(&self, id: TypeId) -> &TypeDef {
        &self.types[id.0 as usize]
    }

    /// The service with this ID.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0 as usize]
    }

    /// Follows aliases until something else is reached; `T?` and containers are not looked into.
    pub fn resolve<'a>(&'a self, ty: &'a Type) -> &'a Type {
        let mut ty = ty;
        while let Type::Named(id) = ty {
            let TypeKind::Alias(target) = &self.ty(*id).kind else {
                break;
            };
            ty = target;
        }
        ty
    }

    /// Every method that a service answers: its own first, then those of the services it extends, depth first,
    /// each once, with the service that declares it.
    pub fn all_methods(&self, service: ServiceId) -> Vec<(ServiceId, &Method)> {
        let mut seen = Vec::new();
        let mut found = Vec::new();
        self.collect_methods(service, &mut seen, &mut found);
        found
    }

    fn collect_methods<'a>(
        &'a self,
        id: ServiceId,
        seen: &mut Vec<ServiceId>,
        found: &mut Vec<(ServiceId, &'a Method)>,
    ) {
        if seen.contains(&id) {
            return;
        }
        seen.push(id);
        found.extend(self.service(id).methods.iter().map(|method| (id, method)));
        for parent in &self.service(id).extends {
            self.collect_methods(*parent, seen, found);
        }
    }
}

impl TypeDef {
    /// `package.Name`, or the bare name without a package.
    pub fn full_name(&self) -> String {
        full_name(&self.package, &self.name)
    }
}

impl Service {
    /// `package.Name`, or the bare name without a package.
    pub fn full_name(&self) -> String {
        full_name(&self.package, &self.name)
    }
}

impl Const {
    /// `package.NAME`.
    pub fn full_name(&self) -> String {
        full_name(&self.package, &self.name)
    }
}

impl Method {
    /// Whether it streams, and in which direction.
    pub fn kind(&self) -> MethodKind {
        match (self.stream_in.is_some(), self.stream_out) {
            (false, false) => MethodKind::Unary,
            (true, false) => MethodKind::ClientStream,
            (false, true) => MethodKind::ServerStream,
            (true, true) => MethodKind::BidiStream,
        }
    }
}

impl PartialEq for Docs {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Docs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Joins a package and a name.
pub fn full_name(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}
