//! Finds types of which no value could ever be complete.
//!
//! A struct is finite once all its required fields are; a union once one of its variants is. What is never found
//! finite that way goes round in a circle.

use std::collections::HashSet;

use crate::codes;
use crate::diagnostic::{Draft, Sink};
use crate::model::{Model, Payload, Struct, Type, TypeId, TypeKind};
use crate::source::Place;

/// Reports each circle once.
pub(crate) fn check(model: &Model, place: impl Fn(TypeId) -> Place, sink: &mut Sink) {
    let finite = finite_types(model);
    let mut reported = HashSet::new();
    for (index, is_finite) in finite.iter().enumerate() {
        let id = TypeId(index as u32);
        if *is_finite || reported.contains(&id) {
            continue;
        }
        let path = walk(model, id, &finite, &mut reported);
        let Some((_, target)) = path.last() else {
            continue;
        };
        let from = path.iter().position(|(step, _)| step.0 == *target);
        // The walk may have run into a circle that was reported from elsewhere.
        let Some(circle) = from.map(|from| &path[from..]) else {
            continue;
        };
        let steps: Vec<String> = circle
            .iter()
            .map(|((id, member), _)| format!("{}.{member}", model.ty(*id).name))
            .collect();
        let Some(((first, _), _)) = circle.first() else {
            continue;
        };
        let name = &model.ty(*first).name;
        let message = format!("a value of `{name}` could never end");
        let chain = format!("needs {} -> {name} -> …", steps.join(" -> "));
        sink.report(
            Draft::new(codes::INFINITE, place(*first), message)
                .label(chain)
                .help("make a step optional (`?`), a list or a map, or let a union end it"),
        );
    }
}

type Step = ((TypeId, String), TypeId);

/// Follows needs that are not finite until something comes again.
fn walk(model: &Model, start: TypeId, finite: &[bool], seen: &mut HashSet<TypeId>) -> Vec<Step> {
    let mut path = Vec::new();
    let mut id = start;
    while seen.insert(id) {
        let Some((member, next)) = unfinished(model, id, finite) else {
            return Vec::new();
        };
        path.push(((id, member), next));
        id = next;
    }
    path
}

/// A member that keeps the type from ending.
fn unfinished(model: &Model, id: TypeId, finite: &[bool]) -> Option<(String, TypeId)> {
    let of_record = |record: &Struct| {
        record.fields.iter().find_map(|field| {
            let next = needs(model, &field.ty)?;
            (!finite[next.0 as usize]).then(|| (field.name.to_string(), next))
        })
    };
    match &model.ty(id).kind {
        TypeKind::Struct(record) => of_record(record),
        TypeKind::Union(union) | TypeKind::Error(union) => {
            union
                .variants
                .iter()
                .find_map(|variant| match &variant.payload {
                    Payload::Unit => None,
                    Payload::Single(ty) => {
                        let next = needs(model, ty)?;
                        (!finite[next.0 as usize]).then(|| (variant.name.to_string(), next))
                    }
                    Payload::Fields(record) => {
                        let (field, next) = of_record(record)?;
                        Some((format!("{}.{field}", variant.name), next))
                    }
                })
        }
        _ => None,
    }
}

/// The named type without which a value of `ty` cannot be.
fn needs(model: &Model, ty: &Type) -> Option<TypeId> {
    let mut ty = model.resolve(ty);
    while let Type::Array(item, _) = ty {
        ty = model.resolve(item);
    }
    match ty {
        Type::Named(id) => Some(*id),
        _ => None,
    }
}

/// One way for a type to be finite: a struct has one, a union one for each variant.
struct Way {
    owner: TypeId,
    missing: usize,
}

fn finite_types(model: &Model) -> Vec<bool> {
    let mut finite = vec![false; model.types.len()];
    let mut ways: Vec<Way> = Vec::new();
    let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); model.types.len()];
    let mut ready = Vec::new();
    for (index, def) in model.types.iter().enumerate() {
        let owner = TypeId(index as u32);
        let mut add = |needed: &mut dyn Iterator<Item = TypeId>| {
            let way = ways.len() as u32;
            let missing = needed.map(|id| waiting[id.0 as usize].push(way)).count();
            if missing == 0 {
                ready.push(owner);
            }
            ways.push(Way { owner, missing });
        };
        match &def.kind {
            TypeKind::Struct(record) => add(&mut record_needs(model, record)),
            TypeKind::Union(union) | TypeKind::Error(union) => {
                // An empty one has been refused already.
                if union.variants.is_empty() {
                    add(&mut std::iter::empty());
                }
                for variant in &union.variants {
                    match &variant.payload {
                        Payload::Unit => add(&mut std::iter::empty()),
                        Payload::Single(ty) => add(&mut needs(model, ty).into_iter()),
                        Payload::Fields(record) => add(&mut record_needs(model, record)),
                    }
                }
            }
            TypeKind::Enum(_) | TypeKind::Alias(_) => add(&mut std::iter::empty()),
        }
    }
    while let Some(id) = ready.pop() {
        if std::mem::replace(&mut finite[id.0 as usize], true) {
            continue;
        }
        for way in &waiting[id.0 as usize] {
            let way = &mut ways[*way as usize];
            way.missing -= 1;
            if way.missing == 0 {
                ready.push(way.owner);
            }
        }
    }
    finite
}

fn record_needs<'a>(model: &'a Model, record: &'a Struct) -> impl Iterator<Item = TypeId> + 'a {
    record
        .fields
        .iter()
        .filter_map(|field| needs(model, &field.ty))
}
