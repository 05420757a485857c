//! What must be known of all types before one is emitted: what they contain, what they can derive.

use std::collections::BTreeSet;

use rpc_idl::model::{Constraint, Field, Model, Payload, Type, TypeDef, TypeId, TypeKind};

use super::names;

/// Facts about every type of a model, by its index.
pub(super) struct Facts {
    /// Types that lie inside of it without a list, set or map between.
    inside: Vec<BTreeSet<TypeId>>,
    /// Whether two values can always be compared, ordered and hashed; floats and `any` cannot.
    total: Vec<bool>,
    /// Whether something in it has a rule to check.
    ruled: Vec<bool>,
    /// Whether it is a struct with something in it that a view borrows; variants stay as they are.
    viewed: Vec<bool>,
}

impl Facts {
    pub(super) fn of(model: &Model) -> Self {
        let inside = model.types.iter().map(direct).collect();
        let count = model.types.len();
        let mut facts = Self {
            inside,
            total: vec![true; count],
            ruled: vec![false; count],
            viewed: vec![false; count],
        };
        facts.close();
        facts.settle(model);
        facts.settle_views(model);
        facts
    }

    /// Whether a value of this type has something in it that a view borrows.
    pub(super) fn borrows(&self, model: &Model, ty: &Type) -> bool {
        match model.resolve(ty) {
            Type::String | Type::Bytes => true,
            Type::List(item) => *model.resolve(item) == Type::U8 || self.borrows(model, item),
            Type::Optional(inner) | Type::Set(inner) | Type::Array(inner, _) => {
                self.borrows(model, inner)
            }
            Type::Map(key, value) => self.borrows(model, key) || self.borrows(model, value),
            Type::Named(id) => self.viewed[id.0 as usize],
            _ => false,
        }
    }

    /// Whether this struct has a view of its own.
    pub(super) fn is_viewed(&self, id: TypeId) -> bool {
        self.viewed[id.0 as usize]
    }

    /// Whether a value of `outer` contains one of `inner` in place, and so needs a box if they are the same.
    pub(super) fn contains(&self, outer: TypeId, inner: TypeId) -> bool {
        outer == inner || self.inside[outer.0 as usize].contains(&inner)
    }

    /// Whether values of this type can be compared, ordered and hashed.
    pub(super) fn is_total(&self, ty: &Type) -> bool {
        match ty {
            Type::F32 | Type::F64 | Type::Any | Type::Foreign(_) => false,
            Type::Optional(inner)
            | Type::List(inner)
            | Type::Set(inner)
            | Type::Array(inner, _) => self.is_total(inner),
            Type::Map(key, value) => self.is_total(key) && self.is_total(value),
            Type::Named(id) => self.total[id.0 as usize],
            _ => true,
        }
    }

    /// Whether values of this named type can be compared, ordered and hashed.
    pub(super) fn is_total_type(&self, id: TypeId) -> bool {
        self.total[id.0 as usize]
    }

    /// Whether something in this type has a rule to check.
    pub(super) fn is_ruled(&self, ty: &Type) -> bool {
        match ty {
            Type::Optional(inner)
            | Type::List(inner)
            | Type::Set(inner)
            | Type::Array(inner, _) => self.is_ruled(inner),
            Type::Map(key, value) => self.is_ruled(key) || self.is_ruled(value),
            Type::Named(id) => self.ruled[id.0 as usize],
            _ => false,
        }
    }

    /// Follows containment to its end.
    fn close(&mut self) {
        loop {
            let mut changed = false;
            for index in 0..self.inside.len() {
                let reached: BTreeSet<_> = self.inside[index]
                    .iter()
                    .flat_map(|id| self.inside[id.0 as usize].iter().copied())
                    .collect();
                let before = self.inside[index].len();
                self.inside[index].extend(reached);
                changed |= self.inside[index].len() > before;
            }
            if !changed {
                return;
            }
        }
    }

    /// Lets "has something to borrow" spread until nothing changes.
    fn settle_views(&mut self, model: &Model) {
        loop {
            let mut changed = false;
            for (index, def) in model.types.iter().enumerate() {
                let TypeKind::Struct(record) = &def.kind else {
                    continue;
                };
                // A type of the user's that is called as the view would be goes before.
                let name = names::view(&def.name);
                let is_taken = model
                    .types
                    .iter()
                    .any(|other| other.package == def.package && names::camel(&other.name) == name);
                let mut fields = record.fields.iter();
                let viewed = !is_taken && fields.any(|field| self.borrows(model, &field.ty));
                changed |= viewed != self.viewed[index];
                self.viewed[index] = viewed;
            }
            if !changed {
                return;
            }
        }
    }

    /// Lets "is not total" and "has rules" spread until nothing changes.
    fn settle(&mut self, model: &Model) {
        loop {
            let mut changed = false;
            for (index, def) in model.types.iter().enumerate() {
                let members = members(def);
                let total = members.iter().all(|member| self.is_total(member.ty));
                let ruled = members
                    .iter()
                    .any(|member| !member.constraints.is_empty() || self.is_ruled(member.ty));
                changed |= total != self.total[index] || ruled != self.ruled[index];
                (self.total[index], self.ruled[index]) = (total, ruled);
            }
            if !changed {
                return;
            }
        }
    }
}

/// A type inside of a definition, and its rules.
struct Member<'a> {
    ty: &'a Type,
    constraints: &'a [Constraint],
}

fn members(def: &TypeDef) -> Vec<Member<'_>> {
    match &def.kind {
        TypeKind::Struct(record) => record.fields.iter().map(member).collect(),
        TypeKind::Enum(_) => Vec::new(),
        TypeKind::Union(union) | TypeKind::Error(union) => {
            let mut members = Vec::new();
            for variant in &union.variants {
                match &variant.payload {
                    Payload::Unit => {}
                    Payload::Single(ty) => members.push(Member {
                        ty,
                        constraints: &[],
                    }),
                    Payload::Fields(record) => members.extend(record.fields.iter().map(member)),
                }
            }
            members
        }
        TypeKind::Alias(target) => vec![Member {
            ty: target,
            constraints: &[],
        }],
    }
}

fn member(field: &Field) -> Member<'_> {
    Member {
        ty: &field.ty,
        constraints: &field.constraints,
    }
}

fn direct(def: &TypeDef) -> BTreeSet<TypeId> {
    members(def)
        .into_iter()
        .filter_map(|member| in_place(member.ty))
        .collect()
}

/// The named type that lies in place in a value of this type.
fn in_place(ty: &Type) -> Option<TypeId> {
    match ty {
        Type::Named(id) => Some(*id),
        Type::Optional(inner) | Type::Array(inner, _) => in_place(inner),
        _ => None,
    }
}
