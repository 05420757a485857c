//! The structure check of a value that arrives in pieces: each byte is looked at once.

use super::check::{CheckLimits, Content, DEPTH, Fault, Malformed, header};

/// How far a value without a length before it has been looked over.
///
/// It is asked again whenever more bytes are there, and goes on where it stopped. It neither recurses nor allocates; a
/// count above the limits is refused as soon as it is read, whatever follows.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    limits: CheckLimits,
    /// Where the next value begins; past the bytes that are there while the content of a string is awaited.
    at: usize,
    depth: usize,
    /// How many values are still to come at each level; level 0 is the message itself.
    pending: [u64; DEPTH + 1],
    nodes: usize,
}

impl Progress {
    /// Before the first byte.
    pub(crate) fn new(limits: CheckLimits) -> Self {
        let mut pending = [0; DEPTH + 1];
        pending[0] = 1;
        Self {
            limits,
            at: 0,
            depth: 0,
            pending,
            nodes: 0,
        }
    }

    /// Bytes that the value has at least, as far as is known.
    pub(crate) fn at_least(&self) -> usize {
        self.at
    }

    /// Goes on with all bytes of the value that are there, those of earlier calls included; gives its length once the
    /// whole value is among them.
    ///
    /// # Errors
    ///
    /// When no further bytes could make it a value within the limits.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let max_depth = self.limits.max_depth.min(DEPTH);
        loop {
            while self.pending[self.depth] == 0 {
                if self.depth == 0 {
                    return Ok((self.at <= bytes.len()).then_some(self.at));
                }
                self.depth -= 1;
            }
            let at = self.at;
            if at >= bytes.len() {
                return Ok(None);
            }
            let fail = |fault| Err(Malformed { at, fault });
            let header = match header(bytes, at) {
                Ok(header) => header,
                Err(Fault::Ends) => return Ok(None),
                Err(fault) => return fail(fault),
            };
            if self.nodes >= self.limits.max_nodes {
                return fail(Fault::Nodes(self.limits.max_nodes));
            }
            self.nodes += 1;
            self.pending[self.depth] -= 1;
            self.at += header.len;
            match header.content {
                Content::Bytes(len) => {
                    let len = usize::try_from(len).unwrap_or(usize::MAX);
                    self.at = self.at.saturating_add(len);
                }
                Content::Values(_) if self.depth == max_depth => {
                    return fail(Fault::Depth(max_depth));
                }
                Content::Values(count) => {
                    if count > (self.limits.max_nodes - self.nodes) as u64 {
                        return fail(Fault::Nodes(self.limits.max_nodes));
                    }
                    self.depth += 1;
                    self.pending[self.depth] = count;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check_prefix;
    use super::*;

    fn limits() -> CheckLimits {
        CheckLimits {
            max_depth: 4,
            max_nodes: 100,
        }
    }

    /// Every value of this list, byte by byte.
    #[test]
    fn a_value_is_found_to_end_where_the_check_of_the_whole_ends_it() {
        let values: [&[u8]; 9] = [
            b"\xc0",
            b"\x94\x00\x01\xa3add\x92\x01\x02",
            b"\x93\x02\xc4\x01a\x90",
            b"\xdc\x00\x02\xcb\0\0\0\0\0\0\0\0\xc7\x02\x05ab",
            b"\x81\xa1k\x91\x91\x80",
            b"\xdd\0\0\0\0",
            b"\xdf\0\0\0\x01\xd9\x02ab\xd6\xff\0\0\0\0",
            b"\xda\x00\x03abc",
            b"\x90",
        ];
        for value in values {
            let mut progress = Progress::new(limits());
            for end in 0..value.len() {
                let found = progress.advance(&value[..end]);
                assert_eq!(found, Ok(None), "{value:x?} cut at {end}");
            }
            let followed = [value, b"\x90\x90"].concat();
            assert_eq!(progress.advance(&followed), Ok(Some(value.len())));
            assert_eq!(
                check_prefix(&followed, &limits()),
                Ok(Some(value.len())),
                "{value:x?}"
            );
        }
    }

    #[test]
    fn what_breaks_a_limit_is_refused_before_the_rest_is_there() {
        let cases: [(&[u8], &str); 5] = [
            (b"\x91\x91\x91\x91\x91", "nested deeper than 4"),
            (b"\x94\x00\xdd\xff\xff\xff\xff", "more than 100 values"),
            (b"\xdf\x00\x00\x00\x40", "more than 100 values"),
            (b"\x92\xc1", "c1 is no MessagePack"),
            (b"\xdc\x00\x64\x00", "more than 100 values"),
        ];
        for (bytes, expected) in cases {
            let mut progress = Progress::new(limits());
            let outcome = (0..=bytes.len()).try_for_each(|end| {
                progress
                    .advance(&bytes[..end])
                    .map(|found| assert_eq!(found, None))
            });
            let text = outcome.expect_err("a limit is broken").to_string();
            assert!(text.contains(expected), "{bytes:x?}: {text}");
        }
    }

    #[test]
    fn what_was_looked_at_is_not_looked_at_again() {
        let mut bytes = b"\x94\x00\x01\xa3add\x93\x01\xa2ab\x80".to_vec();
        let mut progress = Progress::new(limits());
        for end in 1..bytes.len() {
            assert_eq!(progress.advance(&bytes[..end]), Ok(None));
            // No value begins with this byte: who came by here again would say so.
            bytes[..progress.at_least().min(end)].fill(0xc1);
        }
        assert_eq!(progress.advance(&bytes), Ok(Some(bytes.len())));
    }

    #[test]
    fn a_length_that_lies_is_known_at_once() {
        let mut progress = Progress::new(limits());
        assert_eq!(progress.advance(b"\x94\x00\xdb\xff\xff\xff\xff"), Ok(None));
        assert_eq!(progress.at_least(), 7 + 0xffff_ffff);
    }
}
