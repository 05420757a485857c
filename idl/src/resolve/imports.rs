//! What each file imports, and that packages do not import each other in a circle.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use crate::ast::{File, Import};
use crate::codes;
use crate::diagnostic::{Draft, Sink};
use crate::resolve::names::{Imported, Names, Scope};
use crate::source::{Place, Sources};
use crate::suggest;

/// Builds the scope of every file.
pub(crate) fn bind<'t>(
    sources: &'t Sources,
    files: &[File],
    names: &Names<'t>,
    sink: &mut Sink,
) -> Vec<Scope<'t>> {
    let mut scopes = Vec::with_capacity(files.len());
    for (file, package) in files.iter().zip(&names.file_packages) {
        let mut scope = Scope {
            file: file.id,
            text: &sources.get(file.id).text,
            package: *package,
            imports: Vec::new(),
            aliases: HashMap::new(),
            missing: HashSet::new(),
        };
        for import in &file.imports {
            add(&mut scope, import, names, sink);
        }
        scopes.push(scope);
    }
    report_cycles(&scopes, names, sink);
    scopes
}

fn add<'t>(scope: &mut Scope<'t>, import: &Import, names: &Names<'t>, sink: &mut Sink) {
    let path = import.path.of(scope.text);
    let place = import.path.at(scope.file);
    let alias = match import.alias {
        Some(alias) => alias.of(scope.text),
        None => default_alias(path),
    };
    let Some(package) = names.by_name.get(path).copied() else {
        let mut draft = Draft::new(
            codes::UNKNOWN_PACKAGE,
            place,
            format!("there is no package `{path}`"),
        );
        let own = names.packages[scope.package].name;
        let others = names.by_name.keys().copied().filter(|name| *name != own);
        match suggest::nearest(path, others) {
            Some(near) => {
                draft = draft.suggest(format!("`{near}` is spelt alike"), import.path, near);
            }
            None if path.ends_with(".idl") => {
                draft = draft.help("packages are imported, never files: write what stands behind `package` in that file");
            }
            None => {
                draft = draft.help("no file that was read has this `package` line; give its directory to the compiler too");
            }
        }
        sink.report(draft);
        scope.missing.extend([alias, path]);
        return;
    };
    if package == scope.package {
        let message = format!("package `{path}` imports itself");
        sink.report(
            Draft::new(codes::IMPORT_CYCLE, place, message)
                .help("all files of a package see each other; leave this line out"),
        );
        return;
    }
    let index = scope.imports.len();
    scope.imports.push(Imported {
        package,
        path,
        span: import.span,
        used: Cell::new(false),
    });
    if let Some(first) = scope.aliases.insert(alias, index) {
        let first = &scope.imports[first];
        let same = first.package == package;
        let message = if same {
            format!("package `{path}` is imported twice")
        } else {
            format!("two imports are called `{alias}`")
        };
        let help = if same {
            "leave one of them out".to_owned()
        } else {
            format!("give one of them another name: `import {path} as other;`")
        };
        let draft = Draft::new(codes::DUPLICATE_IMPORT, place, message);
        sink.report(
            draft
                .also(first.span.at(scope.file), "the first one")
                .help(help),
        );
        // One complaint about the line is enough.
        first.used.set(true);
        scope.imports[index].used.set(true);
    }
}

/// The last part that is not a version: `common` of `acme.common.v1`.
pub(crate) fn default_alias(path: &str) -> &str {
    let is_version = |part: &&str| {
        let digits = part.strip_prefix('v').unwrap_or("x");
        digits.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut parts = path.rsplit('.');
    parts.find(|part| !is_version(part)).unwrap_or(path)
}

/// Reports each import that closes a circle of packages.
fn report_cycles(scopes: &[Scope<'_>], names: &Names<'_>, sink: &mut Sink) {
    let mut edges: Vec<Vec<(usize, Place)>> = vec![Vec::new(); names.packages.len()];
    for scope in scopes {
        for import in &scope.imports {
            edges[scope.package].push((import.package, import.span.at(scope.file)));
        }
    }
    for list in &mut edges {
        list.sort_unstable();
        list.dedup_by_key(|(package, _)| *package);
    }
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|package| names.packages[*package].name);
    let mut state = vec![Visit::New; edges.len()];
    for start in order {
        walk(start, &edges, &mut state, |circle, place| {
            let path: Vec<_> = circle.iter().map(|p| names.packages[*p].name).collect();
            let message = format!("packages import each other: {}", path.join(" -> "));
            sink.report(
                Draft::new(codes::IMPORT_CYCLE, place, message)
                    .label("closes the circle")
                    .help("move what both need into a third package"),
            );
        });
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

/// Depth first without recursion; calls `found` with the packages of a circle and the import that closes it.
fn walk(
    start: usize,
    edges: &[Vec<(usize, Place)>],
    state: &mut [Visit],
    mut found: impl FnMut(&[usize], Place),
) {
    if state[start] != Visit::New {
        return;
    }
    state[start] = Visit::Open;
    let mut path = vec![start];
    let mut next = vec![0];
    while let (Some(node), Some(edge)) = (path.last().copied(), next.last_mut()) {
        let Some((target, place)) = edges[node].get(*edge).copied() else {
            state[node] = Visit::Done;
            path.pop();
            next.pop();
            continue;
        };
        *edge += 1;
        match state[target] {
            Visit::New => {
                state[target] = Visit::Open;
                path.push(target);
                next.push(0);
            }
            Visit::Open => {
                let from = path.iter().position(|p| *p == target).unwrap_or(0);
                let mut circle = path[from..].to_vec();
                circle.push(target);
                found(&circle, place);
            }
            Visit::Done => {}
        }
    }
}

/// Warns of imports that nothing used. Silent while there are errors: what is broken may have been the use.
pub(crate) fn report_unused(scopes: &[Scope<'_>], sink: &mut Sink) {
    if sink.has_errors() {
        return;
    }
    for scope in scopes {
        for import in scope.imports.iter().filter(|import| !import.used.get()) {
            let message = format!("nothing uses the import of `{}`", import.path);
            let draft = Draft::new(codes::UNUSED_IMPORT, import.span.at(scope.file), message);
            sink.report(draft.suggest("leave it out", import.span, ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_called_after_its_last_part_that_is_no_version() {
        assert_eq!(default_alias("acme.common.v1"), "common");
        assert_eq!(default_alias("acme.common.v2beta1"), "common");
        assert_eq!(default_alias("acme.vault"), "vault");
        assert_eq!(default_alias("common"), "common");
    }
}
