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
    /// How many values there may be, keys and elements included. While they are decoded, what takes more than 128 bytes in
    /// memory counts for as many as would fit in.
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
        write!(f, "malformed message at byte {}: {}", self.at, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
    let (end, _) = scan(message, limits, true)?;
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
        Ok((end, _)) => Ok(Some(end)),
        Err(malformed) if malformed.is_incomplete() => Ok(None),
        Err(malformed) => Err(malformed),
    }
}

/// Walks one value, and gives the place where it ends, and how many more values there could have been. If `whole`, a
/// count is held against the bytes left at once.
pub(super) fn scan(
    bytes: &[u8],
    limits: &CheckLimits,
    whole: bool,
) -> Result<(usize, usize), Malformed> {
    let max_depth = limits.max_depth.min(DEPTH);
    let too_many = Fault::Nodes(limits.max_nodes);
    // How many values are still to come at each level above the one that is walked.
    let mut above = [0_u32; DEPTH];
    let (mut depth, mut here, mut at) = (0, 1_u32, 0);
    // All values of an array or map are counted with it.
    let Some(mut nodes) = u32::try_from(limits.max_nodes)
        .unwrap_or(u32::MAX)
        .checked_sub(1)
    else {
        return Err(Malformed {
            at,
            fault: too_many,
        });
    };
    loop {
        while here > 0 {
            here -= 1;
            if let Some(marker) = bytes.get(at) {
                let len = usize::from(LENGTHS[usize::from(*marker)]);
                if len > 0 && len <= bytes.len() - at {
                    at += len;
                    continue;
                }
            }
            let fail = |at, fault| Malformed { at, fault };
            let header = header(bytes, at).map_err(|fault| fail(at, fault))?;
            let start = at;
            at += header.len;
            let left = bytes.len() - at;
            match header.content {
                Content::Bytes(len) if len > left as u64 => {
                    let what = if header.len > 1 {
                        "a string, binary or extension"
                    } else {
                        "a value"
                    };
                    let claimed = len;
                    return Err(fail(
                        start,
                        Fault::Claim {
                            what,
                            claimed,
                            left,
                        },
                    ));
                }
                Content::Bytes(len) => at += len as usize,
                Content::Values(_) if depth == max_depth => {
                    return Err(fail(start, Fault::Depth(max_depth)));
                }
                Content::Values(count) if count > u64::from(nodes) => {
                    return Err(fail(start, too_many));
                }
                Content::Values(count) if whole && count > left as u64 => {
                    return Err(fail(
                        start,
                        Fault::Claim {
                            what: "an array or map",
                            claimed: count,
                            left,
                        },
                    ));
                }
                Content::Values(count) => {
                    nodes -= count as u32;
                    above[depth] = here;
                    depth += 1;
                    here = count as u32;
                }
            }
        }
        if depth == 0 {
            return Ok((at, nodes as usize));
        }
        depth -= 1;
        here = above[depth];
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
pub(super) fn reserved(rest: &[u8]) -> Fault {
    match super::Reader::new(rest).str() {
        Ok(reason) => Fault::Unwritable(reason.to_owned()),
        Err(_) => Fault::Reserved,
    }
}

/// The whole length of values that have one after their first byte, such as short strings and all numbers; 0 for others.
const LENGTHS: [u8; 256] = {
    let mut lengths = [1; 256];
    let mut marker = 0x80;
    while marker <= 0xdf {
        lengths[marker] = match marker {
            0xc0 | 0xc2 | 0xc3 => 1,
            0xa0..=0xbf => 1 + (marker as u8 & 31),
            0xcc | 0xd0 => 2,
            0xcd | 0xd1 => 3,
            0xca | 0xce | 0xd2 => 5,
            0xcb | 0xcf | 0xd3 => 9,
            0xd4..=0xd8 => 2 + (1 << (marker - 0xd4)),
            _ => 0,
        };
        marker += 1;
    }
    lengths
};

/// The deepest nesting that can be allowed: the check keeps a count for each level.
pub(super) const DEPTH: usize = 128;
