//! Writes the pieces of canonical MessagePack: always the smallest form.
//!
//! A thin layer on `rmp`, whose writers return a `Result` although writing into a `Vec` cannot fail.

use rmp::encode;

/// Writes nil.
#[inline]
pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Writes a boolean.
#[inline]
pub fn bool(out: &mut Vec<u8>, value: bool) {
    out.push(0xc2 | u8::from(value));
}

/// Writes an unsigned number in its smallest form.
#[inline]
pub fn uint(out: &mut Vec<u8>, value: u64) {
    infallible(encode::write_uint(out, value));
}

/// Writes a signed number in its smallest form.
#[inline]
pub fn int(out: &mut Vec<u8>, value: i64) {
    infallible(encode::write_sint(out, value));
}

/// Writes a float 32; every NaN becomes the canonical quiet one.
#[inline]
pub fn f32(out: &mut Vec<u8>, value: f32) {
    let value = if value.is_nan() {
        f32::from_bits(0x7fc0_0000)
    } else {
        value
    };
    infallible(encode::write_f32(out, value));
}

/// Writes a float 64; every NaN becomes the canonical quiet one.
#[inline]
pub fn f64(out: &mut Vec<u8>, value: f64) {
    let value = if value.is_nan() {
        f64::from_bits(0x7ff8_0000_0000_0000)
    } else {
        value
    };
    infallible(encode::write_f64(out, value));
}

/// Writes a string.
#[inline]
pub fn str(out: &mut Vec<u8>, value: &str) {
    infallible(encode::write_str_len(out, length(value.len())));
    out.extend_from_slice(value.as_bytes());
}

/// Writes binary.
#[inline]
pub fn bin(out: &mut Vec<u8>, value: &[u8]) {
    infallible(encode::write_bin_len(out, length(value.len())));
    out.extend_from_slice(value);
}

/// Writes the header of an array; `len` values follow.
#[inline]
pub fn array(out: &mut Vec<u8>, len: usize) {
    infallible(encode::write_array_len(out, length(len)));
}

/// Writes the header of a map; `len` keys, each with its value, follow.
#[inline]
pub fn map(out: &mut Vec<u8>, len: usize) {
    infallible(encode::write_map_len(out, length(len)));
}

/// Writes an extension.
#[inline]
pub fn ext(out: &mut Vec<u8>, kind: i8, data: &[u8]) {
    infallible(encode::write_ext_meta(out, length(data.len()), kind));
    out.extend_from_slice(data);
}

/// Writes a value that is MessagePack already.
#[inline]
pub fn raw(out: &mut Vec<u8>, message: &[u8]) {
    out.extend_from_slice(message);
}

/// Puts the reserved marker and the reason in place of a value that could not be written from `start` on.
///
/// No reader takes the reserved marker, and [`check`](super::check) shows the reason; so the failure is found
/// at once by whoever gets the message, instead of a wrong value being taken for a right one.
#[cold]
pub(super) fn failure(out: &mut Vec<u8>, start: usize, reason: &str) {
    out.truncate(start);
    out.push(0xc1);
    str(out, reason);
}

/// No message comes near 4 GiB (frames end at 4 MiB by default); what does is cut off at the receiver's check.
#[inline]
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Drops the `Result` of a write into memory, which has no way to fail.
#[inline]
fn infallible<T, E>(written: Result<T, E>) {
    debug_assert!(written.is_ok(), "writing into memory cannot fail");
}
