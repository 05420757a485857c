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
    static STATE: Cell<State> = const { Cell::new(State::Unwanted) };
    static PARTS: Cell<Vec<Part>> = const { Cell::new(Vec::new()) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody takes parts.
    Unwanted,
    /// Somebody takes parts; there are none, as for next to all messages.
    None,
    Some,
}

/// Runs an encoder; gives the large bytes that it has left out of its buffer, in their order. An encoder within an encoder
/// leaves none out.
#[inline]
pub(crate) fn collect(encode: impl FnOnce()) -> Vec<Part> {
    struct Around(State);
    impl Drop for Around {
        #[inline]
        fn drop(&mut self) {
            // Also if the encoder panics.
            STATE.set(self.0);
        }
    }
    let around = Around(STATE.get());
    let is_outer = around.0 == State::Unwanted;
    STATE.set(if is_outer {
        State::None
    } else {
        State::Unwanted
    });
    encode();
    if is_outer && STATE.get() == State::Some {
        return PARTS.take();
    }
    Vec::new()
}

/// Whether these bytes are left out, because they are large and somebody takes them as they are.
#[inline]
pub(super) fn leave(out: &[u8], bytes: &Bytes) -> bool {
    bytes.len() >= LARGE && leave_large(out, bytes)
}

fn leave_large(out: &[u8], bytes: &Bytes) -> bool {
    let mut parts = match STATE.get() {
        State::Unwanted => return false,
        // What an encoder left that panicked belongs to no message.
        State::None => Vec::new(),
        State::Some => PARTS.take(),
    };
    STATE.set(State::Some);
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
        assert!(collect(|| small.encode(&mut out)).is_empty());
    }
}
