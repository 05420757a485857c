//! Large bytes that stay where they are while the message around them is encoded, for who sends it in parts.

use std::cell::Cell;

use bytes::Bytes;

/// Bytes from this length on are worth a part of their own: to copy fewer costs less than to keep account of them.
pub(crate) const LARGE: usize = 16 << 10;

/// Bytes that belong into a message.
#[derive(Debug)]
pub(crate) struct Part {
    /// The length of what is encoded before them, in the buffer that they were left out of.
    pub(crate) at: usize,
    pub(crate) bytes: Bytes,
}

thread_local! {
    /// Somebody takes parts.
    static WANTED: Cell<bool> = const { Cell::new(false) };
    static PARTS: Cell<Vec<Part>> = const { Cell::new(Vec::new()) };
}

/// Runs an encoder; gives the large bytes that it has left out of its buffer, in their order.
pub(crate) fn collect(encode: impl FnOnce()) -> Vec<Part> {
    // An encoder that panics leaves nothing behind that the next one could take for its own.
    struct Around(bool, Vec<Part>);
    impl Drop for Around {
        fn drop(&mut self) {
            WANTED.set(self.0);
            PARTS.set(std::mem::take(&mut self.1));
        }
    }
    let around = Around(WANTED.replace(true), PARTS.take());
    encode();
    let parts = PARTS.take();
    drop(around);
    parts
}

/// Whether these bytes are left out, because they are large and somebody takes them as they are.
#[inline]
pub(super) fn leave(out: &[u8], bytes: &Bytes) -> bool {
    bytes.len() >= LARGE && leave_large(out, bytes)
}

fn leave_large(out: &[u8], bytes: &Bytes) -> bool {
    if !WANTED.get() {
        return false;
    }
    let mut parts = PARTS.take();
    parts.push(Part {
        at: out.len(),
        bytes: bytes.clone(),
    });
    PARTS.set(parts);
    true
}

#[cfg(test)]
mod tests {
    use super::super::wire::Encode;
    use super::*;

    #[test]
    fn only_large_bytes_are_left_out_and_only_where_they_are_wanted() {
        let (small, large) = (Bytes::from(vec![1; 100]), Bytes::from(vec![2; LARGE]));
        let mut out = Vec::new();
        let parts = collect(|| {
            small.encode(&mut out);
            large.encode(&mut out);
            small.encode(&mut out);
        });
        let [part] = &parts[..] else {
            panic!("{parts:?}")
        };
        // Markers and lengths are in the buffer: two bytes for short ones, three for these.
        assert_eq!((part.at, out.len()), (102 + 3, 102 + 3 + 102));
        assert_eq!(part.bytes.as_ptr(), large.as_ptr(), "it is not copied");
        let mut whole = Vec::new();
        large.encode(&mut whole);
        assert_eq!(whole.len(), 3 + LARGE);
        assert!(PARTS.take().is_empty());
    }
}
