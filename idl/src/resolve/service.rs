//! Services and their methods.

use std::sync::Arc;

use crate::ast::{self, Item};
use crate::check::members;
use crate::check::services::ServiceOrigin;
use crate::codes;
use crate::diagnostic::Draft;
use crate::ids;
use crate::model::{self, Auth, Method, Param, Reserved, Retry, Service, ServiceId, Type, TypeId};
use crate::resolve::annotate::Notes;
use crate::resolve::names::{Found, ItemId, Names, Scope, Shape, SymbolId};
use crate::resolve::{Resolver, known};
use crate::source::Span;

/// One empty service for each that was declared, in the order of IDs.
pub(super) fn placeholders(names: &Names<'_>, packages: &[Arc<str>]) -> Vec<Service> {
    let services = names.services.iter();
    let source = model::Source::default();
    services
        .map(|declared| Service {
            package: Arc::clone(&packages[declared.package]),
            name: declared.name.into(),
            docs: model::Docs::default(),
            extends: Vec::new(),
            methods: Vec::new(),
            reserved: Vec::new(),
            version: None,
            deprecated: None,
            annotations: Box::default(),
            source: source.clone(),
        })
        .collect()
}

/// What a service says for those of its methods that do not say it themselves.
struct Defaults {
    timeout: Option<u64>,
    retry: Option<Retry>,
    auth: Option<Auth>,
    max_size: Option<u64>,
}

/// Where a service is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mention {
    /// `extends Service`
    Extends,
    /// `handle<Service>`
    Handle,
}

/// Said of a type where an object was meant to go.
const BY_VALUE: &str = "a value travels itself: write the type without `handle<…>`";

impl<'t> Resolver<'t, '_> {
    pub(super) fn define_service(
        &mut self,
        scope: &Scope<'t>,
        item: &Item,
        id: ServiceId,
        body: &ast::Service,
    ) {
        let notes = self.notes(scope, &item.head, known::SERVICE);
        let mut origin = ServiceOrigin::new(item.name.at(scope.file));
        let mut extends = Vec::new();
        for span in &body.extends {
            if let Some(parent) = self.service(scope, *span, Mention::Extends) {
                if extends.contains(&parent) {
                    let message = format!("`{}` is extended twice", span.of(scope.text));
                    self.report(Draft::new(
                        codes::EXTENDS_CYCLE,
                        span.at(scope.file),
                        message,
                    ));
                    continue;
                }
                extends.push(parent);
                origin.extends.push(span.at(scope.file));
            }
        }
        let mut reserved: Vec<String> = Vec::new();
        for span in &body.reserved {
            reserved.extend(self.text(scope, *span));
        }
        reserved.sort_unstable();
        let names: Vec<Span> = body.methods.iter().map(|method| method.name).collect();
        let as_reserved = Reserved {
            ranges: Box::default(),
            names: reserved.iter().map(|name| name.as_str().into()).collect(),
        };
        let bad = members::names(scope, &names, "method", &as_reserved, self.sink);
        let full_name = self.model.service(id).full_name();
        let defaults = self.defaults(scope, &notes);
        let mut methods = Vec::with_capacity(body.methods.len());
        for (at, method) in body.methods.iter().enumerate() {
            let made = self.method(scope, method, &full_name, &defaults);
            if let Some(made) = made.filter(|_| !bad.contains(&at)) {
                methods.push(made);
                origin.methods.push(method.name.at(scope.file));
            }
        }
        let docs = self.docs(scope, &item.head.docs);
        let source = self.source(scope, item.name);
        let service = &mut self.model.services[id.0 as usize];
        service.docs = docs;
        service.extends = extends;
        service.methods = methods;
        service.reserved = reserved;
        service.version = notes.text("version", "version").map(|(text, _)| text);
        service.deprecated = notes.deprecated();
        service.annotations = notes.list.into();
        service.source = source;
        self.origins.set(id, origin);
    }

    /// The service that a dotted name means.
    pub(super) fn service(
        &mut self,
        scope: &Scope<'t>,
        span: Span,
        mention: Mention,
    ) -> Option<ServiceId> {
        let path = span.of(scope.text);
        let place = span.at(scope.file);
        if mention == Mention::Handle && crate::resolve::names::is_builtin(path) {
            let message = format!("`{path}` is not a service");
            let draft = Draft::new(codes::UNKNOWN_SERVICE, place, message);
            self.report(draft.help(BY_VALUE));
            return None;
        }
        let found = self.names.find(scope, path);
        let package = match found {
            Found::Symbol(symbol) => match symbol.id {
                SymbolId::Item(ItemId::Service(id)) => return Some(id),
                SymbolId::Broken => return None,
                SymbolId::Item(item) => {
                    let message = format!("`{path}` is not a service");
                    let mut draft = Draft::new(codes::UNKNOWN_SERVICE, place, message)
                        .also(symbol.place, "defined here");
                    if let (Mention::Handle, ItemId::Type(_)) = (mention, item) {
                        draft = draft.help(BY_VALUE);
                    }
                    self.report(draft);
                    return None;
                }
            },
            Found::NotImported(package) => {
                self.not_imported(scope, span, package);
                return None;
            }
            Found::NoName(package) => package,
            Found::NoPackage => scope.package,
        };
        let qualifier = path.rsplit_once('.').map_or("", |(qualifier, _)| qualifier);
        if self.is_unknown_import(scope, qualifier) {
            return None;
        }
        let message = format!("there is no service `{path}`");
        let mut draft = Draft::new(codes::UNKNOWN_SERVICE, place, message);
        let is_service = |id| matches!(id, SymbolId::Item(ItemId::Service(_)));
        if !self.sink.is_full()
            && let Some(near) = self.names.nearest(scope, path, package, is_service)
        {
            draft = draft.suggest(format!("did you mean `{near}`?"), span, near);
        }
        self.report(draft);
        None
    }

    fn defaults(&mut self, scope: &Scope<'t>, notes: &Notes) -> Defaults {
        Defaults {
            timeout: notes.number("timeout", "limit").map(|(nanos, _)| nanos),
            retry: self.retry(scope, notes),
            auth: self.auth(scope, notes),
            max_size: notes.number("max_size", "size").map(|(size, _)| size),
        }
    }

    fn retry(&mut self, scope: &Scope<'t>, notes: &Notes) -> Option<Retry> {
        let (max, span) = notes.number("retry", "max")?;
        let Some(max) = u32::try_from(max)
            .ok()
            .filter(|max| (1..=100).contains(max))
        else {
            let message = "`max` counts the attempts, from 1 to 100";
            let draft = Draft::new(codes::ANNOTATION_ARGUMENT, span.at(scope.file), message);
            self.report(draft);
            return None;
        };
        Some(Retry {
            max,
            on: notes.words("retry", "on"),
            backoff: notes.number("retry", "backoff").map(|(nanos, _)| nanos),
        })
    }

    fn auth(&mut self, scope: &Scope<'t>, notes: &Notes) -> Option<Auth> {
        let span = notes.span("auth")?;
        let text = notes.text("auth", "scope").map(|(text, _)| text);
        match (text, notes.flag("auth", "none")) {
            (Some(text), false) => Some(Auth::Scope(text)),
            (None, true) => Some(Auth::None),
            _ => {
                let message = "`@auth` says either a scope or `none`";
                let draft = Draft::new(codes::ANNOTATION_ARGUMENT, span.at(scope.file), message);
                self.report(draft.help("write `@auth(scope = \"…\")` or `@auth(none)`"));
                None
            }
        }
    }

    fn method(
        &mut self,
        scope: &Scope<'t>,
        method: &ast::Method,
        service: &str,
        defaults: &Defaults,
    ) -> Option<Method> {
        let notes = self.notes(scope, &method.head, known::METHOD);
        let (params, stream_in) = self.params(scope, method);
        let result = method
            .result
            .as_ref()
            .map(|flow| (flow.stream, self.result(scope, flow)));
        let throws = method.throws.map(|span| self.throws(scope, span));
        self.oneway(scope, method, stream_in.is_some());
        let name = method.name.of(scope.text);
        let wire_name = self
            .wire_name(scope, &notes)
            .unwrap_or_else(|| name.to_owned());
        let call_id = self.call_id(scope, &notes);
        let lb_key = self.lb_key(scope, &notes, method);
        // A part that is missing because it is wrong takes the method with it; all its parts were read first.
        let params = params?;
        let (stream_out, result) = match result {
            Some((stream, ty)) => (stream, Some(ty?)),
            None => (false, None),
        };
        let throws = match throws {
            Some(id) => Some(Type::Named(id?)),
            None => None,
        };
        Some(Method {
            call_id: call_id?.unwrap_or_else(|| ids::call_id(service, &wire_name)),
            name: self.shared(name),
            wire_name: self.shared(&wire_name),
            docs: self.docs(scope, &method.head.docs),
            params: params.into(),
            stream_in: stream_in.map(Box::new),
            result,
            stream_out,
            throws,
            oneway: method.oneway.is_some(),
            idempotent: notes.has("idempotent"),
            timeout: notes
                .number("timeout", "limit")
                .map(|(n, _)| n)
                .or(defaults.timeout),
            retry: self
                .retry(scope, &notes)
                .or_else(|| defaults.retry.clone())
                .map(Box::new),
            hedge: notes.number("hedge", "after").map(|(nanos, _)| nanos),
            auth: self
                .auth(scope, &notes)
                .or_else(|| defaults.auth.clone())
                .map(Box::new),
            max_size: notes
                .number("max_size", "size")
                .map(|(n, _)| n)
                .or(defaults.max_size),
            lb_key: lb_key.map(|key| self.shared(&key)),
            finish: notes.has("on_cancel"),
            shared: notes.has("shared"),
            deprecated: notes.deprecated(),
            annotations: notes.list.into(),
            source: self.source(scope, method.name),
        })
    }

    /// Parameters and the stream among them; `None` instead of the parameters when one is wrong.
    fn params(
        &mut self,
        scope: &Scope<'t>,
        method: &ast::Method,
    ) -> (Option<Vec<Param>>, Option<Param>) {
        let names: Vec<Span> = method.params.iter().map(|param| param.name).collect();
        let bad = members::names(scope, &names, "parameter", &Reserved::default(), self.sink);
        let mut good = bad.is_empty();
        let mut params = Vec::with_capacity(method.params.len());
        let mut stream = None;
        let last = method.params.len().saturating_sub(1);
        for (at, param) in method.params.iter().enumerate() {
            let made = self.param(scope, param);
            if param.flow.stream && !self.stream_fits(scope, param, at == last) {
                good = false;
                continue;
            }
            match made {
                Some(made) if param.flow.stream => stream = Some(made),
                Some(made) => params.push(made),
                None => good = false,
            }
        }
        (good.then_some(params), stream)
    }

    fn param(&mut self, scope: &Scope<'t>, param: &ast::Param) -> Option<Param> {
        let ty = self.flow_type(scope, &param.flow);
        let notes = self.notes(scope, &param.head, known::PARAM);
        let ty = ty?;
        if let (true, Some(written)) = (is_handle(&ty), param.default.as_deref()) {
            let message = "a handle has no default";
            let draft = Draft::new(codes::HANDLE, written.span.at(scope.file), message);
            self.report(
                draft.help("leave the default out; one that may be absent is `handle<…>?`"),
            );
            return None;
        }
        let constraints = self.constraints(scope, &notes, &ty);
        let default = match &param.default {
            Some(_) if param.flow.stream => None,
            written => self.default(scope, written.as_deref(), &ty)?,
        };
        let written = param.default.as_deref();
        self.default_keeps(scope, &constraints, default.as_ref(), written);
        Some(Param {
            name: self.shared(param.name.of(scope.text)),
            docs: self.docs(scope, &param.head.docs),
            ty,
            default: default.map(Box::new),
            constraints: constraints.into(),
            annotations: notes.list.into(),
            source: self.source(scope, param.name),
        })
    }

    fn stream_fits(&mut self, scope: &Scope<'t>, param: &ast::Param, is_last: bool) -> bool {
        let place = param.name.to(param.flow.ty.span).at(scope.file);
        let (message, help) = if !is_last {
            (
                "a `stream` parameter is the last one",
                "move it to the end; a method has one at most",
            )
        } else if param.default.is_some() {
            (
                "a `stream` parameter has no default",
                "leave the default out; a stream may be empty",
            )
        } else {
            return self.stream_is_required(scope, &param.flow);
        };
        self.report(Draft::new(codes::STREAM, place, message).help(help));
        false
    }

    fn stream_is_required(&mut self, scope: &Scope<'t>, flow: &ast::Flow) -> bool {
        if flow.ty.optional == 0 {
            return true;
        }
        let message = "the elements of a stream cannot be optional";
        let draft = Draft::new(codes::STREAM, flow.ty.span.at(scope.file), message);
        self.report(draft.help("leave the `?` out; a stream that has no element sends none"));
        false
    }

    /// A whole parameter or result may be a handle, an element of a stream may not.
    fn flow_type(&mut self, scope: &Scope<'t>, flow: &ast::Flow) -> Option<Type> {
        if flow.stream {
            self.type_of(scope, &flow.ty)
        } else {
            self.whole_type(scope, &flow.ty)
        }
    }

    fn result(&mut self, scope: &Scope<'t>, flow: &ast::Flow) -> Option<Type> {
        let ty = self.flow_type(scope, flow)?;
        if flow.stream && !self.stream_is_required(scope, flow) {
            return None;
        }
        Some(ty)
    }

    fn throws(&mut self, scope: &Scope<'t>, span: Span) -> Option<TypeId> {
        let path = span.of(scope.text);
        if crate::resolve::names::is_builtin(path) {
            let message = format!("`{path}` is not an error type");
            let draft = Draft::new(codes::THROWS, span.at(scope.file), message);
            self.report(
                draft.help("declare what can go wrong: `error Name { 1: Failed(string) }`"),
            );
            return None;
        }
        let named = self.named_type(scope, span)?;
        let id = match self.model.resolve(&Type::Named(named)) {
            Type::Named(id) => *id,
            _ => named,
        };
        let declared = self.names.types[id.0 as usize];
        if declared.shape != Shape::Error {
            let message = format!("`{path}` is not an error type");
            self.report(
                Draft::new(codes::THROWS, span.at(scope.file), message)
                    .also(declared.place, "defined here")
                    .help("`throws` names a type that was declared with `error`"),
            );
            return None;
        }
        Some(id)
    }

    fn oneway(&mut self, scope: &Scope<'t>, method: &ast::Method, has_stream: bool) {
        let Some(oneway) = method.oneway else {
            return;
        };
        let (span, what) = match (&method.result, method.throws) {
            (Some(flow), _) => (flow.ty.span, "return something"),
            (None, Some(throws)) => (throws, "throw"),
            (None, None) if has_stream => (method.name, "stream"),
            _ => return,
        };
        self.report(
            Draft::new(
                codes::ONEWAY,
                span.at(scope.file),
                format!("a `oneway` method cannot {what}"),
            )
            .also(oneway.at(scope.file), "nothing comes back")
            .help("leave one of the two out"),
        );
    }

    fn wire_name(&mut self, scope: &Scope<'t>, notes: &Notes) -> Option<String> {
        let (name, span) = notes.text("wire_name", "name")?;
        let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if !name.is_empty() && name.chars().all(is_word) {
            return Some(name);
        }
        let message = "a wire name is a name: letters, digits and underscores";
        let draft = Draft::new(codes::ANNOTATION_ARGUMENT, span.at(scope.file), message);
        self.report(draft);
        None
    }

    /// `@id(n)`. The outer option is empty when the number cannot be given.
    fn call_id(&mut self, scope: &Scope<'t>, notes: &Notes) -> Option<Option<u64>> {
        let Some((id, span)) = notes.number("id", "number") else {
            return Some(None);
        };
        let package = self.names.packages[scope.package].name;
        let message = if id < ids::FRAMEWORK_IDS && !ids::is_framework(package) {
            format!(
                "call IDs below {} belong to the framework",
                ids::FRAMEWORK_IDS
            )
        } else if id >> ids::CALL_ID_BITS != 0 {
            format!("a call ID has {} bits at most", ids::CALL_ID_BITS)
        } else {
            return Some(Some(id));
        };
        let draft = Draft::new(codes::FRAMEWORK_ID, span.at(scope.file), message);
        self.report(draft.help(format!(
            "give a number from {} to {}",
            ids::FRAMEWORK_IDS,
            (1_u64 << ids::CALL_ID_BITS) - 1
        )));
        None
    }

    fn lb_key(&mut self, scope: &Scope<'t>, notes: &Notes, method: &ast::Method) -> Option<String> {
        let (key, span) = notes.text("lb", "key")?;
        let mut params = method.params.iter().filter(|param| !param.flow.stream);
        if params.any(|param| param.name.of(scope.text) == key) {
            return Some(key);
        }
        let message = format!("the method has no parameter `{key}`");
        let draft = Draft::new(codes::UNKNOWN_REFERENCE, span.at(scope.file), message);
        self.report(draft.help("`key` names a parameter that is not a stream"));
        None
    }
}

fn is_handle(ty: &Type) -> bool {
    match ty {
        Type::Optional(inner) => is_handle(inner),
        ty => matches!(ty, Type::Handle(_)),
    }
}
