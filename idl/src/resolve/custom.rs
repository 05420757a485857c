//! Annotations that packages declare themselves.

use crate::ast::{self, Item};
use crate::codes;
use crate::diagnostic::Draft;
use crate::model::{self, AnnotationDef, AnnotationValue, Type};
use crate::resolve::Resolver;
use crate::resolve::known::{KNOWN, TARGETS};
use crate::resolve::names::{Found, ItemId, Scope, SymbolId};
use crate::source::Span;
use crate::suggest;

impl<'t> Resolver<'t, '_> {
    /// `annotation a.b(name: string) on service, method;`
    pub(super) fn declare_annotation(
        &mut self,
        scope: &Scope<'t>,
        item: &Item,
        id: u32,
        body: &ast::AnnotationDef,
    ) {
        let name = item.name.of(scope.text);
        if KNOWN.iter().any(|known| known.name == name) {
            let message = format!("`@{name}` is built in");
            let draft = Draft::new(
                codes::ANNOTATION_DECLARATION,
                item.name.at(scope.file),
                message,
            );
            self.report(draft.help("declare it under another name"));
        }
        let params = body
            .params
            .iter()
            .filter_map(|param| self.annotation_param(scope, param));
        let params = params.collect();
        let mut targets = Vec::new();
        for target in &body.targets {
            let word = target.of(scope.text);
            if TARGETS.iter().any(|(name, _)| *name == word) {
                targets.push(word.to_owned());
                continue;
            }
            let message = format!("annotations cannot stand on a `{word}`");
            let names = TARGETS.iter().map(|(name, _)| *name);
            let mut draft = Draft::new(
                codes::ANNOTATION_DECLARATION,
                target.at(scope.file),
                message,
            );
            draft = match suggest::nearest(word, names.clone()) {
                Some(near) => draft.suggest(format!("did you mean `{near}`?"), *target, near),
                None => draft.help(format!(
                    "targets are {}",
                    names.collect::<Vec<_>>().join(", ")
                )),
            };
            self.report(draft);
        }
        let def = AnnotationDef {
            package: self.package_name(scope),
            name: name.into(),
            docs: self.docs(scope, &item.head.docs),
            params,
            targets,
            source: self.source(scope, item.name),
        };
        self.annotation_defs.push((id, def));
    }

    fn annotation_param(&mut self, scope: &Scope<'t>, param: &ast::Param) -> Option<model::Param> {
        let ty = self.type_of(scope, &param.flow.ty)?;
        if param.flow.stream || matches!(ty, Type::Any) {
            let place = param.flow.ty.span.at(scope.file);
            let message = "an annotation cannot take a value of this type";
            self.report(Draft::new(codes::ANNOTATION_DECLARATION, place, message));
            return None;
        }
        let default = match &param.default {
            Some(value) => Some(Box::new(self.value(scope, value, &ty)?)),
            None => None,
        };
        Some(model::Param {
            name: self.shared(param.name.of(scope.text)),
            docs: self.docs(scope, &param.head.docs),
            ty,
            default,
            constraints: Box::default(),
            annotations: Box::default(),
            source: self.source(scope, param.name),
        })
    }

    pub(super) fn custom(
        &mut self,
        scope: &Scope<'t>,
        annotation: &ast::Annotation,
        target: u32,
    ) -> Option<model::Annotation> {
        let id = self.find_custom(scope, annotation.name)?;
        let (_, def) = self.annotation_defs.get(id as usize)?;
        let (params, name) = (
            def.params.clone(),
            model::full_name(&def.package, &def.name),
        );
        let on = TARGETS
            .iter()
            .filter(|(name, _)| def.targets.iter().any(|target| target == name))
            .fold(0, |sum, (_, bit)| sum | bit);
        // All its targets may have been wrong, which was reported.
        if on != 0 && !self.is_on(scope, annotation, on, target) {
            return None;
        }
        let mut args = Vec::new();
        let mut given = vec![false; params.len()];
        for (position, argument) in annotation.args.iter().enumerate() {
            let wanted = argument.name.map(|name| name.of(scope.text));
            let found = match wanted {
                Some(wanted) => params.iter().position(|param| *param.name == *wanted),
                None => (position < params.len()).then_some(position),
            };
            let span = argument.name.unwrap_or(argument.value.span);
            let Some(at) = found.filter(|at| !given[*at]) else {
                let text = span.of(scope.text);
                let message = format!("`@{name}` has no argument `{text}`, or it is given twice");
                self.bad_argument(scope, span, message, None);
                return None;
            };
            given[at] = true;
            let value = self.value(scope, &argument.value, &params[at].ty)?;
            args.push((
                self.shared(wanted.unwrap_or("")),
                AnnotationValue::Literal(value),
            ));
        }
        for (param, given) in params.iter().zip(given) {
            if !given && param.default.is_none() && !matches!(param.ty, Type::Optional(_)) {
                let message = format!("`@{name}` needs the argument `{}`", param.name);
                self.bad_argument(scope, annotation.span, message, None);
                return None;
            }
        }
        Some(model::Annotation {
            name: self.shared(&name),
            args: args.into(),
        })
    }

    /// The declared annotation that `a.b.c` means: in this package, then with an alias or package before it.
    fn find_custom(&mut self, scope: &Scope<'t>, span: Span) -> Option<u32> {
        let path = span.of(scope.text);
        let own = self.names.packages[scope.package]
            .symbols
            .get(path)
            .copied();
        let dots = path.match_indices('.').map(|(at, _)| at);
        let mut candidates = dots.filter_map(|at| {
            let package = match self.names.qualifier(scope, &path[..at]) {
                Ok(package) => package,
                Err(Found::NotImported(package)) => package,
                Err(_) => return None,
            };
            self.names.packages[package]
                .symbols
                .get(&path[at + 1..])
                .copied()
        });
        let symbol = own.or_else(|| candidates.next());
        match symbol.map(|symbol| symbol.id) {
            Some(SymbolId::Item(ItemId::Annotation(id))) => return Some(id),
            Some(SymbolId::Broken) => return None,
            _ => {}
        }
        if self.is_unknown_import(scope, path.split('.').next().unwrap_or("")) {
            return None;
        }
        let message = format!("there is no annotation `@{path}`");
        let mut draft = Draft::new(codes::UNKNOWN_ANNOTATION, span.at(scope.file), message);
        if !self.sink.is_full() {
            let is_annotation = |id| matches!(id, SymbolId::Item(ItemId::Annotation(_)));
            let near = suggest::nearest(path, KNOWN.iter().map(|known| known.name))
                .map(str::to_owned)
                .or_else(|| {
                    self.names
                        .nearest(scope, path, scope.package, is_annotation)
                });
            draft = match near {
                Some(near) => draft.suggest(format!("did you mean `@{near}`?"), span, near),
                None => draft.help(format!("declare it: `annotation {path}(…) on …;`")),
            };
        }
        self.report(draft);
        None
    }
}
