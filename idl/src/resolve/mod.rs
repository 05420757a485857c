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

use std::cell::RefCell;
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
        texts: RefCell::default(),
        nothing_reserved: Arc::default(),
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
    drop(files);
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
    /// Declared annotations with their place in the order of names, and constants by it.
    annotation_defs: Vec<(u32, AnnotationDef)>,
    const_defs: Vec<Option<Const>>,
    /// Sets of named types; what those hold is known only at the end.
    sets: Vec<(Place, TypeId)>,
    origins: check::services::Origins,
    /// Names in the model, each kept once: most members are called like others.
    texts: RefCell<HashSet<Arc<str>>>,
    /// What most bodies reserve.
    nothing_reserved: Arc<Reserved>,
}

impl<'t> Resolver<'t, '_> {
    fn report(&mut self, draft: Draft) {
        self.sink.report(draft);
    }

    fn placeholders(&mut self) {
        // Of the right kind from the start: what refers to a type asks for that before its turn comes.
        let kind = |shape: Shape| match shape {
            Shape::Struct => TypeKind::Struct(Struct {
                fields: Box::default(),
                reserved: Arc::clone(&self.nothing_reserved),
            }),
            Shape::Enum => TypeKind::Enum(Enum {
                closed: false,
                repr: Type::I32,
                values: Box::default(),
                reserved: Arc::clone(&self.nothing_reserved),
            }),
            Shape::Union | Shape::Error => TypeKind::Union(Union {
                closed: false,
                variants: Box::default(),
                reserved: Arc::clone(&self.nothing_reserved),
            }),
            _ => TypeKind::Alias(Type::Any),
        };
        let no_source = Source::default();
        let placeholder = |package: &Arc<str>, name: &str, shape: Shape| TypeDef {
            package: Arc::clone(package),
            name: name.into(),
            docs: Docs::default(),
            annotations: Box::default(),
            deprecated: None,
            source: no_source.clone(),
            kind: kind(shape),
        };
        let packages = self.names.packages.iter();
        let packages: Vec<_> = packages.map(|package| self.shared(package.name)).collect();
        let types = self.names.types.iter();
        self.model.types = types
            .map(|decl| placeholder(&packages[decl.package], decl.name, decl.shape))
            .collect();
        self.model.services = service::placeholders(&self.names, &packages);
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
        // What only lookups needed goes before room is taken for the lists.
        self.consts = Vec::new();
        self.enum_values = HashMap::new();
        self.names.packages = Vec::new();
        self.names.by_name = HashMap::new();
        self.texts = RefCell::default();
        let consts = mem::take(&mut self.const_defs).into_iter();
        self.model.consts = consts.flatten().collect();
        let annotations = mem::take(&mut self.annotation_defs).into_iter();
        self.model.annotations = annotations.map(|(_, def)| def).collect();
    }

    fn check_whole(&mut self) {
        let place = |id: TypeId| self.names.types[id.0 as usize].place;
        check::infinite::check(&self.model, place, self.sink);
        check::sets::check(&self.model, &self.sets, self.sink);
        check::services::check(&mut self.model, &self.origins, self.sink);
    }

    /// A name for the model: the same text is the same memory.
    fn shared(&self, text: &str) -> Arc<str> {
        let mut texts = self.texts.borrow_mut();
        if let Some(known) = texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        texts.insert(Arc::clone(&new));
        new
    }

    fn package_name(&self, scope: &Scope<'t>) -> Arc<str> {
        self.shared(self.names.packages[scope.package].name)
    }

    /// Docs of a head.
    fn docs(&self, scope: &Scope<'t>, docs: &[Span]) -> Docs {
        let lines = docs.iter().map(|doc| {
            let line = doc.of(scope.text).trim_start_matches('/').trim_end();
            line.strip_prefix(' ').unwrap_or(line)
        });
        let length: usize = lines.clone().map(|line| line.len() + 1).sum();
        let mut out = String::with_capacity(length.saturating_sub(1));
        for (index, line) in lines.enumerate() {
            if index > 0 {
                out.push('\n');
            }
            out.push_str(line);
        }
        Docs(out.into())
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
