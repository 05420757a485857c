//! The rules that annotations put on values: `@len`, `@range`, `@pattern`, `@items`.

use crate::ast::Value as Written;
use crate::codes;
use crate::diagnostic::Draft;
use crate::model::{Constraint, Type, Value};
use crate::pattern;
use crate::resolve::Resolver;
use crate::resolve::annotate::{Arg, Notes, Read};
use crate::resolve::names::Scope;
use crate::resolve::types::int_range;
use crate::source::{Place, Span};

impl<'t> Resolver<'t, '_> {
    /// `@len`, `@range`, `@pattern`, `@items` of a field or parameter, in the order written.
    pub(super) fn constraints(
        &mut self,
        scope: &Scope<'t>,
        notes: &Notes,
        ty: &Type,
    ) -> Vec<Constraint> {
        let mut found = Vec::new();
        for read in &notes.known {
            let constraint = match read.known.name {
                "len" | "items" => self.bounds(scope, notes, read, ty),
                "range" => self.range(scope, read, ty),
                "pattern" => self.pattern(scope, notes, read, ty),
                _ => None,
            };
            found.extend(constraint);
        }
        found
    }

    /// A default that breaks the rules beside it would make every message that relies on it invalid.
    pub(super) fn default_keeps(
        &mut self,
        scope: &Scope<'t>,
        constraints: &[Constraint],
        default: Option<&Value>,
        written: Option<&Written>,
    ) {
        let (Some(default), Some(written)) = (default, written) else {
            return;
        };
        if let Some(broken) = constraints.iter().find(|rule| !keeps(rule, default)) {
            let rule = match broken {
                Constraint::Len { .. } => "len",
                Constraint::Range { .. } => "range",
                Constraint::Pattern(_) => "pattern",
                Constraint::Items { .. } => "items",
            };
            let place = written.span.at(scope.file);
            let message = format!("the default breaks the rule `@{rule}` beside it");
            self.report(Draft::new(codes::VALUE_RANGE, place, message));
        }
    }

    /// The type that a rule looks at.
    fn bare<'a>(&'a self, ty: &'a Type) -> &'a Type {
        match self.model.resolve(ty) {
            Type::Optional(inner) => self.model.resolve(inner),
            other => other,
        }
    }

    fn suits(
        &mut self,
        scope: &Scope<'t>,
        read: &Read,
        ty: &Type,
        good: bool,
        wanted: &str,
    ) -> bool {
        if !good {
            let name = read.known.name;
            let message = format!("`@{name}` does not suit `{}`", self.type_text(ty));
            let draft = Draft::new(codes::CONSTRAINT_TYPE, read.span.at(scope.file), message);
            self.report(draft.help(format!("it is for {wanted}")));
        }
        good
    }

    fn bounds(
        &mut self,
        scope: &Scope<'t>,
        notes: &Notes,
        read: &Read,
        ty: &Type,
    ) -> Option<Constraint> {
        let name = read.known.name;
        let is_len = name == "len";
        let bare = self.bare(ty);
        let (good, wanted) = if is_len {
            (
                matches!(bare, Type::String | Type::Bytes),
                "`string` and `bytes`",
            )
        } else {
            let good = matches!(
                bare,
                Type::List(_) | Type::Set(_) | Type::Array(..) | Type::Map(..)
            );
            (good, "lists, sets, arrays and maps")
        };
        if !self.suits(scope, read, ty, good, wanted) {
            return None;
        }
        let min = notes.number(name, "min").map(|(number, _)| number);
        let max = notes.number(name, "max").map(|(number, _)| number);
        let unique = notes.flag(name, "unique");
        let nothing = min.is_none() && max.is_none() && !unique;
        let crossed = matches!((min, max), (Some(min), Some(max)) if min > max);
        self.limits(scope, read, nothing, crossed)?;
        Some(if is_len {
            Constraint::Len { min, max }
        } else {
            Constraint::Items { min, max, unique }
        })
    }

    fn limits(
        &mut self,
        scope: &Scope<'t>,
        read: &Read,
        nothing: bool,
        crossed: bool,
    ) -> Option<()> {
        let name = read.known.name;
        let message = if nothing {
            format!("`@{name}` has no bound")
        } else if crossed {
            format!("no value passes this `@{name}`: `min` is above `max`")
        } else {
            return Some(());
        };
        self.report(Draft::new(
            codes::EMPTY_LIMITS,
            read.span.at(scope.file),
            message,
        ));
        None
    }

    fn range(&mut self, scope: &Scope<'t>, read: &Read, ty: &Type) -> Option<Constraint> {
        let bare = self.bare(ty).clone();
        let good = int_range(&bare).is_some()
            || matches!(
                bare,
                Type::F32 | Type::F64 | Type::Duration | Type::Timestamp
            );
        if !self.suits(
            scope,
            read,
            ty,
            good,
            "integers, floats, durations and timestamps",
        ) {
            return None;
        }
        let mut bound = |param: &str| -> Option<Option<Value>> {
            let found = read.args.iter().find(|(name, ..)| *name == param);
            match found {
                Some((_, Arg::Bound(written), _)) => self.value(scope, written, &bare).map(Some),
                _ => Some(None),
            }
        };
        let (min, max) = (bound("min"), bound("max"));
        let (min, max) = (min?, max?);
        let nothing = min.is_none() && max.is_none();
        let crossed = matches!((&min, &max), (Some(min), Some(max)) if is_above(min, max));
        self.limits(scope, read, nothing, crossed)?;
        Some(Constraint::Range { min, max })
    }

    fn pattern(
        &mut self,
        scope: &Scope<'t>,
        notes: &Notes,
        read: &Read,
        ty: &Type,
    ) -> Option<Constraint> {
        let good = *self.bare(ty) == Type::String;
        if !self.suits(scope, read, ty, good, "`string`") {
            return None;
        }
        let (regex, span) = notes.text("pattern", "regex")?;
        let Err(fault) = pattern::check(&regex) else {
            return Some(Constraint::Pattern(regex));
        };
        let quoted = span.of(scope.text);
        // Offsets in the pattern are offsets in the literal as long as nothing is escaped.
        let place: Place = if quoted.contains('\\') {
            span.at(scope.file)
        } else {
            let start = span.start as usize + 1 + fault.at;
            let end = (start + fault.length).min(span.end as usize);
            Span::new(start.min(end), end).at(scope.file)
        };
        let message = format!("the pattern cannot be read: {}", fault.message);
        self.report(Draft::new(codes::PATTERN, place, message));
        None
    }
}

/// Whether a value keeps a rule.
fn keeps(constraint: &Constraint, value: &Value) -> bool {
    let within = |count: usize, min: &Option<u64>, max: &Option<u64>| {
        let count = count as u64;
        min.is_none_or(|min| count >= min) && max.is_none_or(|max| count <= max)
    };
    match (constraint, value) {
        (Constraint::Len { min, max }, Value::String(text)) => {
            within(text.chars().count(), min, max)
        }
        (Constraint::Pattern(pattern), Value::String(text)) => {
            pattern::matches(pattern, text) != Some(false)
        }
        (Constraint::Len { min, max }, Value::Bytes(bytes)) => within(bytes.len(), min, max),
        (Constraint::Range { min, max }, value) => {
            let low = min.as_ref().is_some_and(|min| is_above(min, value));
            let high = max.as_ref().is_some_and(|max| is_above(value, max));
            !low && !high
        }
        (Constraint::Items { min, max, unique }, Value::List(items)) => {
            let mut texts: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
            texts.sort_unstable();
            texts.dedup();
            within(items.len(), min, max) && (!unique || texts.len() == items.len())
        }
        (Constraint::Items { min, max, .. }, Value::Map(entries)) => {
            within(entries.len(), min, max)
        }
        _ => true,
    }
}

/// Whether one bound is above another of the same type.
fn is_above(min: &Value, max: &Value) -> bool {
    match (min, max) {
        (Value::Int(a), Value::Int(b)) => a > b,
        (Value::BigUint(a), Value::BigUint(b)) => a > b,
        (Value::BigUint(_), Value::Int(_)) => true,
        (Value::Float(a), Value::Float(b)) => a > b,
        (Value::Duration(a), Value::Duration(b)) => a > b,
        (Value::Timestamp(a, b), Value::Timestamp(c, d)) => (a, b) > (c, d),
        _ => false,
    }
}
