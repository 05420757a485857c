//! Looks over a message's structure before anything of it is decoded.
//!
//! Decoders of nested types recurse, and count on what this check has refused: a depth that overflows the stack, counts
//! that nothing backs, more values than memory should be spent on. It is one pass without recursion or allocation.

use std::fmt;

/// What a message may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckLimits {
    /// How deep arrays and maps may be nested; counts above 128 mean 128.
    pub max_depth: usize,
    /// How many values there may be, keys and elements included.
    pub max_nodes: usize,
}

impl Default for CheckLimits {
    fn default() -> Self {
        Self {
            max_depth: 64,
            max_nodes: 1 << 20,
        }
    }
}

/// A message that is refused before it is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub(super) at: usize,
    pub(super) fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Ends,
    Claim {
        what: &'static str,
        claimed: u64,
        left: usize,
    },
    Depth(usize),
    Nodes(usize),
    Reserved,
    Unwritable(String),
    Trailing(usize),
}

impl Malformed {
    /// Where in the message the fault is, in bytes.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether more bytes could mend it.
    fn is_incomplete(&self) -> bool {
        matches!(self.fault, Fault::Ends | Fault::Claim { .. })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message at byte {}: ", self.at)?;
        match &self.fault {
            Fault::Ends => f.write_str("it ends inside of a value"),
            Fault::Claim {
                what,
                claimed,
                left,
            } => write!(
                f,
                "{what} is said to have {claimed}, but {left} bytes are left"
            ),
            Fault::Depth(limit) => write!(f, "values are nested deeper than {limit}"),
            Fault::Nodes(limit) => write!(f, "it has more than {limit} values"),
            Fault::Reserved => f.write_str("c1 is no MessagePack"),
            Fault::Unwritable(reason) => {
                write!(f, "the sender could not write the value: {reason}")
            }
            Fault::Trailing(left) => write!(f, "{left} bytes are left after the value"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Checks that `message` is one whole value within `limits`, and nothing after it.
///
/// # Errors
///
/// When it is not: the place and the reason.
pub fn check(message: &[u8], limits: &CheckLimits) -> Result<(), Malformed> {
    let end = scan(message, limits, true)?;
    if end < message.len() {
        return Err(Malformed {
            at: end,
            fault: Fault::Trailing(message.len() - end),
        });
    }
    Ok(())
}

/// Gives the length of the value at the front of `bytes`, or `None` if more bytes are needed to know it.
///
/// # Errors
///
/// When no further bytes could make it a value within `limits`.
pub fn check_prefix(bytes: &[u8], limits: &CheckLimits) -> Result<Option<usize>, Malformed> {
    match scan(bytes, limits, false) {
        Ok(end) => Ok(Some(end)),
        Err(malformed) if malformed.is_incomplete() => Ok(None),
        Err(malformed) => Err(malformed),
    }
}

/// Walks one value, and gives the place where it ends. If `whole`, a count is held against the bytes left at once.
fn scan(bytes: &[u8], limits: &CheckLimits, whole: bool) -> Result<usize, Malformed> {
    let max_depth = limits.max_depth.min(DEPTH);
    // How many values are still to come at each level; level 0 is the message itself.
    let mut pending = [0_u64; DEPTH + 1];
    pending[0] = 1;
    let mut depth = 0;
    let mut nodes = limits.max_nodes;
    let mut at = 0;
    loop {
        while pending[depth] == 0 {
            if depth == 0 {
                return Ok(at);
            }
            depth -= 1;
        }
        pending[depth] -= 1;
        let fail = move |fault| Malformed { at, fault };
        let Some(left) = nodes.checked_sub(1) else {
            return Err(fail(Fault::Nodes(limits.max_nodes)));
        };
        nodes = left;
        let header = header(bytes, at).map_err(fail)?;
        at += header.len;
        let left = bytes.len() - at;
        match header.content {
            Content::Bytes(len) if len > left as u64 => {
                let what = if header.len > 1 {
                    "a string, binary or extension"
                } else {
                    "a value"
                };
                return Err(fail(Fault::Claim {
                    what,
                    claimed: len,
                    left,
                }));
            }
            Content::Bytes(len) => at += len as usize,
            Content::Values(count) => {
                if depth == max_depth {
                    return Err(fail(Fault::Depth(max_depth)));
                }
                if count > nodes as u64 {
                    return Err(fail(Fault::Nodes(limits.max_nodes)));
                }
                if whole && count > left as u64 {
                    return Err(fail(Fault::Claim {
                        what: "an array or map",
                        claimed: count,
                        left,
                    }));
                }
                depth += 1;
                pending[depth] = count;
            }
        }
    }
}

/// The front of a value: its own length, and what follows it.
pub(super) struct Header {
    pub(super) len: usize,
    pub(super) content: Content,
}

pub(super) enum Content {
    Bytes(u64),
    Values(u64),
}

#[inline]
pub(super) fn header(bytes: &[u8], at: usize) -> Result<Header, Fault> {
    use Content::{Bytes, Values};
    let Some((&marker, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else {
        return Err(Fault::Ends);
    };
    let plain = |content| Ok(Header { len: 1, content });
    match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => plain(Bytes(0)),
        0x80..=0x8f => plain(Values(2 * u64::from(marker & 15))),
        0x90..=0x9f => plain(Values(u64::from(marker & 15))),
        0xa0..=0xbf => plain(Bytes(u64::from(marker & 31))),
        0xc1 => Err(reserved(rest)),
        0xcc | 0xd0 => plain(Bytes(1)),
        0xcd | 0xd1 => plain(Bytes(2)),
        0xca | 0xce | 0xd2 => plain(Bytes(4)),
        0xcb | 0xcf | 0xd3 => plain(Bytes(8)),
        // The type of an extension is a byte before its content.
        0xd4..=0xd8 => plain(Bytes(1 + (1 << (marker - 0xd4)))),
        0xc4 | 0xd9 => sized::<1>(rest, Bytes),
        0xc5 | 0xda => sized::<2>(rest, Bytes),
        0xc6 | 0xdb => sized::<4>(rest, Bytes),
        0xc7 => sized::<1>(rest, |len| Bytes(len + 1)),
        0xc8 => sized::<2>(rest, |len| Bytes(len + 1)),
        0xc9 => sized::<4>(rest, |len| Bytes(len + 1)),
        0xdc => sized::<2>(rest, Values),
        0xdd => sized::<4>(rest, Values),
        0xde => sized::<2>(rest, |count| Values(2 * count)),
        0xdf => sized::<4>(rest, |count| Values(2 * count)),
    }
}

/// A header whose length or count is a number of `N` bytes after the marker.
#[inline]
fn sized<const N: usize>(
    rest: &[u8],
    content: impl FnOnce(u64) -> Content,
) -> Result<Header, Fault> {
    let Some(number) = rest.first_chunk::<N>() else {
        return Err(Fault::Ends);
    };
    let value = number
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    Ok(Header {
        len: 1 + N,
        content: content(value),
    })
}

/// Our own encoder puts a reason behind the reserved marker when a value cannot be written.
#[cold]
fn reserved(rest: &[u8]) -> Fault {
    match super::Reader::new(rest).str() {
        Ok(reason) => Fault::Unwritable(reason.to_owned()),
        Err(_) => Fault::Reserved,
    }
}

/// The deepest nesting that can be allowed: the check keeps a count for each level.
pub(super) const DEPTH: usize = 128;
