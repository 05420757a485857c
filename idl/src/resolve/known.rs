//! The annotations that are built in: where each may stand and what it takes.

/// A built-in annotation.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Sum of targets.
    pub(super) on: u32,
    pub(super) params: &'static [Parameter],
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// An integer that is not negative.
    Number,
    /// A duration above zero.
    Duration,
    /// A number of bytes.
    Size,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A list of some words.
    Words(&'static [&'static str]),
    /// The bare word itself, or `word = true`.
    Flag,
    /// The name of a field or parameter nearby.
    Name,
    /// A value of the type that the annotated field has.
    Bound,
}

pub(super) const PACKAGE: u32 = 1;
pub(super) const STRUCT: u32 = 1 << 1;
pub(super) const ENUM: u32 = 1 << 2;
pub(super) const UNION: u32 = 1 << 3;
pub(super) const ERROR: u32 = 1 << 4;
pub(super) const SERVICE: u32 = 1 << 5;
pub(super) const METHOD: u32 = 1 << 6;
pub(super) const FIELD: u32 = 1 << 7;
pub(super) const VALUE: u32 = 1 << 8;
pub(super) const UNION_VARIANT: u32 = 1 << 9;
pub(super) const ERROR_VARIANT: u32 = 1 << 10;
pub(super) const PARAM: u32 = 1 << 11;
pub(super) const CONST: u32 = 1 << 12;
pub(super) const TYPE: u32 = 1 << 13;
pub(super) const ANNOTATION: u32 = 1 << 14;
const ANY: u32 = (1 << 15) - 1;
const VARIANT: u32 = UNION_VARIANT | ERROR_VARIANT;

/// Targets with their names, as `annotation … on` lists them.
pub(super) const TARGETS: &[(&str, u32)] = &[
    ("package", PACKAGE),
    ("struct", STRUCT),
    ("enum", ENUM),
    ("union", UNION),
    ("error", ERROR),
    ("service", SERVICE),
    ("method", METHOD),
    ("field", FIELD),
    ("value", VALUE),
    ("variant", VARIANT),
    ("param", PARAM),
    ("const", CONST),
    ("type", TYPE),
];

/// The status codes an error variant may have.
pub(super) const STATUS: &[&str] = crate::model::STATUSES;

/// Lints that `@allow` may silence.
const LINTS: &[&str] = &[
    "type_pascal_case",
    "field_snake_case",
    "method_snake_case",
    "enum_value_pascal_case",
    "const_upper_snake",
    "package_lower",
    "package_version_suffix",
    "package_directory_match",
    "file_snake_case",
    "enum_has_zero",
    "ordinal_gaps",
    "ordinal_order",
    "return_is_struct",
    "params_many",
    "bool_param",
    "idempotent_reads",
    "retry_needs_idempotent",
    "stream_has_no_retry",
    "error_has_status",
    "deprecated_has_note",
    "stable_no_import_unstable",
    "u64_in_js",
    "todo_in_docs",
    "comments",
];

const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: true,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
    }
}

const fn known(name: &'static str, on: u32, params: &'static [Parameter]) -> Known {
    Known { name, on, params }
}

/// The closed list.
pub(super) const KNOWN: &[Known] = &[
    known(
        "deprecated",
        ANY,
        &[optional("note", Kind::Text), optional("since", Kind::Text)],
    ),
    known("since", ANY, &[required("version", Kind::Text)]),
    known("allow", ANY, &[required("lint", Kind::Word(LINTS))]),
    known("doc", ANY, &[required("hidden", Kind::Flag)]),
    known(
        "len",
        FIELD | PARAM,
        &[optional("min", Kind::Number), optional("max", Kind::Number)],
    ),
    known(
        "range",
        FIELD | PARAM,
        &[optional("min", Kind::Bound), optional("max", Kind::Bound)],
    ),
    known("pattern", FIELD | PARAM, &[required("regex", Kind::Text)]),
    known(
        "items",
        FIELD | PARAM,
        &[
            optional("min", Kind::Number),
            optional("max", Kind::Number),
            optional("unique", Kind::Flag),
        ],
    ),
    known("sensitive", FIELD, &[]),
    known(
        "js",
        FIELD | PARAM | TYPE,
        &[required("as", Kind::Word(&["number", "bigint", "string"]))],
    ),
    known(
        "rust",
        ANY,
        &[
            optional("type", Kind::Text),
            optional("with", Kind::Text),
            optional("name", Kind::Text),
            optional("crate", Kind::Text),
            optional("boxed", Kind::Flag),
        ],
    ),
    known(
        "name",
        FIELD | VALUE | VARIANT | PARAM,
        &[required("json", Kind::Text)],
    ),
    known(
        "status",
        ERROR_VARIANT,
        &[required("code", Kind::Word(STATUS))],
    ),
    known("retryable", ERROR_VARIANT, &[optional("after", Kind::Name)]),
    known("id", METHOD, &[required("number", Kind::Number)]),
    known("wire_name", METHOD, &[required("name", Kind::Text)]),
    known("idempotent", METHOD, &[]),
    known(
        "timeout",
        METHOD | SERVICE,
        &[required("limit", Kind::Duration)],
    ),
    known(
        "retry",
        METHOD | SERVICE,
        &[
            required("max", Kind::Number),
            optional("on", Kind::Words(STATUS)),
            optional("backoff", Kind::Duration),
        ],
    ),
    known("hedge", METHOD, &[required("after", Kind::Duration)]),
    known(
        "auth",
        METHOD | SERVICE,
        &[optional("scope", Kind::Text), optional("none", Kind::Flag)],
    ),
    known(
        "max_size",
        METHOD | SERVICE,
        &[required("size", Kind::Size)],
    ),
    known("lb", METHOD, &[required("key", Kind::Name)]),
    known(
        "on_cancel",
        METHOD,
        &[required("do", Kind::Word(&["finish"]))],
    ),
    known("shared", METHOD, &[]),
    known("version", SERVICE, &[required("version", Kind::Text)]),
];

/// "a method or a service".
pub(super) fn targets_text(on: u32) -> String {
    let mut words: Vec<&str> = TARGETS
        .iter()
        .filter(|(_, bit)| on & bit == *bit)
        .map(|(name, _)| *name)
        .collect();
    if on & VARIANT == ERROR_VARIANT {
        words.push("variant of an error");
    }
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => format!("a {one}"),
        [some @ .., last] => format!("a {} or {last}", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_annotation_and_word() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/idl.md");
        let manual = std::fs::read_to_string(path).unwrap();
        for known in KNOWN {
            let shown = format!("| `@{}", known.name);
            let also = format!("`, `@{}", known.name);
            assert!(
                manual.contains(&shown) || manual.contains(&also),
                "@{} is not in the manual",
                known.name
            );
        }
        let words = LINTS.iter().chain(STATUS);
        let targets = TARGETS.iter().map(|(name, _)| name);
        for word in words.chain(targets) {
            assert!(
                manual.contains(&format!("`{word}`")),
                "{word} is not in the manual"
            );
        }
    }
}
