//! A value that breaks a rule of its type.

use std::fmt;

/// Which part of a value breaks a rule, and the rule.
///
/// `Display` gives `user.tags[3]: must have at most 64 characters, has 70`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    path: String,
    message: String,
}

impl Invalid {
    /// A broken rule at a path, which is empty for the whole value.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }

    /// Says that this is in a field or parameter.
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{name}{separator}{}", self.path);
        self
    }

    /// Says that this is in an element of a list.
    #[must_use]
    pub fn in_index(self, index: usize) -> Self {
        self.in_field(&format!("[{index}]"))
    }

    /// Says that this is in the value of a map's key, or in that key.
    #[must_use]
    pub fn in_key(self, key: impl fmt::Display) -> Self {
        self.in_field(&format!("[{key}]"))
    }

    /// Where it is, such as `user.tags[3]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rule, such as `must have at most 64 characters, has 70`.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}
