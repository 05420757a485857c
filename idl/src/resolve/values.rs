//! Values against their types: defaults, constants, arguments.

use crate::ast::{File, ItemKind, Value as Written, ValueKind};
use crate::codes;
use crate::diagnostic::Draft;
use crate::model::{Type, TypeId, Value};
use crate::resolve::literal::{self, Int, Quantity};
use crate::resolve::names::{Found, ItemId, Scope, Shape, SymbolId};
use crate::resolve::types::int_range;
use crate::resolve::{Resolver, index};
use crate::source::{FileId, Place, Span};
use crate::suggest;

/// Constants may refer to each other over this many steps.
const MAX_CHAIN: usize = 64;

/// A constant on the way to its value.
pub(super) struct ConstState {
    file: FileId,
    name: Span,
    ty: Option<Type>,
    written: Option<Box<Written>>,
    value: Progress,
}

#[derive(Clone)]
enum Progress {
    New,
    Open,
    Done(Option<Value>),
}

impl<'t> Resolver<'t, '_> {
    /// Learns the types of all constants and the names of all enum values; values are found when they are needed.
    pub(super) fn constants(&mut self, files: &[File]) {
        let mut consts = Vec::new();
        self.each(files, |resolver, scope, item, id| match (&item.kind, id) {
            (ItemKind::Const(ty, value), ItemId::Const(id)) => {
                let state = ConstState {
                    file: scope.file,
                    name: item.name,
                    ty: resolver.type_of(scope, ty),
                    written: Some(Box::new(value.clone())),
                    value: Progress::New,
                };
                consts.push((id, state));
            }
            (ItemKind::Enum(body), ItemId::Type(id)) => {
                for value in &body.values {
                    let number = literal::small(value.number.of(scope.text));
                    if let Some(number) = number.and_then(|number| i64::try_from(number).ok()) {
                        let name = value.name.of(scope.text);
                        resolver.enum_values.entry((id, name)).or_insert(number);
                    }
                }
            }
            _ => {}
        });
        consts.sort_by_key(|(id, _)| *id);
        self.consts = consts.into_iter().map(|(_, state)| state).collect();
        self.const_defs = vec![None; self.consts.len()];
    }

    /// Type and value of a constant; `None` when it has none, which was reported.
    pub(super) fn const_value(&mut self, id: u32, asked_at: Place) -> Option<(Type, Value)> {
        let id = id as usize;
        let state = &mut self.consts[id];
        let ty = state.ty.clone()?;
        match state.value.clone() {
            Progress::Done(value) => return value.map(|value| (ty, value)),
            Progress::Open => {
                let name = state.name.of(&self.sources.get(state.file).text);
                let place = state.name.at(state.file);
                let message = format!("the constant `{name}` needs itself");
                let draft = Draft::new(codes::CONST_CYCLE, place, message);
                self.report(draft.also(asked_at, "needed here"));
                return None;
            }
            Progress::New => {}
        }
        state.value = Progress::Open;
        let file = state.file;
        let written = state.written.take()?;
        let scopes = std::rc::Rc::clone(&self.scopes);
        self.const_depth += 1;
        let value = if self.const_depth > MAX_CHAIN {
            let message = format!("constants refer to each other over more than {MAX_CHAIN} steps");
            self.report(Draft::new(codes::TOO_LONG, asked_at, message));
            None
        } else {
            self.value(&scopes[index(file)], &written, &ty)
        };
        self.const_depth -= 1;
        self.consts[id].value = Progress::Done(value.clone());
        value.map(|value| (ty, value))
    }

    /// The value, if it is one of the type; if not, that has been reported.
    pub(super) fn value(
        &mut self,
        scope: &Scope<'t>,
        written: &Written,
        ty: &Type,
    ) -> Option<Value> {
        let resolved = self.model.resolve(ty).clone();
        if let Type::Optional(inner) = &resolved {
            return self.value(scope, written, inner);
        }
        match (&written.kind, &resolved) {
            (_, Type::Any | Type::Foreign(_)) => self.no_literal(scope, written, ty),
            (_, Type::Named(id)) if self.names.types[id.0 as usize].shape != Shape::Enum => {
                self.no_literal(scope, written, ty)
            }
            (ValueKind::Name, _) => self.named_value(scope, written.span, ty, &resolved),
            (ValueKind::List(items), Type::List(item) | Type::Array(item, _) | Type::Set(item)) => {
                self.list_value(scope, written, items, item, &resolved)
            }
            (ValueKind::Map(entries), Type::Map(key, value)) => {
                self.map_value(scope, written, entries, key, value)
            }
            (ValueKind::List(_) | ValueKind::Map(_), _) | (_, Type::Named(_)) => {
                self.wrong_type(scope, written, ty)
            }
            _ => self.simple_value(scope, written, ty, &resolved),
        }
    }

    fn simple_value(
        &mut self,
        scope: &Scope<'t>,
        written: &Written,
        ty: &Type,
        resolved: &Type,
    ) -> Option<Value> {
        let text = written.span.of(scope.text);
        match (&written.kind, resolved) {
            (ValueKind::Bool(value), Type::Bool) => Some(Value::Bool(*value)),
            (ValueKind::Int, Type::F32 | Type::F64) | (ValueKind::Float, Type::F32 | Type::F64) => {
                self.float_value(scope, written, resolved)
            }
            (ValueKind::Int, _) if int_range(resolved).is_some() => {
                self.int_value(scope, written.span, literal::int(text), resolved)
            }
            (ValueKind::Quantity, _) => match literal::quantity(text) {
                None => self.bad_literal(scope, written.span, "the quantity does not fit"),
                Some(Quantity::Nanoseconds(nanos)) if *resolved == Type::Duration => {
                    self.duration_value(scope, written.span, nanos)
                }
                Some(Quantity::Bytes(bytes)) if int_range(resolved).is_some() => {
                    self.int_value(scope, written.span, Some(Int::Small(bytes)), resolved)
                }
                Some(_) => self.wrong_type(scope, written, ty),
            },
            (ValueKind::String, _) => self.text_value(scope, written, ty, resolved),
            (ValueKind::Int | ValueKind::Float, Type::Decimal) if literal::is_decimal(text) => {
                Some(Value::String(text.to_owned()))
            }
            _ => self.wrong_type(scope, written, ty),
        }
    }

    fn duration_value(&mut self, scope: &Scope<'t>, span: Span, nanos: i64) -> Option<Value> {
        if nanos >= 0 {
            return Some(Value::Duration(nanos));
        }
        let message = format!(
            "`{}` is negative, and a `duration` is not",
            span.of(scope.text)
        );
        let draft = Draft::new(codes::VALUE_RANGE, span.at(scope.file), message);
        self.report(
            draft.help("a span that may go back in time is an `i64` of a unit of your choice"),
        );
        None
    }

    fn float_value(&mut self, scope: &Scope<'t>, written: &Written, ty: &Type) -> Option<Value> {
        let text = written.span.of(scope.text);
        let value = match literal::int(text) {
            Some(Int::Small(value)) => Some(value as f64),
            Some(Int::Big(value)) => Some(value as f64),
            None => literal::float(text),
        };
        let fits = |value: &f64| *ty == Type::F64 || value.abs() <= f64::from(f32::MAX);
        match value.filter(fits) {
            Some(value) => Some(Value::Float(value)),
            None => {
                let message = format!("`{text}` does not fit `{}`", self.type_text(ty));
                let place = written.span.at(scope.file);
                self.report(Draft::new(codes::VALUE_RANGE, place, message));
                None
            }
        }
    }

    fn int_value(
        &mut self,
        scope: &Scope<'t>,
        span: Span,
        value: Option<Int>,
        ty: &Type,
    ) -> Option<Value> {
        let (least, greatest) = int_range(ty)?;
        match value {
            Some(Int::Small(value)) if (least..=greatest).contains(&value) => {
                Some(Value::Int(value))
            }
            Some(Int::Big(value)) if *ty == Type::U128 => Some(Value::BigUint(value)),
            _ => {
                let text = span.of(scope.text);
                let name = self.type_text(ty);
                let message = format!("`{text}` does not fit `{name}`");
                let mut draft = Draft::new(codes::VALUE_RANGE, span.at(scope.file), message);
                if *ty != Type::U128 {
                    draft = draft.help(format!("`{name}` goes from {least} to {greatest}"));
                }
                self.report(draft);
                None
            }
        }
    }

    fn text_value(
        &mut self,
        scope: &Scope<'t>,
        written: &Written,
        ty: &Type,
        resolved: &Type,
    ) -> Option<Value> {
        let text = self.text(scope, written.span)?;
        let (value, help) = match resolved {
            Type::String => return Some(Value::String(text)),
            Type::Bytes => return Some(Value::Bytes(text.into_bytes())),
            Type::Decimal => (
                literal::is_decimal(&text).then(|| Value::String(text.clone())),
                "a decimal is written like \"12.50\": no exponent, no leading zeros",
            ),
            Type::Uuid => (
                literal::uuid(&text).map(Value::String),
                "a UUID is written like \"67e55044-10b1-426f-9247-bb680e5fe0c8\"",
            ),
            Type::Timestamp => (
                literal::timestamp(&text).map(|(s, n)| Value::Timestamp(s, n)),
                "a timestamp is written like \"2026-01-31T12:00:00Z\"",
            ),
            _ => return self.wrong_type(scope, written, ty),
        };
        if value.is_none() {
            let message = format!("this is not a {}", self.type_text(resolved));
            let draft = Draft::new(codes::VALUE_TYPE, written.span.at(scope.file), message);
            self.report(draft.help(help));
        }
        value
    }

    /// The characters of a string literal.
    pub(super) fn text(&mut self, scope: &Scope<'t>, span: Span) -> Option<String> {
        match literal::string(span.of(scope.text)) {
            Ok(text) => Some(text),
            Err((at, length)) => {
                let start = span.start as usize + at;
                let place = Span::new(start, (start + length).min(span.end as usize));
                let escape = place.of(scope.text).to_owned();
                let message = format!("there is no escape `{escape}`");
                let mut draft = Draft::new(codes::BAD_LITERAL, place.at(scope.file), message);
                draft = if escape.len() == 2 && !escape.ends_with('u') {
                    draft.suggest("write the backslash twice", place, format!("\\{escape}"))
                } else {
                    draft.help("escapes are `\\n \\r \\t \\0 \\\\ \\\"` and `\\u{e9}`")
                };
                self.report(draft);
                None
            }
        }
    }

    fn list_value(
        &mut self,
        scope: &Scope<'t>,
        written: &Written,
        items: &[Written],
        item: &Type,
        resolved: &Type,
    ) -> Option<Value> {
        let values: Vec<Option<Value>> = items
            .iter()
            .map(|value| self.value(scope, value, item))
            .collect();
        if let Type::Array(_, length) = resolved
            && *length as usize != items.len()
        {
            let message = format!(
                "{} elements do not fill {}",
                items.len(),
                self.type_text(resolved)
            );
            self.report(Draft::new(
                codes::VALUE_RANGE,
                written.span.at(scope.file),
                message,
            ));
            return None;
        }
        let values: Vec<Value> = values.into_iter().collect::<Option<_>>()?;
        if let Type::Set(_) = resolved {
            let spans = items.iter().map(|item| item.span);
            self.no_duplicates(scope, spans, &values)?;
        }
        Some(Value::List(values))
    }

    fn map_value(
        &mut self,
        scope: &Scope<'t>,
        written: &Written,
        entries: &[(Written, Written)],
        key: &Type,
        value: &Type,
    ) -> Option<Value> {
        let _ = written;
        let pairs: Vec<Option<(Value, Value)>> = entries
            .iter()
            .map(|(k, v)| {
                let (k, v) = (self.value(scope, k, key), self.value(scope, v, value));
                Some((k?, v?))
            })
            .collect();
        let pairs: Vec<(Value, Value)> = pairs.into_iter().collect::<Option<_>>()?;
        let keys: Vec<Value> = pairs.iter().map(|(key, _)| key.clone()).collect();
        self.no_duplicates(scope, entries.iter().map(|(key, _)| key.span), &keys)?;
        Some(Value::Map(pairs))
    }

    /// Values of sets and keys of maps have no floats in them, so that their text tells them apart.
    fn no_duplicates(
        &mut self,
        scope: &Scope<'t>,
        spans: impl Iterator<Item = Span>,
        values: &[Value],
    ) -> Option<()> {
        let mut seen = std::collections::HashMap::new();
        for (span, value) in spans.zip(values) {
            if let Some(first) = seen.insert(format!("{value:?}"), span) {
                let place = span.at(scope.file);
                let message = format!("`{}` stands twice", span.of(scope.text));
                let draft = Draft::new(codes::DUPLICATE_ELEMENT, place, message);
                self.report(draft.also(first.at(scope.file), "the first one"));
                return None;
            }
        }
        Some(())
    }

    fn named_value(
        &mut self,
        scope: &Scope<'t>,
        span: Span,
        ty: &Type,
        resolved: &Type,
    ) -> Option<Value> {
        let path = span.of(scope.text);
        let place = span.at(scope.file);
        if let Some((qualifier, name)) = path.rsplit_once('.')
            && let Found::Symbol(symbol) = self.names.find(scope, qualifier)
            && let SymbolId::Item(ItemId::Type(id)) = symbol.id
        {
            return self.enum_value(scope, span, id, name, resolved, ty);
        }
        match self.names.find(scope, path) {
            Found::Symbol(symbol) => match symbol.id {
                SymbolId::Item(ItemId::Const(id)) => {
                    let (const_ty, value) = self.const_value(id, place)?;
                    let value = fit(value, self.model.resolve(&const_ty), resolved);
                    if value.is_none() {
                        let (have, want) = (self.type_text(&const_ty), self.type_text(ty));
                        let message = format!("`{path}` is a `{have}` that does not fit `{want}`");
                        let draft = Draft::new(codes::VALUE_TYPE, place, message);
                        self.report(draft.also(symbol.place, "defined here"));
                    }
                    value
                }
                SymbolId::Broken => None,
                SymbolId::Item(_) => {
                    let message = format!("`{path}` is not a constant");
                    let draft = Draft::new(codes::VALUE_TYPE, place, message);
                    self.report(draft.also(symbol.place, "defined here"));
                    None
                }
            },
            Found::NotImported(package) => {
                self.not_imported(scope, span, package);
                None
            }
            found => {
                self.unknown_value(scope, span, resolved, &found);
                None
            }
        }
    }

    fn enum_value(
        &mut self,
        scope: &Scope<'t>,
        span: Span,
        id: TypeId,
        name: &str,
        resolved: &Type,
        ty: &Type,
    ) -> Option<Value> {
        let place = span.at(scope.file);
        let id = match self.model.resolve(&Type::Named(id)) {
            Type::Named(id) => *id,
            _ => id,
        };
        let declared = self.names.types[id.0 as usize];
        if *resolved != Type::Named(id) {
            let message = format!(
                "a value of `{}` is not a `{}`",
                declared.name,
                self.type_text(ty)
            );
            self.report(Draft::new(codes::VALUE_TYPE, place, message));
            return None;
        }
        if let Some(number) = self.enum_values.get(&(id, name)) {
            return Some(Value::Enum(id, *number));
        }
        let message = format!("`{}` has no value `{name}`", declared.name);
        let mut draft = Draft::new(codes::UNKNOWN_VALUE, place, message)
            .also(declared.place, "the enum is defined here");
        if !self.sink.is_full() {
            let keys = self.enum_values.keys().filter(|(owner, _)| *owner == id);
            if let Some(near) = suggest::nearest(name, keys.map(|(_, name)| *name)) {
                let path = span.of(scope.text);
                let fixed = format!("{}{near}", &path[..path.len() - name.len()]);
                draft = draft.suggest(format!("did you mean `{fixed}`?"), span, fixed);
            }
        }
        self.report(draft);
        None
    }

    fn unknown_value(&mut self, scope: &Scope<'t>, span: Span, resolved: &Type, found: &Found) {
        let path = span.of(scope.text);
        if let Some((qualifier, _)) = path.rsplit_once('.')
            && self.is_unknown_import(scope, qualifier.split('.').next().unwrap_or(""))
        {
            return;
        }
        let message = format!("there is no constant `{path}`");
        let mut draft = Draft::new(codes::UNKNOWN_VALUE, span.at(scope.file), message);
        if let Some(help) = elsewhere(path) {
            return self.report(draft.help(help));
        }
        if let Type::Named(id) = resolved
            && self.enum_values.contains_key(&(*id, path))
        {
            let fixed = format!("{}.{path}", self.names.types[id.0 as usize].name);
            draft = draft.suggest(
                "values are written with the name of their enum",
                span,
                fixed,
            );
        } else if let Found::NoName(package) = found
            && !self.sink.is_full()
        {
            let is_const = |id| matches!(id, SymbolId::Item(ItemId::Const(_)));
            if let Some(near) = self.names.nearest(scope, path, *package, is_const) {
                draft = draft.suggest(format!("did you mean `{near}`?"), span, near);
            }
        }
        self.report(draft);
    }

    fn no_literal(&mut self, scope: &Scope<'t>, written: &Written, ty: &Type) -> Option<Value> {
        let message = format!("no value can be written for `{}`", self.type_text(ty));
        let draft = Draft::new(codes::NO_LITERAL, written.span.at(scope.file), message);
        self.report(draft.help("make it optional with `?` to let it be absent"));
        None
    }

    fn wrong_type(&mut self, scope: &Scope<'t>, written: &Written, ty: &Type) -> Option<Value> {
        let want = self.type_text(ty);
        let message = format!("expected a value of `{want}`, found {}", kind_word(written));
        let mut draft = Draft::new(codes::VALUE_TYPE, written.span.at(scope.file), message);
        let text = written.span.of(scope.text);
        draft = match (self.model.resolve(ty), &written.kind) {
            (Type::Duration, ValueKind::Int) => draft.suggest(
                "write a unit, such as seconds",
                written.span,
                format!("{text}s"),
            ),
            (Type::String, ValueKind::Int | ValueKind::Float) => {
                draft.suggest("write it in quotes", written.span, format!("\"{text}\""))
            }
            (Type::Named(id), _) => {
                let name = self.names.types[id.0 as usize].name;
                let values = self
                    .enum_values
                    .iter()
                    .filter(|((owner, _), _)| owner == id);
                let least = values.min_by_key(|(_, number)| **number);
                let value = least.map_or("Name", |((_, value), _)| *value);
                draft.help(format!(
                    "write a value of the enum, such as `{name}.{value}`"
                ))
            }
            _ => draft,
        };
        self.report(draft);
        None
    }

    fn bad_literal(&mut self, scope: &Scope<'t>, span: Span, message: &str) -> Option<Value> {
        self.report(Draft::new(codes::BAD_LITERAL, span.at(scope.file), message));
        None
    }
}

/// What other languages call a value.
fn elsewhere(path: &str) -> Option<&'static str> {
    Some(match path {
        "null" | "nil" | "None" | "none" | "undefined" => {
            "an optional field without a default is absent until it is set; leave the default out"
        }
        "True" | "TRUE" | "yes" => "write `true`",
        "False" | "FALSE" | "no" => "write `false`",
        _ => return None,
    })
}

/// What a value looks like.
pub(super) fn kind_word(written: &Written) -> &'static str {
    match written.kind {
        ValueKind::Int => "an integer",
        ValueKind::Float => "a float",
        ValueKind::Quantity => "a quantity",
        ValueKind::String => "a string",
        ValueKind::Bool(_) => "a bool",
        ValueKind::Name => "a name",
        ValueKind::List(_) => "a list",
        ValueKind::Map(_) => "a map",
    }
}

/// The value of a constant where another type is wanted: the same type, or a number that fits.
fn fit(value: Value, have: &Type, want: &Type) -> Option<Value> {
    if have == want {
        return Some(value);
    }
    match (value, want) {
        (Value::Int(number), _) if int_range(want).is_some() => {
            let (least, greatest) = int_range(want)?;
            (least..=greatest)
                .contains(&number)
                .then_some(Value::Int(number))
        }
        (Value::Int(number), Type::F32 | Type::F64) => Some(Value::Float(number as f64)),
        (Value::Float(number), Type::F64) => Some(Value::Float(number)),
        _ => None,
    }
}
