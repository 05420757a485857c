//! Why bytes could not be read, and where in the value that was.

use std::fmt;

use rmp::Marker;

/// A value that could not be read: a path into it, and the reason.
///
/// The path is put together on the way out of the decoder, so reading costs nothing for it while all goes well.
/// `Display` gives `acme.user.v1.User.attrs["x"]: expected a string, found an integer`.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    root: Option<&'static str>,
    /// Innermost first.
    path: Vec<Step>,
    reason: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Step {
    Field(&'static str),
    Index(usize),
    Key(String),
}

impl DecodeError {
    /// An error with a reason in free words, in lower case and without a full stop.
    #[cold]
    pub fn custom(text: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            root: None,
            path: Vec::new(),
            reason: text.into(),
        }))
    }

    /// A required field that is absent or nil.
    #[cold]
    pub fn missing(ty: &'static str, ordinal: u32, name: &'static str) -> Self {
        Self::custom(format!("missing required field {ordinal} (`{name}`)")).in_type(ty)
    }

    /// A number that a closed enum does not have.
    #[cold]
    pub fn unknown_number(ty: &'static str, number: i64) -> Self {
        Self::custom(format!("{number} is no value of this enum")).in_type(ty)
    }

    /// An ordinal that a closed union does not have.
    #[cold]
    pub fn unknown_variant(ty: &'static str, ordinal: u64) -> Self {
        Self::custom(format!("{ordinal} is no variant of this union")).in_type(ty)
    }

    /// Something of another kind than `what`, which begins with an article: `a string`.
    #[cold]
    pub(super) fn expected(what: &str, found: &'static str) -> Self {
        Self::custom(format!("expected {what}, found {found}"))
    }

    /// A number that does not fit the type.
    #[cold]
    pub(super) fn out_of_range(value: impl fmt::Display, ty: &str) -> Self {
        Self::custom(format!("{value} is out of range for {ty}"))
    }

    /// The input ends inside of a value.
    #[cold]
    pub(super) fn end_of_input() -> Self {
        Self::custom("the input ends inside of a value")
    }

    /// Says that this happened in a field or parameter.
    #[cold]
    #[must_use]
    pub fn in_field(self, name: &'static str) -> Self {
        self.inside(Step::Field(name))
    }

    /// Says that this happened in an element of a list.
    #[cold]
    #[must_use]
    pub fn in_index(self, index: usize) -> Self {
        self.inside(Step::Index(index))
    }

    /// Says that this happened in the value of a map's key, or in that key.
    #[cold]
    #[must_use]
    pub fn in_key(self, key: impl fmt::Display) -> Self {
        self.inside(Step::Key(key.to_string()))
    }

    /// Says to which type the path belongs so far; of nested types, the outermost counts.
    #[cold]
    #[must_use]
    pub fn in_type(mut self, ty: &'static str) -> Self {
        self.0.root = Some(ty);
        self
    }

    /// The reason alone.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Where it happened, such as `acme.user.v1.User.attrs["x"]`; empty if it was the whole value.
    pub fn path(&self) -> String {
        let mut text = String::from(self.0.root.unwrap_or_default());
        for step in self.0.path.iter().rev() {
            match step {
                Step::Field(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) => text.extend([".", name]),
                Step::Index(index) => text.push_str(&format!("[{index}]")),
                Step::Key(key) => text.push_str(&format!("[{key}]")),
            }
        }
        text
    }

    fn inside(mut self, step: Step) -> Self {
        // The name of the inner type says less than the way to it.
        self.0.root = None;
        self.0.path.push(step);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.0.reason)
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self})")
    }
}

impl std::error::Error for DecodeError {}

/// What a marker stands for, in words.
pub(super) fn kind_of(marker: Marker) -> &'static str {
    match marker {
        Marker::Null => "nil",
        Marker::True | Marker::False => "a boolean",
        Marker::FixPos(_) | Marker::FixNeg(_) => "an integer",
        Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => "an integer",
        Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => "an integer",
        Marker::F32 | Marker::F64 => "a float",
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "a string",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "binary",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "an array",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map",
        Marker::FixExt1
        | Marker::FixExt2
        | Marker::FixExt4
        | Marker::FixExt8
        | Marker::FixExt16 => "an extension",
        Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => "an extension",
        Marker::Reserved => "the reserved marker c1",
    }
}
