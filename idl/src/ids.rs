//! Numbers both machines agree on: call IDs and fingerprints, computed from names and shapes.

use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt::Write as _;

use crate::model::{
    Method, Model, Payload, Service, ServiceId, Struct, Type, TypeId, TypeKind, Union, Value,
};

/// Call IDs below this belong to the framework's own services (health, reflection, …).
pub const FRAMEWORK_IDS: u64 = 1024;

/// Whether a package is the framework's own: only those may give call IDs below [`FRAMEWORK_IDS`].
pub fn is_framework(package: &str) -> bool {
    package == "rpc" || package.starts_with("rpc.")
}

/// Call IDs are 53 bits wide, so that a double holds each of them exactly.
pub const CALL_ID_BITS: u32 = 53;

/// The number of a method: the first 8 bytes (big endian) of SHA-256 of `service/method`, shifted right by 11.
///
/// `service` is the full dotted name. The same number comes from
/// `printf 'acme.user.v1.UserService/get_user' | sha256sum | cut -c1-16`, shifted right by 11 bits.
///
/// ```
/// assert_eq!(rpc_idl::ids::call_id("acme.user.v1.UserService", "get_user"), 0x0019_8b2f_14fc_ffeb);
/// ```
pub fn call_id(service: &str, method: &str) -> u64 {
    hash(&format!("{service}/{method}")) >> (64 - CALL_ID_BITS)
}

/// Fingerprint of one method: its identity, kind, parameters, result and error, and the closure of their types.
///
/// Names of fields, variants, enum values and parameters, documentation and annotations do not enter; a change that
/// cannot be seen on the wire does not change it.
pub fn method_fingerprint(model: &Model, service: ServiceId, method: &Method) -> u64 {
    let mut text = String::new();
    let mut closure = Vec::new();
    write_method(
        model,
        model.service(service),
        method,
        &mut text,
        &mut closure,
    );
    write_closure(model, closure, &mut text);
    hash(&text)
}

/// Fingerprint of a service: every method it answers, sorted by call ID, and the closure of their types.
pub fn service_fingerprint(model: &Model, service: ServiceId) -> u64 {
    hash(&canonical_text(model, service))
}

/// The text that [`service_fingerprint`] hashes; published so that other languages can compare step by step.
pub fn canonical_text(model: &Model, service: ServiceId) -> String {
    let mut text = format!("service {}\n", model.service(service).full_name());
    let mut methods = model.all_methods(service);
    methods.sort_by_key(|(_, method)| method.call_id);
    let mut closure = Vec::new();
    for (declared_by, method) in methods {
        write_method(
            model,
            model.service(declared_by),
            method,
            &mut text,
            &mut closure,
        );
    }
    write_closure(model, closure, &mut text);
    text
}

fn hash(text: &str) -> u64 {
    let digest = hmac_sha256::Hash::hash(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

fn write_method(
    model: &Model,
    service: &Service,
    method: &Method,
    out: &mut String,
    closure: &mut Vec<TypeId>,
) {
    let _ = write!(
        out,
        "method {} {}/{}",
        method.call_id,
        service.full_name(),
        method.wire_name
    );
    if method.oneway {
        out.push_str(" oneway");
    }
    out.push_str(" (");
    for (index, param) in method.params.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_type(model, &param.ty, out, closure);
        write_default(param.default.as_deref(), out);
    }
    out.push(')');
    if let Some(param) = &method.stream_in {
        out.push_str(" stream ");
        write_type(model, &param.ty, out, closure);
    }
    out.push_str(" -> ");
    if method.stream_out {
        out.push_str("stream ");
    }
    match &method.result {
        Some(ty) => write_type(model, ty, out, closure),
        None => out.push_str("void"),
    }
    if let Some(ty) = &method.throws {
        out.push_str(" throws ");
        write_type(model, ty, out, closure);
    }
    out.push('\n');
}

/// Writes each type reached, sorted by full name, once.
fn write_closure(model: &Model, mut pending: Vec<TypeId>, out: &mut String) {
    let mut blocks = BTreeMap::new();
    while let Some(id) = pending.pop() {
        let name = model.ty(id).full_name();
        if let Entry::Vacant(place) = blocks.entry(name) {
            let mut block = String::new();
            write_def(model, id, &mut block, &mut pending);
            place.insert(block);
        }
    }
    out.extend(blocks.into_values());
}

fn write_def(model: &Model, id: TypeId, out: &mut String, closure: &mut Vec<TypeId>) {
    let def = model.ty(id);
    let name = def.full_name();
    match &def.kind {
        TypeKind::Struct(fields) => {
            let _ = writeln!(out, "struct {name}");
            write_fields(model, fields, "  ", out, closure);
        }
        TypeKind::Enum(definition) => {
            let _ = write!(
                out,
                "{}enum {name} ",
                if definition.closed { "closed " } else { "" }
            );
            write_type(model, &definition.repr, out, closure);
            out.push('\n');
            for value in &definition.values {
                let _ = writeln!(out, "  {}", value.number);
            }
        }
        TypeKind::Union(union) => write_union(model, "union", &name, union, out, closure),
        TypeKind::Error(union) => write_union(model, "error", &name, union, out, closure),
        // Aliases are followed where they are used and never enter the closure.
        TypeKind::Alias(_) => {}
    }
}

fn write_fields(
    model: &Model,
    fields: &Struct,
    indent: &str,
    out: &mut String,
    closure: &mut Vec<TypeId>,
) {
    for field in &fields.fields {
        let _ = write!(out, "{indent}{} ", field.ordinal);
        write_type(model, &field.ty, out, closure);
        write_default(field.default.as_deref(), out);
        out.push('\n');
    }
}

fn write_union(
    model: &Model,
    word: &str,
    name: &str,
    union: &Union,
    out: &mut String,
    closure: &mut Vec<TypeId>,
) {
    let _ = writeln!(
        out,
        "{}{word} {name}",
        if union.closed { "closed " } else { "" }
    );
    for variant in &union.variants {
        let _ = write!(out, "  {}", variant.ordinal);
        match &variant.payload {
            Payload::Unit => out.push_str(" unit\n"),
            Payload::Single(ty) => {
                out.push(' ');
                write_type(model, ty, out, closure);
                out.push('\n');
            }
            Payload::Fields(fields) => {
                out.push_str(" struct\n");
                write_fields(model, fields, "    ", out, closure);
            }
        }
    }
}

/// That a default exists decides whether a missing field is an error; which one it is cannot be seen on the wire.
fn write_default(default: Option<&Value>, out: &mut String) {
    if default.is_some() {
        out.push_str(" default");
    }
}

fn write_type(model: &Model, ty: &Type, out: &mut String, closure: &mut Vec<TypeId>) {
    let simple = match ty {
        Type::Bool => "bool",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::I128 => "i128",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::U128 => "u128",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Timestamp => "timestamp",
        Type::Duration => "duration",
        Type::Uuid => "uuid",
        Type::Decimal => "decimal",
        Type::Any => "any",
        Type::Optional(inner) => {
            write_type(model, inner, out, closure);
            out.push('?');
            return;
        }
        Type::List(item) => return write_generic(model, "list", &[item], out, closure),
        Type::Set(item) => return write_generic(model, "set", &[item], out, closure),
        Type::Map(key, value) => return write_generic(model, "map", &[key, value], out, closure),
        Type::Array(item, length) => {
            out.push_str("array<");
            write_type(model, item, out, closure);
            let _ = write!(out, ",{length}>");
            return;
        }
        Type::Named(id) => {
            if let TypeKind::Alias(target) = &model.ty(*id).kind {
                return write_type(model, target, out, closure);
            }
            closure.push(*id);
            out.push_str(&model.ty(*id).full_name());
            return;
        }
        // What the service can do is in its own fingerprint, so services may refer to each other in a circle.
        Type::Handle(service) => {
            let _ = write!(out, "handle {service}");
            return;
        }
        Type::Foreign(name) => {
            let _ = write!(out, "foreign {name}");
            return;
        }
    };
    out.push_str(simple);
}

fn write_generic(
    model: &Model,
    word: &str,
    arguments: &[&Type],
    out: &mut String,
    closure: &mut Vec<TypeId>,
) {
    let _ = write!(out, "{word}<");
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_type(model, argument, out, closure);
    }
    out.push('>');
}
