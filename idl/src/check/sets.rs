//! Sets of named types: their elements are compared, so that nothing inside may be a float, `any` or a map.

use crate::codes;
use crate::diagnostic::{Draft, Sink};
use crate::model::{Model, Payload, Type, TypeId, TypeKind};
use crate::source::Place;

pub(crate) fn check(model: &Model, sets: &[(Place, TypeId)], sink: &mut Sink) {
    if sets.is_empty() {
        return;
    }
    let faults = faults(model);
    for (place, id) in sets {
        let Some(member) = &faults[id.0 as usize] else {
            continue;
        };
        let name = &model.ty(*id).name;
        let message = format!("`{name}` cannot be the element of a set");
        sink.report(
            Draft::new(codes::SET_ELEMENT, *place, message)
                .label(format!("because of `{member}`"))
                .help(
                    "elements are compared, which floats, `any` and maps cannot be; use a `list`",
                ),
        );
    }
}

/// For each type the member that cannot be compared, found backwards from those that cannot by themselves.
fn faults(model: &Model) -> Vec<Option<String>> {
    let mut faults: Vec<Option<String>> = vec![None; model.types.len()];
    let mut users: Vec<Vec<(TypeId, String)>> = vec![Vec::new(); model.types.len()];
    let mut pending = Vec::new();
    for (index, def) in model.types.iter().enumerate() {
        let id = TypeId(index as u32);
        each_member(&def.kind, &mut |name, ty| {
            let mut inside = vec![ty];
            while let Some(ty) = inside.pop() {
                match ty {
                    Type::F32 | Type::F64 | Type::Any | Type::Map(..)
                        if faults[index].is_none() =>
                    {
                        faults[index] = Some(format!("{}.{name}", def.name));
                        pending.push(id);
                    }
                    Type::Optional(a) | Type::List(a) | Type::Set(a) | Type::Array(a, _) => {
                        inside.push(a);
                    }
                    Type::Named(used) => {
                        users[used.0 as usize].push((id, format!("{}.{name}", def.name)));
                    }
                    _ => {}
                }
            }
        });
    }
    while let Some(id) = pending.pop() {
        for (user, member) in std::mem::take(&mut users[id.0 as usize]) {
            let fault = &mut faults[user.0 as usize];
            if fault.is_none() {
                *fault = Some(member);
                pending.push(user);
            }
        }
    }
    faults
}

fn each_member<'a>(kind: &'a TypeKind, each: &mut dyn FnMut(&'a str, &'a Type)) {
    match kind {
        TypeKind::Struct(record) => {
            for field in &record.fields {
                each(&field.name, &field.ty);
            }
        }
        TypeKind::Union(union) | TypeKind::Error(union) => {
            for variant in &union.variants {
                match &variant.payload {
                    Payload::Unit => {}
                    Payload::Single(ty) => each(&variant.name, ty),
                    Payload::Fields(record) => {
                        for field in &record.fields {
                            each(&field.name, &field.ty);
                        }
                    }
                }
            }
        }
        TypeKind::Alias(ty) => each("", ty),
        TypeKind::Enum(_) => {}
    }
}
