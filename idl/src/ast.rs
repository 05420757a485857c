//! The syntax tree of one file: small nodes that point into the text by byte spans.
//!
//! Names and literals are spans, not strings: a file of 16 MiB makes a tree about as large, and nothing is copied
//! until the model is built. Comments are kept in a side table ([`File::comments`]), sorted, for whoever prints
//! the file again.

use crate::source::{FileId, Span};

/// One file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Which file the spans are in.
    pub id: FileId,
    /// The `package` line.
    pub package: Option<Package>,
    /// The `import` lines.
    pub imports: Vec<Import>,
    /// Definitions, as written.
    pub items: Vec<Item>,
    /// Names of definitions that could not be read; references to them are not reported again.
    pub broken: Vec<Span>,
    /// Plain comments, `//` and `/* */`, in the order of the text. Doc comments are part of the tree.
    pub comments: Vec<Span>,
}

/// What stands before a definition or member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// Lines of the doc comment, each from its `///` on.
    pub docs: Box<[Span]>,
    /// Annotations.
    pub annotations: Box<[Annotation]>,
}

/// `package a.b.v1;`
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Docs and annotations.
    pub head: Head,
    /// The dotted name.
    pub path: Span,
}

/// `import a.b.v1 as x;`
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The whole line.
    pub span: Span,
    /// The package.
    pub path: Span,
    /// The name after `as`.
    pub alias: Option<Span>,
}

/// A definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Docs and annotations.
    pub head: Head,
    /// Its name; a dotted one for annotations.
    pub name: Span,
    /// What it is.
    pub kind: ItemKind,
}

/// The kinds of definitions.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `struct`
    Struct(Record),
    /// `enum`
    Enum(Enum),
    /// `union`
    Union(Union),
    /// `error`
    Error(Union),
    /// `service`
    Service(Service),
    /// `const A: T = v;`
    Const(TypeRef, Value),
    /// `type A = T;`
    Alias(TypeRef),
    /// `annotation a.b(…) on …;`
    Annotation(AnnotationDef),
}

/// The inside of a struct, or of a variant with fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Fields, as written.
    pub fields: Vec<Field>,
    /// What is reserved.
    pub reserved: Vec<Reserved>,
}

/// `1: name: type = default,`
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Docs and annotations.
    pub head: Head,
    /// The number.
    pub ordinal: Span,
    /// The name.
    pub name: Span,
    /// The type.
    pub ty: TypeRef,
    /// The default.
    pub default: Option<Box<Value>>,
}

/// The inside of an enum.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// `closed`
    pub closed: bool,
    /// The type after the colon.
    pub repr: Option<Span>,
    /// Values, as written.
    pub values: Vec<EnumValue>,
    /// What is reserved.
    pub reserved: Vec<Reserved>,
}

/// `1: Name,`
#[derive(Clone, Debug, PartialEq)]
pub struct EnumValue {
    /// Docs and annotations.
    pub head: Head,
    /// The number.
    pub number: Span,
    /// The name.
    pub name: Span,
}

/// The inside of a union or error.
#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// `closed`
    pub closed: bool,
    /// Variants, as written.
    pub variants: Vec<Variant>,
    /// What is reserved.
    pub reserved: Vec<Reserved>,
}

/// `1: Name(T),`
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Docs and annotations.
    pub head: Head,
    /// The number.
    pub ordinal: Span,
    /// The name.
    pub name: Span,
    /// What it carries.
    pub payload: Payload,
}

/// What a variant carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// Nothing.
    Unit,
    /// `(T)`
    Single(TypeRef),
    /// `{ 1: a: T }`
    Record(Record),
}

/// One entry of a `reserved` line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reserved {
    /// `3`
    Number(Span),
    /// `10..19` or `20..max`
    Range(Span),
    /// `"name"`
    Name(Span),
}

/// The inside of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Names after `extends`.
    pub extends: Vec<Span>,
    /// Methods, as written.
    pub methods: Vec<Method>,
    /// Strings of `reserved fn` lines.
    pub reserved: Vec<Span>,
}

/// One method.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Docs and annotations.
    pub head: Head,
    /// `oneway`
    pub oneway: Option<Span>,
    /// The name.
    pub name: Span,
    /// Parameters, as written.
    pub params: Vec<Param>,
    /// What follows `->`.
    pub result: Option<Flow>,
    /// What follows `throws`.
    pub throws: Option<Span>,
}

/// A type, or a stream of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Whether `stream` stands before it.
    pub stream: bool,
    /// The type.
    pub ty: TypeRef,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Docs and annotations.
    pub head: Head,
    /// The name.
    pub name: Span,
    /// Type or stream.
    pub flow: Flow,
    /// The default.
    pub default: Option<Box<Value>>,
}

/// Parameters and targets of a declared annotation.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationDef {
    /// Parameters, as written.
    pub params: Vec<Param>,
    /// Words after `on`.
    pub targets: Vec<Span>,
}

/// A type as written: `path<args>?`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeRef {
    /// All of it.
    pub span: Span,
    /// The name before the arguments.
    pub path: Span,
    /// What stands between `<` and `>`.
    pub args: Box<[TypeArg]>,
    /// Number of question marks.
    pub optional: u8,
}

/// An argument of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeArg {
    /// A type.
    Type(TypeRef),
    /// A number, the length of an array.
    Number(Span),
}

/// `@name(arguments)`
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// All of it.
    pub span: Span,
    /// The name without the `@`.
    pub name: Span,
    /// Arguments, as written.
    pub args: Box<[Argument]>,
}

/// `name = value`, or a value alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The name.
    pub name: Option<Span>,
    /// The value.
    pub value: Value,
}

/// A literal or name.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// All of it.
    pub span: Span,
    /// What it is.
    pub kind: ValueKind,
}

/// The kinds of values; the text of simple ones is the span.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueKind {
    /// `12`, `1_000`, `0xff`, `-3`
    Int,
    /// `1.5`, `2e9`
    Float,
    /// `2s`, `4MiB`
    Quantity,
    /// `"text"`
    String,
    /// `true`, `false`
    Bool(bool),
    /// `Status.Active`, `MAX`, `not_found`
    Name,
    /// `[…]`
    List(Vec<Value>),
    /// `{k: v}`
    Map(Vec<(Value, Value)>),
}
