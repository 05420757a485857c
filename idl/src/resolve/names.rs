//! Who is called what: the definitions of every package, and how a name is looked up.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use crate::ast::{File, ItemKind};
use crate::check::members;
use crate::codes;
use crate::diagnostic::{Draft, Sink};
use crate::model::{ServiceId, TypeId};
use crate::source::{FileId, Place, Sources, Span};
use crate::suggest;

/// All packages and definitions.
pub(crate) struct Names<'t> {
    pub(crate) packages: Vec<PackageNames<'t>>,
    pub(crate) by_name: HashMap<&'t str, usize>,
    /// By [`TypeId`].
    pub(crate) types: Vec<Declared<'t>>,
    /// By [`ServiceId`].
    pub(crate) services: Vec<Declared<'t>>,
    /// Parallel to the files' items; `None` for a second definition of a name.
    pub(crate) items: Vec<Vec<Option<ItemId>>>,
    /// Parallel to the files.
    pub(crate) file_packages: Vec<usize>,
}

pub(crate) struct PackageNames<'t> {
    pub(crate) name: &'t str,
    pub(crate) symbols: HashMap<&'t str, Symbol>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol {
    pub(crate) place: Place,
    pub(crate) id: SymbolId,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SymbolId {
    Item(ItemId),
    /// A definition that could not be read, reported already.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ItemId {
    Type(TypeId),
    Service(ServiceId),
    Const(u32),
    Annotation(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    Struct,
    Enum,
    Union,
    Error,
    Alias,
    Service,
    Const,
    Annotation,
}

#[derive(Clone, Copy)]
pub(crate) struct Declared<'t> {
    pub(crate) package: usize,
    pub(crate) name: &'t str,
    pub(crate) place: Place,
    pub(crate) shape: Shape,
}

/// What a file sees.
pub(crate) struct Scope<'t> {
    pub(crate) file: FileId,
    pub(crate) text: &'t str,
    pub(crate) package: usize,
    pub(crate) imports: Vec<Imported<'t>>,
    pub(crate) aliases: HashMap<&'t str, usize>,
    /// Names and packages of imports whose package does not exist; what they lead to is not reported again.
    pub(crate) missing: HashSet<&'t str>,
}

pub(crate) struct Imported<'t> {
    pub(crate) package: usize,
    pub(crate) path: &'t str,
    pub(crate) span: Span,
    pub(crate) used: Cell<bool>,
}

/// What a dotted name leads to.
pub(crate) enum Found {
    Symbol(Symbol),
    /// The package is there, the name in it is not.
    NoName(usize),
    /// The package is there, and not imported.
    NotImported(usize),
    NoPackage,
}

impl<'t> Names<'t> {
    /// Collects the definitions of all files; IDs follow the order of full names.
    pub(crate) fn declare(sources: &'t Sources, files: &[File], sink: &mut Sink) -> Self {
        let mut names = Self {
            packages: Vec::new(),
            by_name: HashMap::new(),
            types: Vec::new(),
            services: Vec::new(),
            items: Vec::with_capacity(files.len()),
            file_packages: Vec::with_capacity(files.len()),
        };
        let mut pending = Vec::new();
        for file in files {
            names.declare_file(sources, file, &mut pending, sink);
        }
        names.number(pending, sink);
        names
    }

    fn declare_file(
        &mut self,
        sources: &'t Sources,
        file: &File,
        pending: &mut Vec<Pending<'t>>,
        sink: &mut Sink,
    ) {
        let text = sources.get(file.id).text.as_str();
        let name = file.package.as_ref().map_or("", |line| line.path.of(text));
        if file.package.is_none() && !(file.items.is_empty() && file.broken.is_empty()) {
            let start = file.items.first().map_or(Span::default(), |item| item.name);
            sink.report(
                Draft::new(
                    codes::NO_PACKAGE,
                    start.at(file.id),
                    "the file does not say which package it belongs to",
                )
                .label("defined outside of any package")
                .help("start the file with a line such as `package acme.user.v1;`"),
            );
        }
        let package = self.package(name);
        self.file_packages.push(package);
        let mut ids = Vec::with_capacity(file.items.len());
        for (position, item) in file.items.iter().enumerate() {
            let declared = Declared {
                package,
                name: item.name.of(text),
                place: item.name.at(file.id),
                shape: shape(&item.kind),
            };
            let is_new = self.insert(declared, sink);
            ids.push(None);
            if is_new {
                let at = (file.id.0 as usize, position);
                pending.push(Pending { declared, at });
            }
        }
        self.items.push(ids);
        for broken in &file.broken {
            let symbol = Symbol {
                place: broken.at(file.id),
                id: SymbolId::Broken,
            };
            let symbols = &mut self.packages[package].symbols;
            symbols.entry(broken.of(text)).or_insert(symbol);
        }
    }

    fn package(&mut self, name: &'t str) -> usize {
        *self.by_name.entry(name).or_insert_with(|| {
            self.packages.push(PackageNames {
                name,
                symbols: HashMap::new(),
            });
            self.packages.len() - 1
        })
    }

    /// Whether the name is free; if not, that is reported.
    fn insert(&mut self, declared: Declared<'t>, sink: &mut Sink) -> bool {
        let Declared { name, place, .. } = declared;
        if is_builtin(name) && declared.shape != Shape::Annotation {
            let message = format!("`{name}` is the name of a built-in type");
            sink.report(
                Draft::new(codes::BUILTIN_NAME, place, message).help("choose another name"),
            );
            return false;
        }
        let id = SymbolId::Broken;
        let PackageNames {
            name: package,
            symbols,
        } = &mut self.packages[declared.package];
        if let Some(first) = symbols.get(name) {
            let message = format!("`{name}` is defined twice in package `{package}`");
            sink.report(
                Draft::new(codes::DUPLICATE_NAME, place, message)
                    .label("defined again")
                    .also(first.place, "first defined here"),
            );
            return false;
        }
        symbols.insert(name, Symbol { place, id });
        true
    }

    /// Gives out IDs in the order of full names, whatever file and order the definitions were written in.
    fn number(&mut self, mut pending: Vec<Pending<'t>>, sink: &mut Sink) {
        pending.shrink_to_fit();
        pending.sort_by(|a, b| self.full(&a.declared).cmp(self.full(&b.declared)));
        let declared: Vec<_> = pending.iter().map(|pending| pending.declared).collect();
        members::definitions(&declared, sink);
        let services = declared
            .iter()
            .filter(|found| found.shape == Shape::Service);
        self.services.reserve_exact(services.count());
        let others = [Shape::Service, Shape::Const, Shape::Annotation];
        let types = declared
            .iter()
            .filter(|found| !others.contains(&found.shape));
        self.types.reserve_exact(types.count());
        drop(declared);
        let (mut consts, mut annotations) = (0, 0);
        for Pending { declared, at } in pending {
            let id = match declared.shape {
                Shape::Service => {
                    self.services.push(declared);
                    ItemId::Service(ServiceId(self.services.len() as u32 - 1))
                }
                Shape::Const => {
                    consts += 1;
                    ItemId::Const(consts - 1)
                }
                Shape::Annotation => {
                    annotations += 1;
                    ItemId::Annotation(annotations - 1)
                }
                _ => {
                    self.types.push(declared);
                    ItemId::Type(TypeId(self.types.len() as u32 - 1))
                }
            };
            self.items[at.0][at.1] = Some(id);
            let symbols = &mut self.packages[declared.package].symbols;
            if let Some(symbol) = symbols.get_mut(declared.name) {
                symbol.id = SymbolId::Item(id);
            }
        }
    }

    /// The bytes of `package.name`.
    fn full(&self, declared: &Declared<'t>) -> impl Iterator<Item = u8> + use<'t> {
        let package = self.packages[declared.package].name;
        let dot = if package.is_empty() { "" } else { "." };
        package
            .bytes()
            .chain(dot.bytes())
            .chain(declared.name.bytes())
    }

    /// Looks up `Name`, `alias.Name` or `full.package.Name`.
    pub(crate) fn find(&self, scope: &Scope<'t>, path: &str) -> Found {
        let Some((qualifier, name)) = path.rsplit_once('.') else {
            return self.in_package(scope.package, path);
        };
        match self.qualifier(scope, qualifier) {
            Ok(package) => self.in_package(package, name),
            Err(found) => found,
        }
    }

    /// The package that an alias or full name means in this file.
    pub(crate) fn qualifier(&self, scope: &Scope<'t>, qualifier: &str) -> Result<usize, Found> {
        if let Some(index) = scope.aliases.get(qualifier) {
            scope.imports[*index].used.set(true);
            return Ok(scope.imports[*index].package);
        }
        let Some(package) = self.by_name.get(qualifier).copied() else {
            return Err(Found::NoPackage);
        };
        if package == scope.package {
            return Ok(package);
        }
        let import = scope
            .imports
            .iter()
            .find(|import| import.package == package);
        match import {
            Some(import) => {
                import.used.set(true);
                Ok(package)
            }
            None => Err(Found::NotImported(package)),
        }
    }

    fn in_package(&self, package: usize, name: &str) -> Found {
        match self.packages[package].symbols.get(name) {
            Some(symbol) => Found::Symbol(*symbol),
            None => Found::NoName(package),
        }
    }

    /// A name of the package, or of one the file imports, that is spelt nearly like `path`.
    pub(crate) fn nearest(
        &self,
        scope: &Scope<'t>,
        path: &str,
        package: usize,
        fits: fn(SymbolId) -> bool,
    ) -> Option<String> {
        let (prefix, name) = match path.rsplit_once('.') {
            Some((qualifier, name)) => (format!("{qualifier}."), name),
            None => (String::new(), path),
        };
        let symbols = self.packages[package].symbols.iter();
        let fitting = symbols.filter(|(_, symbol)| fits(symbol.id));
        if let Some(near) = suggest::nearest(name, fitting.map(|(name, _)| *name)) {
            return Some(format!("{prefix}{near}"));
        }
        let mut aliases: Vec<_> = scope.aliases.iter().collect();
        aliases.sort();
        aliases.into_iter().find_map(|(alias, index)| {
            let symbols = &self.packages[scope.imports[*index].package].symbols;
            let symbol = symbols.get(name)?;
            fits(symbol.id).then(|| format!("{alias}.{name}"))
        })
    }
}

struct Pending<'t> {
    declared: Declared<'t>,
    /// File and position in it.
    at: (usize, usize),
}

fn shape(kind: &ItemKind) -> Shape {
    match kind {
        ItemKind::Struct(_) => Shape::Struct,
        ItemKind::Enum(_) => Shape::Enum,
        ItemKind::Union(_) => Shape::Union,
        ItemKind::Error(_) => Shape::Error,
        ItemKind::Service(_) => Shape::Service,
        ItemKind::Const(..) => Shape::Const,
        ItemKind::Alias(_) => Shape::Alias,
        ItemKind::Annotation(_) => Shape::Annotation,
    }
}

/// Names of types that are always there.
pub(crate) const BUILTIN: &[&str] = &[
    "bool",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "f32",
    "f64",
    "string",
    "bytes",
    "timestamp",
    "duration",
    "uuid",
    "decimal",
    "any",
    "list",
    "set",
    "map",
    "array",
];

pub(crate) fn is_builtin(name: &str) -> bool {
    BUILTIN.contains(&name)
}
