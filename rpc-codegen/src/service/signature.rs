//! Writes a method's signature in the language of `.idl` files.

use rpc_idl::model::{Method, Model, Type};

/// `(id: u64, dry_run: bool) -> User throws UserError`; names of the service's own package stand without it.
pub(super) fn signature(model: &Model, package: &str, method: &Method) -> String {
    let name = |ty: &Type| type_text(model, package, ty);
    let mut params: Vec<_> = method
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, name(&param.ty)))
        .collect();
    params.extend(
        method
            .stream_in
            .iter()
            .map(|param| format!("{}: stream {}", param.name, name(&param.ty))),
    );
    let mut text = format!("({})", params.join(", "));
    if let Some(result) = &method.result {
        let stream = if method.stream_out { "stream " } else { "" };
        text += &format!(" -> {stream}{}", name(result));
    }
    if let Some(error) = &method.throws {
        text += &format!(" throws {}", name(error));
    }
    text
}

fn type_text(model: &Model, package: &str, ty: &Type) -> String {
    let inner = |ty: &Type| type_text(model, package, ty);
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::I8 => "i8".to_owned(),
        Type::I16 => "i16".to_owned(),
        Type::I32 => "i32".to_owned(),
        Type::I64 => "i64".to_owned(),
        Type::I128 => "i128".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::U128 => "u128".to_owned(),
        Type::F32 => "f32".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::String => "string".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::Uuid => "uuid".to_owned(),
        Type::Decimal => "decimal".to_owned(),
        Type::Any => "any".to_owned(),
        Type::Optional(ty) => format!("{}?", inner(ty)),
        Type::List(ty) => format!("list<{}>", inner(ty)),
        Type::Set(ty) => format!("set<{}>", inner(ty)),
        Type::Map(key, value) => format!("map<{}, {}>", inner(key), inner(value)),
        Type::Array(ty, length) => format!("array<{}, {length}>", inner(ty)),
        Type::Named(id) if *model.ty(*id).package == *package => model.ty(*id).name.to_string(),
        Type::Named(id) => model.ty(*id).full_name(),
        Type::Handle(service) => format!("handle<{}>", short(package, service)),
        Type::Foreign(text) => text.clone(),
    }
}

/// A service's name as its own package writes it.
fn short<'a>(package: &str, service: &'a str) -> &'a str {
    match service.rsplit_once('.') {
        Some((home, name)) if home == package => name,
        _ => service,
    }
}
