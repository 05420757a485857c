//! Types as written become types of the model.

use crate::ast::{File, ItemKind, TypeArg, TypeRef};
use crate::codes;
use crate::diagnostic::Draft;
use crate::model::{Type, TypeId, TypeKind};
use crate::resolve::imports::default_alias;
use crate::resolve::names::{BUILTIN, Found, ItemId, Scope, Shape, SymbolId};
use crate::resolve::service::Mention;
use crate::resolve::{Resolver, index};
use crate::source::Span;
use crate::suggest;

/// Aliases may refer to each other over this many steps.
const MAX_CHAIN: usize = 64;

/// Longest `array<T, N>`.
const MAX_ARRAY: i128 = 65_536;

impl<'t> Resolver<'t, '_> {
    /// The type, if it is one; if not, that has been reported.
    pub(super) fn type_of(&mut self, scope: &Scope<'t>, ty: &TypeRef) -> Option<Type> {
        let mut found = self.read_type(scope, ty)?;
        self.normalise(&mut found);
        self.check_type(scope, ty, &found).then_some(found)
    }

    /// The type of a whole parameter or result, which may be an object by reference.
    pub(super) fn whole_type(&mut self, scope: &Scope<'t>, ty: &TypeRef) -> Option<Type> {
        let [TypeArg::Type(service)] = &*ty.args else {
            return self.type_of(scope, ty);
        };
        if ty.path.of(scope.text) != "handle" {
            return self.type_of(scope, ty);
        }
        let handle = self.handle(scope, service);
        if ty.optional > 1 {
            return self.optional(scope, ty, Type::Any);
        }
        self.optional(scope, ty, handle?)
    }

    fn handle(&mut self, scope: &Scope<'t>, service: &TypeRef) -> Option<Type> {
        if service.optional == 0 && service.args.is_empty() {
            let id = self.service(scope, service.path, Mention::Handle)?;
            return Some(Type::Handle(self.model.service(id).full_name().into()));
        }
        let place = service.span.at(scope.file);
        let text = service.span.of(scope.text);
        let mut draft = Draft::new(
            codes::TYPE_ARGUMENTS,
            place,
            format!("`handle` takes the name of a service, not `{text}`"),
        );
        if service.args.is_empty() {
            let path = service.path.of(scope.text);
            draft = draft.help(format!(
                "what may be absent is the handle: write `handle<{path}>?`"
            ));
        } else {
            draft =
                draft.help("one handle stands for one object; pass several as several parameters");
        }
        self.report(draft);
        None
    }

    /// Reads every alias, refuses those that never end, then checks what they stand for.
    pub(super) fn aliases(&mut self, files: &[File]) {
        let mut aliases = Vec::new();
        self.each(files, |resolver, scope, item, id| {
            if let (ItemKind::Alias(ty), ItemId::Type(id)) = (&item.kind, id) {
                let target = resolver.read_type(scope, ty);
                let is_read = target.is_some();
                resolver.model.types[id.0 as usize].kind =
                    TypeKind::Alias(target.unwrap_or(Type::Any));
                if is_read {
                    aliases.push((id, scope.file, ty));
                }
            }
        });
        // In the order of names, so that the same alias is blamed whatever the files are called.
        aliases.sort_by_key(|(id, ..)| *id);
        let ids: Vec<TypeId> = aliases.iter().map(|(id, ..)| *id).collect();
        self.break_alias_cycles(&ids);
        for id in &ids {
            let at = id.0 as usize;
            if let TypeKind::Alias(target) = &self.model.types[at].kind {
                let mut target = target.clone();
                self.normalise(&mut target);
                self.model.types[at].kind = TypeKind::Alias(target);
            }
        }
        let scopes = std::rc::Rc::clone(&self.scopes);
        for (id, file, ty) in aliases {
            if let TypeKind::Alias(target) = &self.model.types[id.0 as usize].kind {
                let target = target.clone();
                if !self.check_type(&scopes[index(file)], ty, &target) {
                    self.model.types[id.0 as usize].kind = TypeKind::Alias(Type::Any);
                }
            }
        }
    }

    fn break_alias_cycles(&mut self, ids: &[TypeId]) {
        let count = self.model.types.len();
        // 0: not seen; usize::MAX: on the path; otherwise the length of the chain below, plus one.
        let mut length = vec![0_usize; count];
        for start in ids {
            if length[start.0 as usize] != 0 {
                continue;
            }
            let mut path = vec![(*start, self.aliases_in(*start), 1_usize)];
            length[start.0 as usize] = usize::MAX;
            while let Some((id, targets, longest)) = path.last_mut() {
                let Some(target) = targets.pop() else {
                    let (id, longest) = (*id, *longest);
                    path.pop();
                    length[id.0 as usize] = longest + 1;
                    if longest > MAX_CHAIN {
                        self.alias_too_long(id);
                        length[id.0 as usize] = 1;
                    }
                    if let Some((_, _, above)) = path.last_mut() {
                        *above = (*above).max(length[id.0 as usize]);
                    }
                    continue;
                };
                match length[target.0 as usize] {
                    0 => {
                        length[target.0 as usize] = usize::MAX;
                        let below = self.aliases_in(target);
                        path.push((target, below, 1));
                    }
                    usize::MAX => {
                        let id = *id;
                        let from = path.iter().position(|(id, ..)| *id == target).unwrap_or(0);
                        let circle: Vec<TypeId> = path[from..].iter().map(|(id, ..)| *id).collect();
                        self.alias_cycle(&circle, target);
                        self.model.types[id.0 as usize].kind = TypeKind::Alias(Type::Any);
                    }
                    below => *longest = (*longest).max(below),
                }
            }
        }
    }

    fn alias_cycle(&mut self, circle: &[TypeId], target: TypeId) {
        let names: Vec<_> = circle
            .iter()
            .chain([&target])
            .map(|id| self.names.types[id.0 as usize].name)
            .collect();
        let place = self.names.types[target.0 as usize].place;
        let message = format!("the alias means itself: {}", names.join(" -> "));
        self.report(
            Draft::new(codes::ALIAS_CYCLE, place, message)
                .help("one of the aliases must name another type; a `struct` may refer to itself"),
        );
    }

    fn alias_too_long(&mut self, id: TypeId) {
        let place = self.names.types[id.0 as usize].place;
        let message = format!("aliases refer to each other over more than {MAX_CHAIN} steps");
        self.report(Draft::new(codes::TOO_LONG, place, message));
        self.model.types[id.0 as usize].kind = TypeKind::Alias(Type::Any);
    }

    /// Aliases that the target of an alias mentions.
    fn aliases_in(&self, id: TypeId) -> Vec<TypeId> {
        let mut found = Vec::new();
        let mut pending = match &self.model.ty(id).kind {
            TypeKind::Alias(target) => vec![target],
            _ => Vec::new(),
        };
        while let Some(ty) = pending.pop() {
            match ty {
                Type::Optional(a) | Type::List(a) | Type::Set(a) | Type::Array(a, _) => {
                    pending.push(a);
                }
                Type::Map(a, b) => pending.extend([&**a, &**b]),
                Type::Named(id) if self.names.types[id.0 as usize].shape == Shape::Alias => {
                    found.push(*id);
                }
                _ => {}
            }
        }
        found
    }

    /// What the text says, without a look at what aliases mean.
    fn read_type(&mut self, scope: &Scope<'t>, ty: &TypeRef) -> Option<Type> {
        let base = self.read_base(scope, ty)?;
        self.optional(scope, ty, base)
    }

    /// The type with the question marks behind it.
    fn optional(&mut self, scope: &Scope<'t>, ty: &TypeRef, base: Type) -> Option<Type> {
        match ty.optional {
            0 => Some(base),
            1 => Some(Type::Optional(Box::new(base))),
            _ => {
                let place = ty.span.at(scope.file);
                let message = "`??` says the same as `?`";
                let fixed = ty.span.of(scope.text).trim_end_matches(['?', ' ']);
                self.report(
                    Draft::new(codes::NESTED_OPTIONAL, place, message)
                        .label("optional twice")
                        .suggest("write one question mark", ty.span, format!("{fixed}?")),
                );
                None
            }
        }
    }

    fn read_base(&mut self, scope: &Scope<'t>, ty: &TypeRef) -> Option<Type> {
        let path = ty.path.of(scope.text);
        let wanted = match path {
            "list" | "set" => 1,
            "map" | "array" => 2,
            // Alone it is a name like any other.
            "handle" if !ty.args.is_empty() => 1,
            _ => 0,
        };
        if wanted != ty.args.len() {
            self.wrong_arguments(scope, ty, path);
            return None;
        }
        match (path, &*ty.args) {
            ("list", [TypeArg::Type(item)]) => {
                Some(Type::List(Box::new(self.read_type(scope, item)?)))
            }
            ("set", [TypeArg::Type(item)]) => {
                Some(Type::Set(Box::new(self.read_type(scope, item)?)))
            }
            ("map", [TypeArg::Type(key), TypeArg::Type(value)]) => {
                let (key, value) = (self.read_type(scope, key), self.read_type(scope, value));
                Some(Type::Map(Box::new(key?), Box::new(value?)))
            }
            ("array", [TypeArg::Type(item), TypeArg::Number(length)]) => {
                let item = self.read_type(scope, item);
                let length = self.array_length(scope, *length);
                Some(Type::Array(Box::new(item?), length?))
            }
            ("handle", [TypeArg::Type(_)]) => {
                let place = ty.span.at(scope.file);
                let message = "a handle is a whole parameter or result, and nothing else";
                self.report(Draft::new(codes::HANDLE, place, message).help(
                    "an object stays where it is: pass the handle itself to a method, or return it from one",
                ));
                None
            }
            (_, []) => scalar(path).or_else(|| self.named_type(scope, ty.path).map(Type::Named)),
            _ => {
                self.wrong_arguments(scope, ty, path);
                None
            }
        }
    }

    fn wrong_arguments(&mut self, scope: &Scope<'t>, ty: &TypeRef, path: &str) {
        let (span, place) = (ty.path, ty.span.at(scope.file));
        let is_known = matches!(self.names.find(scope, path), Found::Symbol(_));
        if !is_known
            && path != "handle"
            && let Some(other) = elsewhere(path)
        {
            let message = format!("there is no type `{path}`");
            let draft = Draft::new(codes::UNKNOWN_TYPE, place, message);
            return self.report(draft.help(other));
        }
        let lower = path.to_ascii_lowercase();
        if !is_known
            && matches!(lower.as_str(), "list" | "set" | "map" | "array" | "handle")
            && lower != path
        {
            let message = format!("there is no type `{path}`");
            let draft = Draft::new(codes::UNKNOWN_TYPE, span.at(scope.file), message);
            return self.report(draft.suggest(format!("did you mean `{lower}`?"), span, lower));
        }
        let shape = match path {
            "list" | "set" => format!("write `{path}<T>`"),
            "map" => "write `map<K, V>`".to_owned(),
            "array" => "write `array<T, N>`, with a number for N".to_owned(),
            "handle" => "write `handle<Service>`, with the name of one service".to_owned(),
            _ => "only `list`, `set`, `map`, `array` and `handle` have type arguments".to_owned(),
        };
        let message = if matches!(path, "list" | "set" | "map" | "array" | "handle") {
            format!("wrong type arguments for `{path}`")
        } else {
            format!("`{path}` takes no type arguments")
        };
        let draft = Draft::new(codes::TYPE_ARGUMENTS, ty.span.at(scope.file), message);
        self.report(draft.help(shape));
    }

    fn array_length(&mut self, scope: &Scope<'t>, span: Span) -> Option<u32> {
        let length = super::literal::small(span.of(scope.text)).unwrap_or(0);
        if (1..=MAX_ARRAY).contains(&length) {
            return u32::try_from(length).ok();
        }
        let message = format!("the length of an array goes from 1 to {MAX_ARRAY}");
        let draft = Draft::new(codes::ARRAY_LENGTH, span.at(scope.file), message);
        self.report(draft.help("use `list<T>` for a length that is not fixed"));
        None
    }

    /// The type that a dotted name means.
    pub(super) fn named_type(&mut self, scope: &Scope<'t>, span: Span) -> Option<TypeId> {
        let path = span.of(scope.text);
        let found = self.names.find(scope, path);
        match found {
            Found::Symbol(symbol) => match symbol.id {
                SymbolId::Item(ItemId::Type(id)) => return Some(id),
                SymbolId::Broken => {}
                SymbolId::Item(other) => {
                    let word = match other {
                        ItemId::Service(_) => "a service",
                        ItemId::Const(_) => "a constant",
                        _ => "an annotation",
                    };
                    let mut draft = Draft::new(
                        codes::NOT_A_TYPE,
                        span.at(scope.file),
                        format!("`{path}` is {word}, not a type"),
                    )
                    .also(symbol.place, "defined here");
                    if let ItemId::Service(_) = other {
                        draft = draft.help(format!(
                            "an object that has it goes as `handle<{path}>`, which is a whole parameter or result"
                        ));
                    }
                    self.report(draft);
                }
            },
            found => self.unknown_type(scope, span, &found),
        }
        None
    }

    fn unknown_type(&mut self, scope: &Scope<'t>, span: Span, found: &Found) {
        if self.sink.is_full() {
            // Only counted; finding what was meant would be lost work.
            let draft = Draft::new(codes::UNKNOWN_TYPE, span.at(scope.file), String::new());
            return self.report(draft);
        }
        let path = span.of(scope.text);
        let place = span.at(scope.file);
        let is_type = |id| matches!(id, SymbolId::Item(ItemId::Type(_)));
        match found {
            Found::NotImported(package) => self.not_imported(scope, span, *package),
            Found::NoName(package) => {
                let mut draft = Draft::new(
                    codes::UNKNOWN_TYPE,
                    place,
                    format!("there is no type `{path}`"),
                );
                let near = self.names.nearest(scope, path, *package, is_type);
                let near = near.or_else(|| {
                    let builtin = (!path.contains('.')).then_some(BUILTIN)?;
                    suggest::nearest(path, builtin.iter().copied()).map(str::to_owned)
                });
                if let Some(other) = elsewhere(path) {
                    draft = draft.help(other);
                } else if let Some(near) = near {
                    draft = draft.suggest(format!("did you mean `{near}`?"), span, near);
                } else if self.names.packages[*package].name.is_empty() {
                    draft = draft.label("not defined");
                } else {
                    let package = self.names.packages[*package].name;
                    draft = draft.label(format!("not defined in package `{package}`"));
                }
                self.report(draft);
            }
            _ => {
                let (qualifier, _) = path.rsplit_once('.').unwrap_or((path, ""));
                if self.is_unknown_import(scope, qualifier) {
                    return;
                }
                let mut draft = Draft::new(
                    codes::UNKNOWN_TYPE,
                    place,
                    format!("there is no type `{path}`"),
                )
                .label(format!("nothing is imported as `{qualifier}`"));
                let mut meant: Vec<_> = self.names.packages.iter().collect();
                meant.retain(|package| default_alias(package.name) == qualifier);
                meant.sort_by_key(|package| package.name);
                if let Some(package) = meant.first() {
                    let line = format!("add `import {};` below the `package` line", package.name);
                    return self.report(draft.help(line));
                }
                let mut aliases: Vec<_> = scope.aliases.keys().copied().collect();
                aliases.sort_unstable();
                if let Some(near) = suggest::nearest(qualifier, aliases) {
                    let name = path.rsplit('.').next().unwrap_or(path);
                    let near = format!("{near}.{name}");
                    draft = draft.suggest(format!("did you mean `{near}`?"), span, near);
                }
                self.report(draft);
            }
        }
    }

    /// Whether the qualifier is that of an import whose package is missing, which is reported at the import.
    pub(super) fn is_unknown_import(&self, scope: &Scope<'t>, qualifier: &str) -> bool {
        scope.missing.contains(qualifier)
    }

    pub(super) fn not_imported(&mut self, scope: &Scope<'t>, span: Span, package: usize) {
        let name = self.names.packages[package].name;
        let message = format!("package `{name}` is not imported");
        let draft = Draft::new(codes::NOT_IMPORTED, span.at(scope.file), message);
        self.report(draft.help(format!("add `import {name};` below the `package` line")));
    }

    /// `list<u8>` is another spelling of `bytes`.
    fn normalise(&self, ty: &mut Type) {
        match ty {
            Type::List(item) if *self.model.resolve(item) == Type::U8 => *ty = Type::Bytes,
            Type::Optional(a) | Type::List(a) | Type::Set(a) | Type::Array(a, _) => {
                self.normalise(a);
            }
            Type::Map(key, value) => {
                self.normalise(key);
                self.normalise(value);
            }
            _ => {}
        }
    }

    /// Checks what depends on what aliases mean.
    fn check_type(&mut self, scope: &Scope<'t>, written: &TypeRef, ty: &Type) -> bool {
        let place = written.span.at(scope.file);
        let inner = match ty {
            Type::Optional(inner) => {
                if let Type::Optional(_) = self.model.resolve(inner) {
                    let path = written.path.of(scope.text);
                    let message = format!("`{path}` is optional already");
                    self.report(
                        Draft::new(codes::NESTED_OPTIONAL, place, message)
                            .label("optional twice")
                            .help("leave the question mark out here, or at the alias"),
                    );
                    return false;
                }
                inner
            }
            other => other,
        };
        match (inner, &*written.args) {
            (Type::Map(key, value), [TypeArg::Type(k), TypeArg::Type(v)]) => {
                let good = self.check_key(scope, k, key);
                self.check_type(scope, v, value) && good
            }
            (Type::Set(item), [TypeArg::Type(i)]) => {
                self.check_element(scope, i, item) && self.check_type(scope, i, item)
            }
            (Type::List(item) | Type::Array(item, _), [TypeArg::Type(i), ..]) => {
                self.check_type(scope, i, item)
            }
            _ => true,
        }
    }

    fn check_key(&mut self, scope: &Scope<'t>, written: &TypeRef, key: &Type) -> bool {
        let resolved = self.model.resolve(key);
        let good = match resolved {
            Type::String | Type::Bool | Type::Uuid => true,
            Type::Named(id) => self.names.types[id.0 as usize].shape == Shape::Enum,
            other => int_range(other).is_some() && !matches!(other, Type::I128 | Type::U128),
        };
        if !good {
            let text = written.span.of(scope.text);
            let message = format!("`{text}` cannot be the key of a map");
            let place = written.span.at(scope.file);
            self.report(Draft::new(codes::MAP_KEY, place, message).help(
                "keys are `string`, `bool`, `uuid`, an integer of at most 64 bits, or an enum",
            ));
        }
        good
    }

    fn check_element(&mut self, scope: &Scope<'t>, written: &TypeRef, item: &Type) -> bool {
        let place = written.span.at(scope.file);
        let mut pending = vec![item.clone()];
        while let Some(ty) = pending.pop() {
            match ty {
                Type::F32 | Type::F64 | Type::Any | Type::Map(..) => {
                    let text = written.span.of(scope.text);
                    let message = format!("`{text}` cannot be the element of a set");
                    self.report(Draft::new(codes::SET_ELEMENT, place, message).help(
                        "elements are compared, which floats, `any` and maps cannot be; use a `list`",
                    ));
                    return false;
                }
                Type::Optional(a) | Type::List(a) | Type::Set(a) | Type::Array(a, _) => {
                    pending.push(*a);
                }
                Type::Named(id) => match &self.model.ty(id).kind {
                    TypeKind::Alias(target)
                        if self.names.types[id.0 as usize].shape == Shape::Alias =>
                    {
                        pending.push(target.clone());
                    }
                    _ => self.sets.push((place, id)),
                },
                _ => {}
            }
        }
        true
    }

    /// The type as it would be written.
    pub(super) fn type_text(&self, ty: &Type) -> String {
        match ty {
            Type::Optional(inner) => format!("{}?", self.type_text(inner)),
            Type::List(item) => format!("list<{}>", self.type_text(item)),
            Type::Set(item) => format!("set<{}>", self.type_text(item)),
            Type::Map(key, value) => {
                format!("map<{}, {}>", self.type_text(key), self.type_text(value))
            }
            Type::Array(item, length) => format!("array<{}, {length}>", self.type_text(item)),
            Type::Named(id) => self.names.types[id.0 as usize].name.to_owned(),
            Type::Handle(service) => format!("handle<{service}>"),
            Type::Foreign(name) => name.clone(),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

/// The type of a name that is always there.
pub(super) fn scalar(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "i8" => Type::I8,
        "i16" => Type::I16,
        "i32" => Type::I32,
        "i64" => Type::I64,
        "i128" => Type::I128,
        "u8" => Type::U8,
        "u16" => Type::U16,
        "u32" => Type::U32,
        "u64" => Type::U64,
        "u128" => Type::U128,
        "f32" => Type::F32,
        "f64" => Type::F64,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "timestamp" => Type::Timestamp,
        "duration" => Type::Duration,
        "uuid" => Type::Uuid,
        "decimal" => Type::Decimal,
        "any" => Type::Any,
        _ => return None,
    })
}

/// Least and greatest value of an integer type; `u128` goes beyond what is returned.
pub(super) fn int_range(ty: &Type) -> Option<(i128, i128)> {
    Some(match ty {
        Type::I8 => (i8::MIN.into(), i8::MAX.into()),
        Type::I16 => (i16::MIN.into(), i16::MAX.into()),
        Type::I32 => (i32::MIN.into(), i32::MAX.into()),
        Type::I64 => (i64::MIN.into(), i64::MAX.into()),
        Type::I128 => (i128::MIN, i128::MAX),
        Type::U8 => (0, u8::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::U64 => (0, u64::MAX.into()),
        Type::U128 => (0, i128::MAX),
        _ => return None,
    })
}

/// What a type of another language is called here.
fn elsewhere(path: &str) -> Option<&'static str> {
    Some(match path {
        "str" | "String" => "text is `string`",
        "int" | "int32" | "integer" => "write `i32`, or another of `i8` … `i128`",
        "int64" | "long" => "write `i64`",
        "uint32" | "uint" => "write `u32`",
        "uint64" => "write `u64`",
        "float" => "write `f32`",
        "double" => "write `f64`",
        "byte" => "write `u8` or `i8`",
        "binary" => "write `bytes`",
        "boolean" => "write `bool`",
        "void" => "a method that returns nothing has no `->`",
        "Vec" | "vec" | "vector" | "Array" | "sequence" | "repeated" => {
            "write `list<T>`, or `array<T, N>` for a fixed length"
        }
        "Option" | "optional" | "Optional" | "option" | "Maybe" => "write `T?`",
        "HashMap" | "BTreeMap" | "dict" | "Dict" | "Record" => "write `map<K, V>`",
        "HashSet" | "BTreeSet" => "write `set<T>`",
        "Result" => "what comes back stands behind `->`, the error behind `throws`",
        "stream" | "Stream" => "write `stream T`, without brackets",
        "handle" | "Handle" => {
            "write `handle<Service>`, with the name of the service that the object has"
        }
        "Box" | "Arc" | "Rc" => "write the type alone; boxes are put where they are needed",
        "Uuid" | "UUID" => "write `uuid`",
        _ => return None,
    })
}
