//! What somebody would write who has only this one type: direct calls of `rmp`, slots in order, nothing tolerated.

use rmp::{decode, encode};

use crate::order::{Plain, PlainRef};

/// Anything that goes wrong; a hand-written codec says no more.
#[derive(Debug)]
pub struct Failed;

impl<E: rmp::decode::RmpReadErr> From<decode::ValueReadError<E>> for Failed {
    fn from(_: decode::ValueReadError<E>) -> Self {
        Self
    }
}

impl<E: rmp::decode::RmpReadErr> From<decode::NumValueReadError<E>> for Failed {
    fn from(_: decode::NumValueReadError<E>) -> Self {
        Self
    }
}

pub fn encode_list(orders: &[Plain], out: &mut Vec<u8>) {
    encode::write_array_len(out, orders.len() as u32).unwrap();
    orders.iter().for_each(|order| encode(order, out));
}

#[inline]
pub fn encode(order: &Plain, out: &mut Vec<u8>) {
    encode::write_array_len(out, 11).unwrap();
    encode::write_uint(out, order.id).unwrap();
    encode::write_str(out, &order.customer).unwrap();
    encode::write_str(out, &order.email).unwrap();
    encode::write_str(out, &order.street).unwrap();
    encode::write_str(out, &order.city).unwrap();
    encode::write_str(out, &order.product).unwrap();
    encode::write_uint(out, order.quantity.into()).unwrap();
    encode::write_f64(out, order.price).unwrap();
    encode::write_bool(out, order.paid).unwrap();
    encode::write_sint(out, order.state.into()).unwrap();
    encode::write_sint(out, order.created).unwrap();
}

pub fn decode_list(mut input: &[u8]) -> Result<Vec<Plain>, Failed> {
    let count = decode::read_array_len(&mut input)? as usize;
    let mut orders = Vec::with_capacity(count.min(input.len()));
    for _ in 0..count {
        orders.push(decode_owned(&mut input)?);
    }
    Ok(orders)
}

pub fn decode_list_borrowed(mut input: &[u8]) -> Result<Vec<PlainRef<'_>>, Failed> {
    let count = decode::read_array_len(&mut input)? as usize;
    let mut orders = Vec::with_capacity(count.min(input.len()));
    for _ in 0..count {
        orders.push(decode(&mut input)?);
    }
    Ok(orders)
}

pub fn decode_one(mut input: &[u8]) -> Result<Plain, Failed> {
    decode_owned(&mut input)
}

pub fn decode_one_borrowed(mut input: &[u8]) -> Result<PlainRef<'_>, Failed> {
    decode(&mut input)
}

#[inline]
fn decode_owned(input: &mut &[u8]) -> Result<Plain, Failed> {
    if decode::read_array_len(input)? != 11 {
        return Err(Failed);
    }
    Ok(Plain {
        id: decode::read_int(input)?,
        customer: text(input)?.to_owned(),
        email: text(input)?.to_owned(),
        street: text(input)?.to_owned(),
        city: text(input)?.to_owned(),
        product: text(input)?.to_owned(),
        quantity: decode::read_int(input)?,
        price: decode::read_f64(input)?,
        paid: decode::read_bool(input)?,
        state: decode::read_int(input)?,
        created: decode::read_int(input)?,
    })
}

#[inline]
fn decode<'a>(input: &mut &'a [u8]) -> Result<PlainRef<'a>, Failed> {
    if decode::read_array_len(input)? != 11 {
        return Err(Failed);
    }
    Ok(PlainRef {
        id: decode::read_int(input)?,
        customer: text(input)?,
        email: text(input)?,
        street: text(input)?,
        city: text(input)?,
        product: text(input)?,
        quantity: decode::read_int(input)?,
        price: decode::read_f64(input)?,
        paid: decode::read_bool(input)?,
        state: decode::read_int(input)?,
        created: decode::read_int(input)?,
    })
}

#[inline]
fn text<'a>(input: &mut &'a [u8]) -> Result<&'a str, Failed> {
    let length = decode::read_str_len(input)? as usize;
    let (text, rest) = input.split_at_checked(length).ok_or(Failed)?;
    *input = rest;
    std::str::from_utf8(text).map_err(|_| Failed)
}
