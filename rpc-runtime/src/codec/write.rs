//! Writes the pieces of canonical MessagePack: always the smallest form.
//!
//! Numbers are written in one piece; the rest is a thin layer on `rmp`, whose writers return a `Result` although
//! writing into a `Vec` cannot fail.

use rmp::encode;

use crate::spares;

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
    // One piece each: the marker and the number together, with one look at the room left.
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => out.extend_from_slice(&piece::<2, 3>(0xcd, (value as u16).to_be_bytes())),
        0x1_0000..=0xffff_ffff => {
            out.extend_from_slice(&piece::<4, 5>(0xce, (value as u32).to_be_bytes()));
        }
        _ => out.extend_from_slice(&piece::<8, 9>(0xcf, value.to_be_bytes())),
    }
}

/// Writes a signed number in its smallest form.
#[inline]
pub fn int(out: &mut Vec<u8>, value: i64) {
    match value {
        0.. => uint(out, value as u64),
        -32..0 => out.push(value as u8),
        -0x80..-32 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..-0x80 => out.extend_from_slice(&piece::<2, 3>(0xd1, (value as i16).to_be_bytes())),
        -0x8000_0000..-0x8000 => {
            out.extend_from_slice(&piece::<4, 5>(0xd2, (value as i32).to_be_bytes()));
        }
        _ => out.extend_from_slice(&piece::<8, 9>(0xd3, value.to_be_bytes())),
    }
}

/// Writes a float 32; every NaN becomes the canonical quiet one.
#[inline]
pub fn f32(out: &mut Vec<u8>, value: f32) {
    let value = if value.is_nan() {
        f32::from_bits(0x7fc0_0000)
    } else {
        value
    };
    out.extend_from_slice(&piece::<4, 5>(0xca, value.to_be_bytes()));
}

/// Writes a float 64; every NaN becomes the canonical quiet one.
#[inline]
pub fn f64(out: &mut Vec<u8>, value: f64) {
    let value = if value.is_nan() {
        f64::from_bits(0x7ff8_0000_0000_0000)
    } else {
        value
    };
    out.extend_from_slice(&piece::<8, 9>(0xcb, value.to_be_bytes()));
}

/// Writes a string.
#[inline]
pub fn str(out: &mut Vec<u8>, value: &str) {
    match value.len() {
        len @ 0..=31 => out.push(0xa0 | len as u8),
        len => long_str(out, len),
    }
    out.extend_from_slice(value.as_bytes());
}

/// Writes binary.
#[inline]
pub fn bin(out: &mut Vec<u8>, value: &[u8]) {
    bin_len(out, value.len());
    spares::reserve(out, value.len());
    out.extend_from_slice(value);
}

/// Writes the header of binary; `len` bytes follow.
#[inline]
pub fn bin_len(out: &mut Vec<u8>, len: usize) {
    infallible(encode::write_bin_len(out, length(len)));
}

/// Writes the header of an array; `len` values follow.
#[inline]
pub fn array(out: &mut Vec<u8>, len: usize) {
    match len {
        0..=15 => out.push(0x90 | len as u8),
        _ => infallible(encode::write_array_len(out, length(len))),
    }
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

fn long_str(out: &mut Vec<u8>, len: usize) {
    infallible(encode::write_str_len(out, length(len)));
    spares::reserve(out, len);
}

/// A marker and the number that follows it.
#[inline]
fn piece<const N: usize, const M: usize>(marker: u8, number: [u8; N]) -> [u8; M] {
    let mut bytes = [marker; M];
    bytes[1..].copy_from_slice(&number);
    bytes
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
