//! From syntax trees to the model: names become definitions, and everything that only meaning can refuse is refused.

mod annotate;
mod constraints;
mod custom;
mod define;
mod imports;
mod known;
mod literal;
mod names;
mod service;
mod types;
mod values;

use std::collections::{HashMap, HashSet};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{File, Item, ItemKind};
use crate::check;
use crate::diagnostic::{Draft, Sink};
use crate::model::{
    AnnotationDef, Const, Docs, Enum, Model, Reserved, Source, Struct, Type, TypeDef, TypeId,
    TypeKind, Union,
};
pub(crate) use crate::resolve::names::{Declared, Scope, Shape, is_builtin};
use crate::resolve::names::{ItemId, Names};
use crate::resolve::values::ConstState;
use crate::source::{FileId, Place, Sources, Span};

/// Builds the model of all files. What is wrong is reported and left out.
pub(crate) fn resolve(sources: &Sources, mut files: Vec<File>, sink: &mut Sink) -> Model {
    let unsound = sink.files().collect();
    let names = Names::declare(sources, &files, sink);
    let scopes: Rc<[Scope<'_>]> = imports::bind(sources, &files, &names, sink).into();
    let mut resolver = Resolver {
        sources,
        sink,
        names,
        scopes,
        model: Model::default(),
        consts: Vec::new(),
        enum_values: HashMap::new(),
        unsound,
        const_depth: 0,
        annotation_defs: Vec::new(),
        const_defs: Vec::new(),
        sets: Vec::new(),
        origins: check::services::Origins::default(),
    };
    resolver.placeholders();
    resolver.aliases(&files);
    resolver.constants(&files);
    resolver.annotation_defs(&files);
    resolver.packages(&files);
    for (index, file) in files.iter_mut().enumerate() {
        // The tree of a file goes as soon as its definitions are in the model.
        let items = mem::take(&mut file.items);
        let ids = mem::take(&mut resolver.names.items[index]);
        let scopes = Rc::clone(&resolver.scopes);
        for (item, id) in items.into_iter().zip(ids) {
            resolver.item(&scopes[index], &item, id);
        }
    }
    resolver.finish_lists();
    resolver.check_whole();
    imports::report_unused(&resolver.scopes, resolver.sink);
    resolver.model
}

struct Resolver<'t, 's> {
    sources: &'t Sources,
    sink: &'s mut Sink,
    names: Names<'t>,
    scopes: Rc<[Scope<'t>]>,
    model: Model,
    consts: Vec<ConstState>,
    /// Numbers of all values of enums.
    enum_values: HashMap<(TypeId, &'t str), i64>,
    /// Files in which something could not be read, so that what is missing may have been there.
    unsound: HashSet<FileId>,
    /// How many constants are being evaluated.
    const_depth: usize,
    /// Declared annotations and constants by their place in the order of names.
    annotation_defs: Vec<(usize, AnnotationDef)>,
    const_defs: Vec<(usize, Const)>,
    /// Sets of named types; what those hold is known only at the end.
    sets: Vec<(Place, TypeId)>,
    origins: check::services::Origins,
}

impl<'t> Resolver<'t, '_> {
    fn report(&mut self, draft: Draft) {
        self.sink.report(draft);
    }

    fn placeholders(&mut self) {
        // Of the right kind from the start: what refers to a type asks for that before its turn comes.
        let kind = |shape: Shape| match shape {
            Shape::Struct => TypeKind::Struct(Struct::default()),
            Shape::Enum => TypeKind::Enum(Enum {
                closed: false,
                repr: Type::I32,
                values: Vec::new(),
                reserved: Reserved::default(),
            }),
            Shape::Union | Shape::Error => TypeKind::Union(Union {
                closed: false,
                variants: Vec::new(),
                reserved: Reserved::default(),
            }),
            _ => TypeKind::Alias(Type::Any),
        };
        let placeholder = |package: &str, name: &str, shape: Shape| TypeDef {
            package: package.to_owned(),
            name: name.to_owned(),
            docs: Docs::default(),
            annotations: Vec::new(),
            deprecated: None,
            source: Source::default(),
            kind: kind(shape),
        };
        let types = self.names.types.iter();
        self.model.types = types
            .map(|decl| {
                let package = self.names.packages[decl.package].name;
                placeholder(package, decl.name, decl.shape)
            })
            .collect();
        self.model.services = service::placeholders(&self.names);
        self.origins.prepare(self.model.services.len());
    }

    /// Calls `each` for every definition that has an ID.
    fn each<'f>(
        &mut self,
        files: &'f [File],
        mut each: impl FnMut(&mut Self, &Scope<'t>, &'f Item, ItemId),
    ) {
        let scopes = Rc::clone(&self.scopes);
        for (index, file) in files.iter().enumerate() {
            for (position, item) in file.items.iter().enumerate() {
                if let Some(id) = self.names.items[index][position] {
                    each(self, &scopes[index], item, id);
                }
            }
        }
    }

    fn annotation_defs(&mut self, files: &[File]) {
        self.each(files, |resolver, scope, item, id| {
            if let (ItemKind::Annotation(body), ItemId::Annotation(id)) = (&item.kind, id) {
                resolver.declare_annotation(scope, item, id, body);
            }
        });
        self.annotation_defs.sort_by_key(|(id, _)| *id);
    }

    fn item(&mut self, scope: &Scope<'t>, item: &Item, id: Option<ItemId>) {
        match (&item.kind, id) {
            (ItemKind::Const(..), Some(ItemId::Const(id))) => self.define_const(scope, item, id),
            (ItemKind::Alias(_), Some(ItemId::Type(id))) => self.define_alias(scope, item, id),
            (ItemKind::Enum(body), Some(ItemId::Type(id))) => {
                self.define_enum(scope, item, id, body);
            }
            (ItemKind::Struct(body), Some(ItemId::Type(id))) => {
                self.define_struct(scope, item, id, body);
            }
            (ItemKind::Union(body), Some(ItemId::Type(id))) => {
                self.define_union(scope, item, id, body, false);
            }
            (ItemKind::Error(body), Some(ItemId::Type(id))) => {
                self.define_union(scope, item, id, body, true);
            }
            (ItemKind::Service(body), Some(ItemId::Service(id))) => {
                self.define_service(scope, item, id, body);
            }
            _ => {}
        }
    }

    fn finish_lists(&mut self) {
        self.const_defs.sort_by_key(|(id, _)| *id);
        self.model.consts = self.const_defs.drain(..).map(|(_, def)| def).collect();
        self.model.annotations = self.annotation_defs.drain(..).map(|(_, def)| def).collect();
    }

    fn check_whole(&mut self) {
        let place = |id: TypeId| self.names.types[id.0 as usize].place;
        check::infinite::check(&self.model, place, self.sink);
        check::sets::check(&self.model, &self.sets, self.sink);
        check::services::check(&mut self.model, &self.origins, self.sink);
    }

    /// Docs of a head.
    fn docs(&self, scope: &Scope<'t>, docs: &[Span]) -> Docs {
        let mut out = String::new();
        for (index, doc) in docs.iter().enumerate() {
            let line = doc.of(scope.text).trim_start_matches('/').trim_end();
            if index > 0 {
                out.push('\n');
            }
            out.push_str(line.strip_prefix(' ').unwrap_or(line));
        }
        Docs(out)
    }

    fn source(&self, scope: &Scope<'t>, span: Span) -> Source {
        let source = self.sources.get(scope.file);
        Source {
            file: Arc::clone(&source.short_path),
            line: source.line(span.start),
        }
    }
}

/// Index of a file in lists that run parallel to the files.
fn index(file: FileId) -> usize {
    file.0 as usize
}
