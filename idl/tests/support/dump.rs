//! A readable text of a model.

use std::fmt::Write as _;

use rpc_idl::Model;
use rpc_idl::model::{
    Annotation, AnnotationValue, Deprecated, Docs, Method, Param, Payload, Reserved, Struct, Type,
    TypeKind, Union, Value,
};

pub(crate) fn dump(model: &Model) -> String {
    let mut out = String::new();
    for package in &model.packages {
        docs(&mut out, "", &package.docs);
        annotations(&mut out, "", &package.annotations);
        let _ = writeln!(out, "package {}", package.name);
    }
    for def in &model.annotations {
        let params: Vec<_> = def.params.iter().map(|p| param(model, p)).collect();
        let (package, name, on) = (&def.package, &def.name, def.targets.join(", "));
        let _ = writeln!(
            out,
            "annotation {package}::{name}({}) on {on}",
            params.join(", ")
        );
    }
    for def in &model.consts {
        docs(&mut out, "", &def.docs);
        annotations(&mut out, "", &def.annotations);
        let (name, ty, value) = (
            def.full_name(),
            ty(model, &def.ty),
            value(model, &def.value),
        );
        let _ = writeln!(out, "const {name}: {ty} = {value}");
    }
    for def in &model.types {
        docs(&mut out, "", &def.docs);
        annotations(&mut out, "", &def.annotations);
        deprecated(&mut out, "", def.deprecated.as_deref());
        let name = def.full_name();
        match &def.kind {
            TypeKind::Alias(target) => {
                let _ = writeln!(out, "type {name} = {}", ty(model, target));
            }
            TypeKind::Struct(record) => {
                let _ = writeln!(out, "struct {name}");
                fields(&mut out, model, "    ", record);
            }
            TypeKind::Enum(def) => {
                let closed = if def.closed { "closed " } else { "" };
                let _ = writeln!(out, "{closed}enum {name}: {}", ty(model, &def.repr));
                for value in &def.values {
                    docs(&mut out, "    ", &value.docs);
                    annotations(&mut out, "    ", &value.annotations);
                    let _ = writeln!(out, "    {}: {}", value.number, value.name);
                }
                reserved(&mut out, "    ", &def.reserved);
            }
            TypeKind::Union(def) => union(&mut out, model, "union", &name, def),
            TypeKind::Error(def) => union(&mut out, model, "error", &name, def),
        }
    }
    for service in &model.services {
        docs(&mut out, "", &service.docs);
        annotations(&mut out, "", &service.annotations);
        let _ = write!(out, "service {}", service.full_name());
        for parent in &service.extends {
            let _ = write!(out, " + {}", model.service(*parent).full_name());
        }
        if let Some(version) = &service.version {
            let _ = write!(out, " version {version:?}");
        }
        out.push('\n');
        for method in &service.methods {
            self::method(&mut out, model, method);
        }
        if !service.reserved.is_empty() {
            let _ = writeln!(out, "    reserved fn {:?}", service.reserved);
        }
    }
    out
}

fn method(out: &mut String, model: &Model, method: &Method) {
    docs(out, "    ", &method.docs);
    annotations(out, "    ", &method.annotations);
    let mut params: Vec<_> = method.params.iter().map(|p| param(model, p)).collect();
    params.extend(
        method
            .stream_in
            .iter()
            .map(|p| format!("stream {}", param(model, p))),
    );
    let oneway = if method.oneway { "oneway " } else { "" };
    let _ = write!(out, "    {oneway}fn {}({})", method.name, params.join(", "));
    if let Some(result) = &method.result {
        let stream = if method.stream_out { "stream " } else { "" };
        let _ = write!(out, " -> {stream}{}", ty(model, result));
    }
    if let Some(error) = &method.throws {
        let _ = write!(out, " throws {}", ty(model, error));
    }
    let _ = writeln!(
        out,
        "  // {:?}, id {:#x}, wire name {}",
        method.kind(),
        method.call_id,
        method.wire_name
    );
    let mut extra = Vec::new();
    if method.idempotent {
        extra.push("idempotent".to_owned());
    }
    if let Some(nanos) = method.timeout {
        extra.push(format!("timeout {nanos} ns"));
    }
    if let Some(retry) = &method.retry {
        extra.push(format!(
            "retry {} on {:?} backoff {:?}",
            retry.max, retry.on, retry.backoff
        ));
    }
    if let Some(nanos) = method.hedge {
        extra.push(format!("hedge {nanos} ns"));
    }
    if let Some(auth) = &method.auth {
        extra.push(format!("auth {auth:?}"));
    }
    if let Some(size) = method.max_size {
        extra.push(format!("max_size {size}"));
    }
    if let Some(key) = &method.lb_key {
        extra.push(format!("lb {key}"));
    }
    if method.finish {
        extra.push("finish".to_owned());
    }
    if !extra.is_empty() {
        let _ = writeln!(out, "        {}", extra.join(", "));
    }
    deprecated(out, "        ", method.deprecated.as_deref());
}

fn union(out: &mut String, model: &Model, word: &str, name: &str, def: &Union) {
    let closed = if def.closed { "closed " } else { "" };
    let _ = writeln!(out, "{closed}{word} {name}");
    for variant in &def.variants {
        docs(out, "    ", &variant.docs);
        annotations(out, "    ", &variant.annotations);
        let _ = write!(out, "    {}: {}", variant.ordinal, variant.name);
        if let Payload::Single(inner) = &variant.payload {
            let _ = write!(out, "({})", ty(model, inner));
        }
        if let Some(status) = &variant.status {
            let _ = write!(out, " status {status}");
        }
        if let Some(retryable) = &variant.retryable {
            let _ = write!(out, " retryable after {:?}", retryable.after);
        }
        out.push('\n');
        if let Payload::Fields(record) = &variant.payload {
            fields(out, model, "        ", record);
        }
    }
    reserved(out, "    ", &def.reserved);
}

fn fields(out: &mut String, model: &Model, indent: &str, record: &Struct) {
    for field in &record.fields {
        docs(out, indent, &field.docs);
        annotations(out, indent, &field.annotations);
        let _ = write!(
            out,
            "{indent}{}: {}: {}",
            field.ordinal,
            field.name,
            ty(model, &field.ty)
        );
        if let Some(default) = &field.default {
            let _ = write!(out, " = {}", value(model, default));
        }
        if field.sensitive {
            out.push_str(" sensitive");
        }
        for constraint in &field.constraints {
            let _ = write!(out, " {constraint:?}");
        }
        out.push('\n');
        deprecated(out, &format!("{indent}    "), field.deprecated.as_deref());
    }
    reserved(out, indent, &record.reserved);
}

fn param(model: &Model, param: &Param) -> String {
    let mut out = format!("{}: {}", param.name, ty(model, &param.ty));
    if let Some(default) = &param.default {
        let _ = write!(out, " = {}", value(model, default));
    }
    for constraint in &param.constraints {
        let _ = write!(out, " {constraint:?}");
    }
    out
}

fn docs(out: &mut String, indent: &str, docs: &Docs) {
    for line in docs.0.lines() {
        let _ = writeln!(out, "{indent}/// {line}");
    }
}

fn annotations(out: &mut String, indent: &str, annotations: &[Annotation]) {
    for annotation in annotations {
        let args: Vec<_> = annotation
            .args
            .iter()
            .map(|(name, value)| {
                let equals = if name.is_empty() { "" } else { " = " };
                format!("{name}{equals}{}", annotation_value(value))
            })
            .collect();
        let _ = writeln!(out, "{indent}@{}({})", annotation.name, args.join(", "));
    }
}

fn annotation_value(value: &AnnotationValue) -> String {
    match value {
        AnnotationValue::Literal(value) => format!("{value:?}"),
        AnnotationValue::Word(word) => word.to_string(),
        AnnotationValue::List(items) => {
            let items: Vec<_> = items.iter().map(annotation_value).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

fn deprecated(out: &mut String, indent: &str, deprecated: Option<&Deprecated>) {
    if let Some(deprecated) = deprecated {
        let _ = writeln!(
            out,
            "{indent}deprecated {:?} since {:?}",
            deprecated.note, deprecated.since
        );
    }
}

fn reserved(out: &mut String, indent: &str, reserved: &Reserved) {
    if *reserved != Reserved::default() {
        let _ = writeln!(
            out,
            "{indent}reserved {:?} {:?}",
            reserved.ranges, reserved.names
        );
    }
}

fn ty(model: &Model, of: &Type) -> String {
    match of {
        Type::Optional(inner) => format!("{}?", ty(model, inner)),
        Type::List(item) => format!("list<{}>", ty(model, item)),
        Type::Set(item) => format!("set<{}>", ty(model, item)),
        Type::Map(key, value) => format!("map<{}, {}>", ty(model, key), ty(model, value)),
        Type::Array(item, length) => format!("array<{}, {length}>", ty(model, item)),
        Type::Named(id) => model.ty(*id).full_name(),
        Type::Handle(service) => format!("handle<{service}>"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn value(model: &Model, of: &Value) -> String {
    match of {
        Value::Enum(id, number) => format!("{}({number})", model.ty(*id).full_name()),
        other => format!("{other:?}"),
    }
}
