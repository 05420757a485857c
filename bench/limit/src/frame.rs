//! A frame: length of the rest, request number, payload. And how long payloads are in each case.

use bench_load::{Case, Plan};

/// Length and request number.
pub(crate) const HEAD: usize = 4 + 8;

/// Bytes of payload in both directions.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) request: usize,
    pub(crate) reply: usize,
}

impl Sizes {
    pub(crate) fn of(plan: &Plan) -> Self {
        let reply = match plan.case {
            Case::Add => 16,
            Case::Get => 200,
            Case::List | Case::ListByReference => 200 * bench_load::LIST_LENGTH,
            Case::Echo | Case::Stream => plan.size,
        };
        let exact = plan.variant == "exact" && plan.case != Case::Echo;
        let request = if exact { 16 } else { reply };
        Self { request, reply }
    }
}

/// Appends a request. Its payload begins with the number, and so does the answer's.
pub(crate) fn append(out: &mut Vec<u8>, id: u64, number: u64, body: &[u8], size: usize) {
    out.reserve(HEAD + size);
    out.extend_from_slice(&((8 + size) as u32).to_le_bytes());
    out.extend_from_slice(&id.to_le_bytes());
    if !body.is_empty() || size == 0 {
        // An echo: the body carries the number already.
        out.extend_from_slice(body);
        return;
    }
    let end = out.len() + size;
    out.extend_from_slice(&number.to_le_bytes());
    out.resize(end, FILL);
}

/// Bytes of the frame that begins here, with its head, once these are known.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk()?;
    Some(4 + u32::from_le_bytes(*length) as usize)
}

/// The request number of a complete frame.
pub(crate) fn id(frame: &[u8]) -> u64 {
    frame[4..]
        .first_chunk()
        .map_or(u64::MAX, |id| u64::from_le_bytes(*id))
}

/// Whether the answer, to anything but an echo, is that to the request with this number.
pub(crate) fn is_right(payload: &[u8], size: usize, number: u64) -> bool {
    payload.len() == size
        && payload.first_chunk() == Some(&number.to_le_bytes())
        && payload[size - 1] == FILL
}

/// What payloads are filled with.
pub(crate) const FILL: u8 = 0xA5;
