//! Metadata: short texts that travel beside a call.

use std::fmt;

use crate::codec::{DecodeError, Reader, write};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::security::AUTHORIZATION;

/// Key and value pairs that travel beside the parameters of a call, in order.
///
/// Keys are lower-case ASCII letters, digits, `-`, `_` and `.`, at most 64 bytes; values are UTF-8. At most 64 entries
/// and 8 KiB in all by default ([`Limits`]). A key may stand more than once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<(String, String)>,
}

impl fmt::Debug for Metadata {
    /// Shows no credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |key, value| if key == AUTHORIZATION { "…" } else { value };
        f.debug_map()
            .entries(self.iter().map(|(key, value)| (key, shown(key, value))))
            .finish()
    }
}

/// The first value of a key in the section of a frame, without decoding the rest; nothing if it is malformed before.
pub(crate) fn find<'a>(section: &'a [u8], key: &str) -> Option<&'a str> {
    if section.is_empty() {
        return None;
    }
    let mut input = Reader::new(section);
    for _ in 0..input.map().ok()? {
        if input.key().ok()? == key {
            return input
                .field::<Option<&str>>("value")
                .ok()
                .flatten()
                .flatten();
        }
        input.skip().ok()?;
    }
    None
}

/// Longest key in bytes.
const KEY_BYTES: usize = 64;

impl Metadata {
    /// Makes it without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if the key has other characters than those
    /// above or is too long.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) -> Result<()> {
        let key = key.into();
        let legal = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        };
        if key.is_empty() || key.len() > KEY_BYTES || !key.bytes().all(legal) {
            return Err(Error::invalid(format!(
                "`{}` is no metadata key: use 1 to {KEY_BYTES} lower-case letters, digits, `-`, `_` and `.`",
                key.escape_debug()
            )));
        }
        self.entries.push((key, value.into()));
        Ok(())
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// As it stands in a frame: a map; nothing at all when there are no entries.
    pub(crate) fn encode(&self, limits: &Limits) -> Result<Vec<u8>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let mut out = Vec::new();
        write::map(&mut out, self.len());
        for (key, value) in self.iter() {
            write::str(&mut out, key);
            write::str(&mut out, value);
        }
        if self.len() > usize::from(limits.max_metadata_entries)
            || out.len() > usize::from(limits.max_metadata_bytes)
        {
            return Err(Error::new(
                crate::ErrorKind::ResourceExhausted,
                format!(
                    "metadata of {} entries and {} bytes, {} and {} are allowed; put large values into parameters",
                    self.len(),
                    out.len(),
                    limits.max_metadata_entries,
                    limits.max_metadata_bytes
                ),
            ));
        }
        Ok(out)
    }

    /// Reads the section of a frame.
    pub(crate) fn decode(section: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut metadata = Self::new();
        if section.is_empty() {
            return Ok(metadata);
        }
        let mut input = Reader::new(section);
        let count = input.map()?;
        if count > usize::from(limits.max_metadata_entries) {
            return Err(DecodeError::custom(format!(
                "{count} entries, {} are allowed",
                limits.max_metadata_entries
            )));
        }
        for _ in 0..count {
            let key = input.key()?;
            let value: String = input.field("value")?.unwrap_or_default();
            metadata
                .insert(key, value)
                .map_err(|error| DecodeError::custom(error.message()))?;
        }
        input.finish()?;
        Ok(metadata)
    }
}
