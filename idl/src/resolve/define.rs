//! Structs, enums, unions, errors, aliases, constants and packages of the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::{self, File, Item};
use crate::check::members::{self, Numbers};
use crate::codes;
use crate::diagnostic::Draft;
use crate::model::{
    Annotation, Const, Docs, Enum, EnumValue, Field, Package, Payload, Reserved, Retryable, Struct,
    Type, TypeDef, TypeId, TypeKind, Union, Value, Variant,
};
use crate::resolve::annotate::Notes;
use crate::resolve::names::Scope;
use crate::resolve::types::{int_range, scalar};
use crate::resolve::{Resolver, index, known, literal};
use crate::source::Span;

/// Highest ordinal of a field or variant.
const MAX_ORDINAL: i128 = 4096;

impl<'t> Resolver<'t, '_> {
    /// Packages with the docs and annotations of all their files.
    pub(super) fn packages(&mut self, files: &[File]) {
        let mut packages: BTreeMap<&str, (String, Vec<Annotation>)> = BTreeMap::new();
        let scopes = std::rc::Rc::clone(&self.scopes);
        for file in files {
            let scope = &scopes[index(file.id)];
            let Some(line) = &file.package else {
                continue;
            };
            let name = self.names.packages[scope.package].name;
            let docs = self.docs(scope, &line.head.docs);
            let notes = self.notes(scope, &line.head, known::PACKAGE);
            let (all_docs, annotations) = packages.entry(name).or_default();
            if !docs.0.is_empty() && !all_docs.is_empty() {
                all_docs.push('\n');
            }
            all_docs.push_str(&docs.0);
            for annotation in notes.list {
                if !annotations.contains(&annotation) {
                    annotations.push(annotation);
                }
            }
        }
        let made = packages.into_iter().map(|(name, (docs, mut annotations))| {
            // The order of files is chance.
            annotations.sort_by_cached_key(|annotation| format!("{annotation:?}"));
            Package {
                name: self.shared(name),
                docs: Docs(docs.into()),
                annotations: annotations.into(),
            }
        });
        self.model.packages = made.collect();
    }

    fn define(&mut self, scope: &Scope<'t>, item: &Item, id: TypeId, target: u32, kind: TypeKind) {
        let notes = self.notes(scope, &item.head, target);
        let placeholder = self.model.ty(id);
        let def = TypeDef {
            package: Arc::clone(&placeholder.package),
            name: Arc::clone(&placeholder.name),
            docs: self.docs(scope, &item.head.docs),
            deprecated: notes.deprecated(),
            annotations: notes.list.into(),
            source: self.source(scope, item.name),
            kind,
        };
        self.model.types[id.0 as usize] = def;
    }

    pub(super) fn define_alias(&mut self, scope: &Scope<'t>, item: &Item, id: TypeId) {
        let kind = self.model.ty(id).kind.clone();
        self.define(scope, item, id, known::TYPE, kind);
    }

    pub(super) fn define_const(&mut self, scope: &Scope<'t>, item: &Item, id: u32) {
        let notes = self.notes(scope, &item.head, known::CONST);
        let Some((ty, value)) = self.const_value(id, item.name.at(scope.file)) else {
            return;
        };
        let def = Const {
            package: self.package_name(scope),
            name: item.name.of(scope.text).into(),
            docs: self.docs(scope, &item.head.docs),
            ty,
            value,
            deprecated: notes.deprecated(),
            annotations: notes.list.into(),
            source: self.source(scope, item.name),
        };
        self.const_defs[id as usize] = Some(def);
    }

    pub(super) fn define_struct(
        &mut self,
        scope: &Scope<'t>,
        item: &Item,
        id: TypeId,
        body: &ast::Record,
    ) {
        let record = self.record(scope, body);
        self.define(scope, item, id, known::STRUCT, TypeKind::Struct(record));
    }

    fn record(&mut self, scope: &Scope<'t>, body: &ast::Record) -> Struct {
        let reserved = self.reserved(scope, &body.reserved);
        let names: Vec<Span> = body.fields.iter().map(|field| field.name).collect();
        let mut bad = members::names(scope, &names, "field", &reserved, self.sink);
        let numbers: Vec<_> = body
            .fields
            .iter()
            .map(|field| self.ordinal(scope, field.ordinal))
            .collect();
        self.numbers(
            scope,
            &body.fields,
            |field| (field.ordinal, field.name),
            &numbers,
            &reserved,
            &mut bad,
        );
        let mut fields = Vec::with_capacity(body.fields.len());
        for (at, field) in body.fields.iter().enumerate() {
            let made = self.field(scope, field, numbers[at]);
            if let Some(made) = made.filter(|_| !bad.contains(&at)) {
                fields.push(made);
            }
        }
        fields.sort_by_key(|field| field.ordinal);
        Struct {
            fields: fields.into(),
            reserved,
        }
    }

    fn field(
        &mut self,
        scope: &Scope<'t>,
        field: &ast::Field,
        ordinal: Option<i64>,
    ) -> Option<Field> {
        let ty = self.type_of(scope, &field.ty);
        let notes = self.notes(scope, &field.head, known::FIELD);
        let ty = ty?;
        let constraints = self.constraints(scope, &notes, &ty);
        let written = field.default.as_deref();
        let default = self.default(scope, written, &ty)?;
        self.default_keeps(scope, &constraints, default.as_ref(), written);
        Some(Field {
            ordinal: u32::try_from(ordinal?).ok()?,
            name: self.shared(field.name.of(scope.text)),
            docs: self.docs(scope, &field.head.docs),
            ty,
            default: default.map(Box::new),
            constraints: constraints.into(),
            sensitive: notes.has("sensitive"),
            deprecated: notes.deprecated(),
            annotations: notes.list.into(),
            source: self.source(scope, field.name),
        })
    }

    /// The outer option is empty when the default is wrong.
    pub(super) fn default(
        &mut self,
        scope: &Scope<'t>,
        written: Option<&ast::Value>,
        ty: &Type,
    ) -> Option<Option<Value>> {
        match written {
            None => Some(None),
            Some(written) => self.value(scope, written, ty).map(Some),
        }
    }

    /// An ordinal from 1 to 4096.
    fn ordinal(&mut self, scope: &Scope<'t>, span: Span) -> Option<i64> {
        let text = span.of(scope.text);
        let number = literal::small(text).unwrap_or(i128::MAX);
        if (1..=MAX_ORDINAL).contains(&number) {
            return i64::try_from(number).ok();
        }
        let message = format!("the ordinal {text} is out of range");
        let draft = Draft::new(codes::ORDINAL_RANGE, span.at(scope.file), message);
        self.report(draft.help(format!("ordinals go from 1 to {MAX_ORDINAL}")));
        None
    }

    /// Duplicate and reserved numbers; the members at fault join `bad`.
    fn numbers<T>(
        &mut self,
        scope: &Scope<'t>,
        list: &[T],
        spans: impl Fn(&T) -> (Span, Span),
        numbers: &[Option<i64>],
        reserved: &Reserved,
        bad: &mut members::Bad,
    ) {
        let pairs = list.iter().map(spans).collect();
        let check = Numbers {
            scope,
            spans: pairs,
            numbers,
            reserved,
        };
        check.run(bad, self.sink);
    }

    fn reserved(&mut self, scope: &Scope<'t>, written: &[ast::Reserved]) -> Arc<Reserved> {
        if written.is_empty() {
            return Arc::clone(&self.nothing_reserved);
        }
        let (mut ranges, mut names) = (Vec::new(), Vec::new());
        for entry in written {
            match entry {
                ast::Reserved::Name(span) => names.extend(self.text(scope, *span).map(Arc::from)),
                ast::Reserved::Number(span) => {
                    let number = self.reserved_number(scope, *span, span.of(scope.text));
                    ranges.extend(number.map(|number| (number, number)));
                }
                ast::Reserved::Range(span) => {
                    let text = span.of(scope.text);
                    let (from, to) = text.split_once("..").unwrap_or((text, text));
                    let from = self.reserved_number(scope, *span, from);
                    let to = match to {
                        "max" => Some(i64::MAX),
                        to => self.reserved_number(scope, *span, to),
                    };
                    match (from, to) {
                        (Some(from), Some(to)) if from <= to => ranges.push((from, to)),
                        (Some(_), Some(_)) => {
                            let message = format!("the range {text} is empty");
                            let place = span.at(scope.file);
                            let draft = Draft::new(codes::BAD_RESERVED, place, message);
                            self.report(draft.help("write the smaller number first"));
                        }
                        _ => {}
                    }
                }
            }
        }
        ranges.sort_unstable();
        names.sort_unstable();
        Arc::new(Reserved {
            ranges: ranges.into(),
            names: names.into(),
        })
    }

    fn reserved_number(&mut self, scope: &Scope<'t>, span: Span, text: &str) -> Option<i64> {
        let number = literal::small(text).and_then(|number| i64::try_from(number).ok());
        if number.is_none() {
            let message = format!("{text} is larger than any number in use");
            let draft = Draft::new(codes::BAD_LITERAL, span.at(scope.file), message);
            self.report(draft.help("`max` stands for the greatest"));
        }
        number
    }

    pub(super) fn define_enum(
        &mut self,
        scope: &Scope<'t>,
        item: &Item,
        id: TypeId,
        body: &ast::Enum,
    ) {
        let repr = self.repr(scope, body.repr);
        let reserved = self.reserved(scope, &body.reserved);
        self.not_empty(scope, item, body.values.is_empty(), "enum", "values");
        let names: Vec<Span> = body.values.iter().map(|value| value.name).collect();
        let mut bad = members::names(scope, &names, "value", &reserved, self.sink);
        let numbers: Vec<_> = body
            .values
            .iter()
            .map(|value| self.enum_number(scope, value.number, &repr))
            .collect();
        self.numbers(
            scope,
            &body.values,
            |value| (value.number, value.name),
            &numbers,
            &reserved,
            &mut bad,
        );
        let mut values = Vec::with_capacity(body.values.len());
        for (at, value) in body.values.iter().enumerate() {
            let notes = self.notes(scope, &value.head, known::VALUE);
            let Some(number) = numbers[at].filter(|_| !bad.contains(&at)) else {
                continue;
            };
            values.push(EnumValue {
                number,
                name: self.shared(value.name.of(scope.text)),
                docs: self.docs(scope, &value.head.docs),
                deprecated: notes.deprecated(),
                annotations: notes.list.into(),
                source: self.source(scope, value.name),
            });
        }
        values.sort_by_key(|value| value.number);
        let definition = Enum {
            closed: body.closed,
            repr,
            values: values.into(),
            reserved,
        };
        self.define(scope, item, id, known::ENUM, TypeKind::Enum(definition));
    }

    fn repr(&mut self, scope: &Scope<'t>, written: Option<Span>) -> Type {
        let Some(span) = written else {
            return Type::I32;
        };
        let found = scalar(span.of(scope.text))
            .filter(|ty| int_range(ty).is_some() && !matches!(ty, Type::I128 | Type::U128));
        found.unwrap_or_else(|| {
            let message = format!("`{}` cannot carry an enum", span.of(scope.text));
            let draft = Draft::new(codes::ENUM_REPR, span.at(scope.file), message);
            self.report(draft.help("write `i8`, `i16`, `i32`, `i64`, `u8`, `u16`, `u32` or `u64`"));
            Type::I64
        })
    }

    fn enum_number(&mut self, scope: &Scope<'t>, span: Span, repr: &Type) -> Option<i64> {
        let text = span.of(scope.text);
        let (least, greatest) = int_range(repr)?;
        let greatest = greatest.min(i64::MAX.into());
        let number = literal::small(text).unwrap_or(i128::MAX);
        if (least..=greatest).contains(&number) {
            return i64::try_from(number).ok();
        }
        let repr = self.type_text(repr);
        let message = format!("{text} does not fit an enum of `{repr}`");
        let draft = Draft::new(codes::ENUM_RANGE, span.at(scope.file), message);
        self.report(draft.help(format!("numbers go from {least} to {greatest} here")));
        None
    }

    fn not_empty(&mut self, scope: &Scope<'t>, item: &Item, is_empty: bool, word: &str, of: &str) {
        if is_empty && !self.unsound.contains(&scope.file) {
            let name = item.name.of(scope.text);
            let message = format!("the {word} `{name}` has no {of}");
            let draft = Draft::new(codes::NO_MEMBERS, item.name.at(scope.file), message);
            self.report(draft.help("nothing could ever be sent as one; add at least one"));
        }
    }

    pub(super) fn define_union(
        &mut self,
        scope: &Scope<'t>,
        item: &Item,
        id: TypeId,
        body: &ast::Union,
        is_error: bool,
    ) {
        let (word, target, member_target) = if is_error {
            ("error", known::ERROR, known::ERROR_VARIANT)
        } else {
            ("union", known::UNION, known::UNION_VARIANT)
        };
        let reserved = self.reserved(scope, &body.reserved);
        self.not_empty(scope, item, body.variants.is_empty(), word, "variants");
        let names: Vec<Span> = body.variants.iter().map(|variant| variant.name).collect();
        let mut bad = members::names(scope, &names, "variant", &reserved, self.sink);
        let numbers: Vec<_> = body
            .variants
            .iter()
            .map(|variant| self.ordinal(scope, variant.ordinal))
            .collect();
        self.numbers(
            scope,
            &body.variants,
            |variant| (variant.ordinal, variant.name),
            &numbers,
            &reserved,
            &mut bad,
        );
        let mut variants = Vec::with_capacity(body.variants.len());
        for (at, variant) in body.variants.iter().enumerate() {
            let made = self.variant(scope, variant, numbers[at], member_target);
            if let Some(made) = made.filter(|_| !bad.contains(&at)) {
                variants.push(made);
            }
        }
        variants.sort_by_key(|variant| variant.ordinal);
        let union = Union {
            closed: body.closed,
            variants: variants.into(),
            reserved,
        };
        let kind = if is_error {
            TypeKind::Error(union)
        } else {
            TypeKind::Union(union)
        };
        self.define(scope, item, id, target, kind);
    }

    fn variant(
        &mut self,
        scope: &Scope<'t>,
        variant: &ast::Variant,
        ordinal: Option<i64>,
        target: u32,
    ) -> Option<Variant> {
        let payload = match &variant.payload {
            ast::Payload::Unit => Some(Payload::Unit),
            ast::Payload::Single(ty) => self.type_of(scope, ty).map(Payload::Single),
            ast::Payload::Record(body) => Some(Payload::Fields(Box::new(self.record(scope, body)))),
        };
        let notes = self.notes(scope, &variant.head, target);
        let payload = payload?;
        let retryable = self.retryable(scope, &notes, &payload);
        Some(Variant {
            ordinal: u32::try_from(ordinal?).ok()?,
            name: self.shared(variant.name.of(scope.text)),
            docs: self.docs(scope, &variant.head.docs),
            payload,
            status: notes
                .text("status", "code")
                .map(|(code, _)| self.shared(&code)),
            retryable: retryable.map(Box::new),
            deprecated: notes.deprecated(),
            annotations: notes.list.into(),
            source: self.source(scope, variant.name),
        })
    }

    /// `@retryable(after = field)` names a duration of the variant.
    fn retryable(
        &mut self,
        scope: &Scope<'t>,
        notes: &Notes,
        payload: &Payload,
    ) -> Option<Retryable> {
        if !notes.has("retryable") {
            return None;
        }
        let Some((after, span)) = notes.text("retryable", "after") else {
            return Some(Retryable { after: None });
        };
        let fields: &[Field] = match payload {
            Payload::Fields(record) => &record.fields,
            _ => &[],
        };
        let field = fields.iter().find(|field| *field.name == *after);
        let fault = match field.map(|field| self.model.resolve(&field.ty)) {
            Some(Type::Duration) => None,
            Some(Type::Optional(inner)) if *self.model.resolve(inner) == Type::Duration => None,
            Some(_) => Some(format!("`{after}` is not a `duration`")),
            None => Some(format!("the variant has no field `{after}`")),
        };
        if let Some(message) = fault {
            let draft = Draft::new(codes::UNKNOWN_REFERENCE, span.at(scope.file), message);
            self.report(
                draft.help("`after` names the field, a `duration`, that says how long to wait"),
            );
            return Some(Retryable { after: None });
        }
        Some(Retryable {
            after: Some(self.shared(&after)),
        })
    }
}
