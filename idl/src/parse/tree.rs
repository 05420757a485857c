//! From pest's pairs to the syntax tree.

use pest::iterators::{Pair, Pairs};

use crate::ast::{
    Annotation, AnnotationDef, Argument, Enum, EnumValue, Field, Flow, Head, Import, Item,
    ItemKind, Method, Package, Param, Payload, Record, Reserved, Service, TypeArg, TypeRef, Union,
    Value, ValueKind, Variant,
};
use crate::grammar::Rule;
use crate::source::Span;

/// Builds nodes out of pairs that were read from the text at `base`.
#[derive(Clone, Copy)]
pub(crate) struct Builder {
    pub(crate) base: usize,
}

/// One member of a body.
pub(crate) enum Member {
    Field(Field),
    Value(EnumValue),
    Variant(Variant),
    Method(Method),
    Reserved(Vec<Reserved>),
    ReservedFn(Vec<Span>),
}

impl Builder {
    fn span(self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.base + span.start(), self.base + span.end())
    }

    /// The span of the first inner pair of a rule.
    fn spans_of(self, pairs: Pairs<'_, Rule>, rule: Rule) -> Vec<Span> {
        let wanted = pairs.filter(|pair| pair.as_rule() == rule);
        wanted.map(|pair| self.span(&pair)).collect()
    }

    pub(crate) fn package(self, pair: Pair<'_, Rule>) -> Package {
        let mut head = HeadBuilder::default();
        let mut path = self.span(&pair);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::path => path = self.span(&inner),
                _ => head.push(self, inner),
            }
        }
        Package {
            head: head.finish(),
            path,
        }
    }

    pub(crate) fn import(self, pair: Pair<'_, Rule>) -> Import {
        let span = self.span(&pair);
        let (mut path, mut alias) = (span, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::path => path = self.span(&inner),
                Rule::ident => alias = Some(self.span(&inner)),
                _ => {}
            }
        }
        Import { span, path, alias }
    }

    /// `item`, or `header` with an empty body.
    pub(crate) fn item(self, pair: Pair<'_, Rule>) -> Item {
        let mut head = HeadBuilder::default();
        let mut name = self.span(&pair);
        let mut kind = ItemKind::Struct(Record::default());
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::doc | Rule::anno => head.push(self, inner),
                Rule::const_d => (name, kind) = self.constant(inner),
                Rule::alias_d => (name, kind) = self.alias(inner),
                Rule::annotation_d => (name, kind) = self.annotation_def(inner),
                Rule::struct_h | Rule::enum_h | Rule::union_h | Rule::error_h | Rule::service_h => {
                    (name, kind) = self.header(inner)
                }
                _ => (name, kind) = self.body(inner),
            }
        }
        Item {
            head: head.finish(),
            name,
            kind,
        }
    }

    fn body(self, pair: Pair<'_, Rule>) -> (Span, ItemKind) {
        let mut inner = pair.into_inner();
        let Some(header) = inner.next() else {
            return (Span::default(), ItemKind::Struct(Record::default()));
        };
        let (name, mut kind) = self.header(header);
        for pair in inner {
            add_member(&mut kind, self.member(pair));
        }
        shrink(&mut kind);
        (name, kind)
    }

    fn header(self, pair: Pair<'_, Rule>) -> (Span, ItemKind) {
        let rule = pair.as_rule();
        let (mut name, mut closed, mut paths) = (self.span(&pair), false, Vec::new());
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::ident => name = self.span(&inner),
                Rule::path => paths.push(self.span(&inner)),
                Rule::KW_CLOSED => closed = true,
                _ => {}
            }
        }
        let union = || Union {
            closed,
            variants: Vec::new(),
            reserved: Vec::new(),
        };
        let kind = match rule {
            Rule::enum_h => ItemKind::Enum(Enum {
                closed,
                repr: paths.first().copied(),
                values: Vec::new(),
                reserved: Vec::new(),
            }),
            Rule::union_h => ItemKind::Union(union()),
            Rule::error_h => ItemKind::Error(union()),
            Rule::service_h => ItemKind::Service(Service {
                extends: paths,
                ..Service::default()
            }),
            _ => ItemKind::Struct(Record::default()),
        };
        (name, kind)
    }

    pub(crate) fn member(self, pair: Pair<'_, Rule>) -> Member {
        match pair.as_rule() {
            Rule::enum_v => Member::Value(self.enum_value(pair)),
            Rule::variant => Member::Variant(self.variant(pair)),
            Rule::method => Member::Method(self.method(pair)),
            Rule::reserved => Member::Reserved(self.reserved(pair)),
            Rule::reserved_fn => Member::ReservedFn(self.spans_of(pair.into_inner(), Rule::string)),
            _ => Member::Field(self.field(pair)),
        }
    }

    fn field(self, pair: Pair<'_, Rule>) -> Field {
        let span = self.span(&pair);
        let mut head = HeadBuilder::default();
        let (mut ordinal, mut name, mut ty, mut default) = (span, span, None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::int => ordinal = self.span(&inner),
                Rule::ident => name = self.span(&inner),
                Rule::type_ref => ty = Some(self.type_ref(inner)),
                Rule::value => default = Some(Box::new(self.value(inner))),
                _ => head.push(self, inner),
            }
        }
        Field {
            head: head.finish(),
            ordinal,
            name,
            ty: ty.unwrap_or_else(|| TypeRef::plain(span)),
            default,
        }
    }

    fn enum_value(self, pair: Pair<'_, Rule>) -> EnumValue {
        let mut head = HeadBuilder::default();
        let (mut number, mut name) = (self.span(&pair), self.span(&pair));
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::int => number = self.span(&inner),
                Rule::ident => name = self.span(&inner),
                _ => head.push(self, inner),
            }
        }
        EnumValue {
            head: head.finish(),
            number,
            name,
        }
    }

    pub(crate) fn variant(self, pair: Pair<'_, Rule>) -> Variant {
        let mut head = HeadBuilder::default();
        let (mut ordinal, mut name) = (self.span(&pair), self.span(&pair));
        let mut payload = Payload::Unit;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::int => ordinal = self.span(&inner),
                Rule::ident => name = self.span(&inner),
                Rule::single => {
                    let ty = inner.into_inner().next();
                    payload = ty.map_or(Payload::Unit, |ty| Payload::Single(self.type_ref(ty)));
                }
                Rule::record => payload = Payload::Record(self.record(inner)),
                _ => head.push(self, inner),
            }
        }
        Variant {
            head: head.finish(),
            ordinal,
            name,
            payload,
        }
    }

    fn record(self, pair: Pair<'_, Rule>) -> Record {
        let mut record = Record::default();
        for inner in pair.into_inner() {
            match self.member(inner) {
                Member::Field(field) => record.fields.push(field),
                Member::Reserved(more) => record.reserved.extend(more),
                _ => {}
            }
        }
        record.fields.shrink_to_fit();
        record
    }

    fn reserved(self, pair: Pair<'_, Rule>) -> Vec<Reserved> {
        let items = pair
            .into_inner()
            .filter_map(|item| item.into_inner().next());
        items
            .map(|item| match item.as_rule() {
                Rule::range => Reserved::Range(self.span(&item)),
                Rule::int => Reserved::Number(self.span(&item)),
                _ => Reserved::Name(self.span(&item)),
            })
            .collect()
    }

    fn method(self, pair: Pair<'_, Rule>) -> Method {
        let mut head = HeadBuilder::default();
        let mut method = Method {
            head: Head::default(),
            oneway: None,
            name: self.span(&pair),
            params: Vec::new(),
            result: None,
            throws: None,
        };
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::KW_ONEWAY => method.oneway = Some(self.span(&inner)),
                Rule::ident => method.name = self.span(&inner),
                Rule::params => method.params = self.params(inner),
                Rule::result => method.result = inner.into_inner().next().map(|f| self.flow(f)),
                Rule::throws => method.throws = Some(self.span(&inner)),
                _ => head.push(self, inner),
            }
        }
        method.head = head.finish();
        method
    }

    fn params(self, pair: Pair<'_, Rule>) -> Vec<Param> {
        let mut params: Vec<Param> = pair.into_inner().map(|param| self.param(param)).collect();
        params.shrink_to_fit();
        params
    }

    fn param(self, pair: Pair<'_, Rule>) -> Param {
        let span = self.span(&pair);
        let mut head = HeadBuilder::default();
        let (mut name, mut flow, mut default) = (span, None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::ident => name = self.span(&inner),
                Rule::stream_t | Rule::type_ref => flow = Some(self.flow(inner)),
                Rule::value => default = Some(Box::new(self.value(inner))),
                _ => head.push(self, inner),
            }
        }
        Param {
            head: head.finish(),
            name,
            flow: flow.unwrap_or_else(|| Flow {
                stream: false,
                ty: TypeRef::plain(span),
            }),
            default,
        }
    }

    /// `stream_t` or `type_ref`.
    fn flow(self, pair: Pair<'_, Rule>) -> Flow {
        let span = self.span(&pair);
        if pair.as_rule() == Rule::type_ref {
            let ty = self.type_ref(pair);
            return Flow { stream: false, ty };
        }
        let mut inner = pair.into_inner();
        let ty = inner.find(|pair| pair.as_rule() == Rule::type_ref);
        Flow {
            stream: true,
            ty: ty.map_or_else(|| TypeRef::plain(span), |ty| self.type_ref(ty)),
        }
    }

    pub(crate) fn type_ref(self, pair: Pair<'_, Rule>) -> TypeRef {
        let mut ty = TypeRef::plain(self.span(&pair));
        for inner in pair.into_inner() {
            // The pair itself may reach over blanks to where more could have been.
            ty.span.end = self.span(&inner).end;
            match inner.as_rule() {
                Rule::path => ty.path = self.span(&inner),
                Rule::type_args => ty.args = self.type_args(inner),
                _ => ty.optional = ty.optional.saturating_add(1),
            }
        }
        ty
    }

    fn type_args(self, pair: Pair<'_, Rule>) -> Box<[TypeArg]> {
        let args = pair.into_inner();
        args.map(|arg| match arg.as_rule() {
            Rule::int => TypeArg::Number(self.span(&arg)),
            _ => TypeArg::Type(self.type_ref(arg)),
        })
        .collect()
    }

    fn constant(self, pair: Pair<'_, Rule>) -> (Span, ItemKind) {
        let span = self.span(&pair);
        let (mut name, mut ty) = (span, TypeRef::plain(span));
        let mut value = Value {
            span,
            kind: ValueKind::Name,
        };
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::ident => name = self.span(&inner),
                Rule::type_ref => ty = self.type_ref(inner),
                Rule::value => value = self.value(inner),
                _ => {}
            }
        }
        (name, ItemKind::Const(ty, value))
    }

    fn alias(self, pair: Pair<'_, Rule>) -> (Span, ItemKind) {
        let span = self.span(&pair);
        let (mut name, mut ty) = (span, TypeRef::plain(span));
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::ident => name = self.span(&inner),
                Rule::type_ref => ty = self.type_ref(inner),
                _ => {}
            }
        }
        (name, ItemKind::Alias(ty))
    }

    fn annotation_def(self, pair: Pair<'_, Rule>) -> (Span, ItemKind) {
        let mut name = self.span(&pair);
        let (mut params, mut targets) = (Vec::new(), Vec::new());
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::path => name = self.span(&inner),
                Rule::params => params = self.params(inner),
                Rule::target => targets.push(self.span(&inner)),
                _ => {}
            }
        }
        (
            name,
            ItemKind::Annotation(AnnotationDef { params, targets }),
        )
    }

    fn annotation(self, pair: Pair<'_, Rule>) -> Annotation {
        let span = self.span(&pair);
        let (mut name, mut args, mut end) = (span, Box::default(), None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::path => name = self.span(&inner),
                _ => {
                    end = Some(self.span(&inner));
                    args = inner
                        .into_inner()
                        .filter_map(|arg| self.argument(arg))
                        .collect();
                }
            }
        }
        // The pair itself may reach over blanks to where the arguments could have been.
        let span = span.to(end.unwrap_or(name));
        Annotation { span, name, args }
    }

    fn argument(self, pair: Pair<'_, Rule>) -> Option<Argument> {
        let (mut name, mut value) = (None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::arg_name => name = Some(self.span(&inner)),
                _ => value = Some(self.value(inner)),
            }
        }
        value.map(|value| Argument { name, value })
    }

    pub(crate) fn value(self, pair: Pair<'_, Rule>) -> Value {
        let span = self.span(&pair);
        let inner = pair.into_inner().next();
        let kind = inner.map_or(ValueKind::Name, |inner| self.value_kind(inner));
        Value { span, kind }
    }

    fn value_kind(self, pair: Pair<'_, Rule>) -> ValueKind {
        match pair.as_rule() {
            Rule::int => ValueKind::Int,
            Rule::float => ValueKind::Float,
            Rule::quantity => ValueKind::Quantity,
            Rule::string => ValueKind::String,
            Rule::bool => ValueKind::Bool(pair.as_str() == "true"),
            Rule::list => ValueKind::List(pair.into_inner().map(|v| self.value(v)).collect()),
            Rule::map => {
                let entries = pair.into_inner().filter_map(|entry| {
                    let mut sides = entry.into_inner().map(|side| self.value(side));
                    Some((sides.next()?, sides.next()?))
                });
                ValueKind::Map(entries.collect())
            }
            _ => ValueKind::Name,
        }
    }
}

impl TypeRef {
    fn plain(span: Span) -> Self {
        Self {
            span,
            path: span,
            args: Box::default(),
            optional: 0,
        }
    }
}

/// Gives back what the lists of members hold in reserve; over a million lines that is half of the tree.
fn shrink(kind: &mut ItemKind) {
    match kind {
        ItemKind::Struct(body) => body.fields.shrink_to_fit(),
        ItemKind::Enum(body) => body.values.shrink_to_fit(),
        ItemKind::Union(body) | ItemKind::Error(body) => body.variants.shrink_to_fit(),
        ItemKind::Service(body) => body.methods.shrink_to_fit(),
        _ => {}
    }
}

/// Adds a member to a body; one that does not belong there cannot come out of the grammar.
pub(crate) fn add_member(kind: &mut ItemKind, member: Member) {
    match (kind, member) {
        (ItemKind::Struct(body), Member::Field(field)) => body.fields.push(field),
        (ItemKind::Struct(body), Member::Reserved(more)) => body.reserved.extend(more),
        (ItemKind::Enum(body), Member::Value(value)) => body.values.push(value),
        (ItemKind::Enum(body), Member::Reserved(more)) => body.reserved.extend(more),
        (ItemKind::Union(body) | ItemKind::Error(body), Member::Variant(variant)) => {
            body.variants.push(variant);
        }
        (ItemKind::Union(body) | ItemKind::Error(body), Member::Reserved(more)) => {
            body.reserved.extend(more);
        }
        (ItemKind::Service(body), Member::Method(method)) => body.methods.push(method),
        (ItemKind::Service(body), Member::ReservedFn(more)) => body.reserved.extend(more),
        _ => {}
    }
}

#[derive(Default)]
struct HeadBuilder {
    docs: Vec<Span>,
    annotations: Vec<Annotation>,
}

impl HeadBuilder {
    fn push(&mut self, builder: Builder, pair: Pair<'_, Rule>) {
        match pair.as_rule() {
            Rule::doc => self.docs.push(builder.span(&pair)),
            Rule::anno => self.annotations.push(builder.annotation(pair)),
            _ => {}
        }
    }

    fn finish(self) -> Head {
        Head {
            docs: self.docs.into_boxed_slice(),
            annotations: self.annotations.into_boxed_slice(),
        }
    }
}
