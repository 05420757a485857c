//! Annotations against the list of those that exist.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ast::{self, Argument, Head, Value as Written, ValueKind};
use crate::codes;
use crate::diagnostic::Draft;
use crate::model::{self, AnnotationValue, Deprecated, Type, Value};
use crate::resolve::Resolver;
use crate::resolve::known::{self, KNOWN, Kind, Known, Parameter};
use crate::resolve::literal::{self, Int, Quantity};
use crate::resolve::names::Scope;
use crate::resolve::values::kind_word;
use crate::source::Span;
use crate::suggest;

/// The annotations of one definition or member.
#[derive(Default)]
pub(super) struct Notes {
    /// As the model keeps them.
    pub(super) list: Vec<model::Annotation>,
    pub(super) known: Vec<Read>,
}

/// A built-in annotation with its arguments.
pub(super) struct Read {
    pub(super) known: &'static Known,
    pub(super) span: Span,
    pub(super) args: Vec<(&'static str, Arg, Span)>,
}

pub(super) enum Arg {
    Flag,
    Text(String),
    Number(u64),
    Nanoseconds(u64),
    Word(String),
    Words(Vec<String>),
    Bound(Written),
}

impl Notes {
    fn find(&self, name: &str) -> Option<&Read> {
        self.known.iter().find(|read| read.known.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn arg(&self, name: &str, param: &str) -> Option<&(&'static str, Arg, Span)> {
        self.find(name)?.args.iter().find(|(arg, ..)| *arg == param)
    }

    /// The string or word of an argument, and where it stands.
    pub(super) fn text(&self, name: &str, param: &str) -> Option<(String, Span)> {
        match self.arg(name, param)? {
            (_, Arg::Text(text) | Arg::Word(text), span) => Some((text.clone(), *span)),
            _ => None,
        }
    }

    pub(super) fn number(&self, name: &str, param: &str) -> Option<(u64, Span)> {
        match self.arg(name, param)? {
            (_, Arg::Number(number) | Arg::Nanoseconds(number), span) => Some((*number, *span)),
            _ => None,
        }
    }

    pub(super) fn flag(&self, name: &str, param: &str) -> bool {
        matches!(self.arg(name, param), Some((_, Arg::Flag, _)))
    }

    pub(super) fn words(&self, name: &str, param: &str) -> Vec<String> {
        match self.arg(name, param) {
            Some((_, Arg::Words(words), _)) => words.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn span(&self, name: &str) -> Option<Span> {
        self.find(name).map(|read| read.span)
    }

    pub(super) fn deprecated(&self) -> Option<Box<Deprecated>> {
        self.find("deprecated")?;
        Some(Box::new(Deprecated {
            note: self.text("deprecated", "note").map(|(text, _)| text),
            since: self.text("deprecated", "since").map(|(text, _)| text),
        }))
    }
}

impl<'t> Resolver<'t, '_> {
    /// Reads the annotations of something that is a `target`.
    pub(super) fn notes(&mut self, scope: &Scope<'t>, head: &Head, target: u32) -> Notes {
        let mut notes = Notes::default();
        if head.annotations.is_empty() {
            return notes;
        }
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for annotation in &head.annotations {
            let name = annotation.name.of(scope.text);
            if name != "allow"
                && let Some(first) = seen.insert(name, annotation.span)
            {
                let place = annotation.span.at(scope.file);
                let message = format!("`@{name}` stands twice");
                let draft = Draft::new(codes::DUPLICATE_ANNOTATION, place, message);
                self.report(draft.also(first.at(scope.file), "the first one"));
                continue;
            }
            self.note(scope, annotation, target, &mut notes);
        }
        notes
    }

    fn note(
        &mut self,
        scope: &Scope<'t>,
        annotation: &ast::Annotation,
        target: u32,
        notes: &mut Notes,
    ) {
        let name = annotation.name.of(scope.text);
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
            let custom = self.custom(scope, annotation, target);
            notes.list.extend(custom);
            return;
        };
        if !self.is_on(scope, annotation, known.on, target) {
            return;
        }
        if let Some(args) = self.known_args(scope, annotation, known) {
            notes.list.push(model::Annotation {
                name: self.shared(name),
                args: self.args_as_written(scope, &annotation.args),
            });
            let span = annotation.span;
            notes.known.push(Read { known, span, args });
        }
    }

    pub(super) fn is_on(
        &mut self,
        scope: &Scope<'t>,
        annotation: &ast::Annotation,
        on: u32,
        target: u32,
    ) -> bool {
        if on & target != 0 {
            return true;
        }
        let name = annotation.name.of(scope.text);
        let message = format!("`@{name}` cannot stand on {}", target_word(target));
        let draft = Draft::new(
            codes::ANNOTATION_TARGET,
            annotation.span.at(scope.file),
            message,
        );
        self.report(draft.help(format!("it stands on {}", known::targets_text(on))));
        false
    }

    /// The arguments, each checked against its parameter.
    fn known_args(
        &mut self,
        scope: &Scope<'t>,
        annotation: &ast::Annotation,
        known: &'static Known,
    ) -> Option<Vec<(&'static str, Arg, Span)>> {
        let mut args: Vec<(&'static str, Arg, Span)> = Vec::new();
        let mut good = true;
        for (position, argument) in annotation.args.iter().enumerate() {
            let param = self.param_of(scope, annotation, known, position, argument);
            let read =
                param.and_then(|param| Some((param, self.arg(scope, known, param, argument)?)));
            match read {
                Some((param, _)) if args.iter().any(|(name, ..)| *name == param.name) => {
                    let message = format!("`{}` is given twice", param.name);
                    self.bad_argument(scope, argument.value.span, message, None);
                    good = false;
                }
                Some((param, arg)) => args.push((param.name, arg, argument.value.span)),
                None => good = false,
            }
        }
        if good
            && let Some(param) = known
                .params
                .iter()
                .find(|param| param.required && !args.iter().any(|(name, ..)| *name == param.name))
        {
            let (name, param) = (known.name, param.name);
            let message = format!("`@{name}` needs the argument `{param}`");
            self.bad_argument(scope, annotation.span, message, None);
            return None;
        }
        good.then_some(args)
    }

    fn param_of(
        &mut self,
        scope: &Scope<'t>,
        annotation: &ast::Annotation,
        known: &'static Known,
        position: usize,
        argument: &Argument,
    ) -> Option<&'static Parameter> {
        let value = argument.value.span.of(scope.text);
        let (found, place) = match argument.name {
            Some(name) => {
                let wanted = name.of(scope.text);
                (known.params.iter().find(|param| param.name == wanted), name)
            }
            None => {
                let is_flag =
                    |param: &&Parameter| matches!(param.kind, Kind::Flag) && param.name == value;
                let positional = known
                    .params
                    .get(position)
                    .filter(|param| !matches!(param.kind, Kind::Flag));
                let flag = known.params.iter().find(is_flag);
                (flag.or(positional), argument.value.span)
            }
        };
        if found.is_none() {
            let names: Vec<_> = known
                .params
                .iter()
                .map(|p| format!("`{}`", p.name))
                .collect();
            let text = place.of(scope.text);
            let name = known.name;
            let (place, message) = if names.is_empty() {
                (annotation.span, format!("`@{name}` takes no arguments"))
            } else {
                (place, format!("`@{name}` has no argument `{text}`"))
            };
            let help = (!names.is_empty()).then(|| format!("it takes {}", names.join(", ")));
            self.bad_argument(scope, place, message, help);
        }
        found
    }

    fn arg(
        &mut self,
        scope: &Scope<'t>,
        known: &Known,
        param: &'static Parameter,
        argument: &Argument,
    ) -> Option<Arg> {
        let value = &argument.value;
        let text = value.span.of(scope.text);
        let arg = match (param.kind, &value.kind) {
            (Kind::Flag, ValueKind::Bool(true)) => Some(Arg::Flag),
            (Kind::Flag, ValueKind::Name) if text == param.name => Some(Arg::Flag),
            (Kind::Text, ValueKind::String) => return self.text(scope, value.span).map(Arg::Text),
            (Kind::Number, ValueKind::Int | ValueKind::Name) => {
                self.count(scope, value)?.map(Arg::Number)
            }
            (Kind::Size, ValueKind::Int | ValueKind::Quantity | ValueKind::Name) => self
                .count(scope, value)?
                .filter(|size| *size > 0)
                .map(Arg::Number),
            (Kind::Duration, ValueKind::Quantity | ValueKind::Name) => {
                self.duration(scope, value)?.map(Arg::Nanoseconds)
            }
            (Kind::Name, ValueKind::Name) => Some(Arg::Word(text.to_owned())),
            (Kind::Word(words), ValueKind::Name) => {
                return self.word(scope, value.span, words).map(Arg::Word);
            }
            (Kind::Words(words), ValueKind::List(items)) => {
                let read = items.iter().map(|item| self.word(scope, item.span, words));
                return read.collect::<Option<Vec<_>>>().map(Arg::Words);
            }
            (Kind::Bound, _) => Some(Arg::Bound(value.clone())),
            _ => None,
        };
        if arg.is_none() {
            let (name, param_name) = (known.name, param.name);
            let found = kind_word(value);
            let message = format!(
                "`{param_name}` of `@{name}` is {}, found {found}",
                expected(param.kind)
            );
            self.bad_argument(scope, value.span, message, None);
        }
        arg
    }

    /// A number that is not negative. The outer option is empty when the fault was reported.
    fn count(&mut self, scope: &Scope<'t>, value: &Written) -> Option<Option<u64>> {
        if value.kind == ValueKind::Name {
            let value = self.value(scope, value, &Type::U64)?;
            return Some(match value {
                Value::Int(number) => u64::try_from(number).ok(),
                _ => None,
            });
        }
        let text = value.span.of(scope.text);
        let number = if value.kind == ValueKind::Quantity {
            match literal::quantity(text) {
                Some(Quantity::Bytes(bytes)) => Some(bytes),
                _ => None,
            }
        } else {
            literal::int(text).and_then(|int| match int {
                Int::Small(value) => Some(value),
                Int::Big(_) => None,
            })
        };
        Some(number.and_then(|number| u64::try_from(number).ok()))
    }

    fn duration(&mut self, scope: &Scope<'t>, value: &Written) -> Option<Option<u64>> {
        let value = self.value(scope, value, &Type::Duration)?;
        Some(match value {
            Value::Duration(nanos) => u64::try_from(nanos).ok().filter(|nanos| *nanos > 0),
            _ => None,
        })
    }

    fn word(&mut self, scope: &Scope<'t>, span: Span, words: &[&'static str]) -> Option<String> {
        let word = span.of(scope.text);
        if words.contains(&word) {
            return Some(word.to_owned());
        }
        let message = format!("`{word}` is not one of the words known here");
        let mut draft = Draft::new(codes::UNKNOWN_WORD, span.at(scope.file), message);
        draft = match suggest::nearest(word, words.iter().copied()) {
            Some(near) => draft.suggest(format!("did you mean `{near}`?"), span, near),
            None => draft.help(format!("write one of {}", words.join(", "))),
        };
        self.report(draft);
        None
    }

    pub(super) fn bad_argument(
        &mut self,
        scope: &Scope<'t>,
        span: Span,
        message: String,
        help: Option<String>,
    ) {
        let draft = Draft::new(codes::ANNOTATION_ARGUMENT, span.at(scope.file), message);
        self.report(draft.help_if(help));
    }

    fn args_as_written(
        &self,
        scope: &Scope<'t>,
        args: &[Argument],
    ) -> Box<[(Arc<str>, AnnotationValue)]> {
        let pairs = args.iter().map(|arg| {
            let name = arg.name.map_or("", |name| name.of(scope.text));
            (self.shared(name), self.as_written(scope, &arg.value))
        });
        pairs.collect()
    }

    /// A value whose type nobody knows: names stay words.
    fn as_written(&self, scope: &Scope<'t>, value: &Written) -> AnnotationValue {
        let text = value.span.of(scope.text);
        let literal = match &value.kind {
            ValueKind::Int => match literal::int(text) {
                Some(Int::Small(number)) => Value::Int(number),
                Some(Int::Big(number)) => Value::BigUint(number),
                None => return AnnotationValue::Word(self.shared(text)),
            },
            ValueKind::Float => Value::Float(literal::float(text).unwrap_or_default()),
            ValueKind::Quantity => match literal::quantity(text) {
                Some(Quantity::Nanoseconds(nanos)) => Value::Duration(nanos),
                Some(Quantity::Bytes(bytes)) => Value::Int(bytes),
                None => return AnnotationValue::Word(self.shared(text)),
            },
            ValueKind::String => Value::String(literal::string(text).unwrap_or_default()),
            ValueKind::Bool(value) => Value::Bool(*value),
            ValueKind::Name | ValueKind::Map(_) => return AnnotationValue::Word(self.shared(text)),
            ValueKind::List(items) => {
                let items = items.iter().map(|item| self.as_written(scope, item));
                return AnnotationValue::List(items.collect());
            }
        };
        AnnotationValue::Literal(literal)
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a string",
        Kind::Number => "a number that is not negative",
        Kind::Duration => "a duration above zero such as `2s`",
        Kind::Size => "a size such as `4MiB`",
        Kind::Word(_) => "a word",
        Kind::Words(_) => "a list of words",
        Kind::Flag => "a word that stands alone",
        Kind::Name => "a name",
        Kind::Bound => "a value",
    }
}

fn target_word(target: u32) -> &'static str {
    match target {
        known::UNION_VARIANT => "a variant of a union",
        known::ERROR_VARIANT => "a variant of an error",
        known::ENUM => "an enum",
        known::ERROR => "an error",
        known::ANNOTATION => "the declaration of an annotation",
        known::TYPE => "an alias",
        known::VALUE => "a value of an enum",
        known::PACKAGE => "a package",
        known::STRUCT => "a struct",
        known::UNION => "a union",
        known::SERVICE => "a service",
        known::METHOD => "a method",
        known::FIELD => "a field",
        known::PARAM => "a parameter",
        _ => "a constant",
    }
}
