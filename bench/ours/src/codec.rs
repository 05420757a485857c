//! Encoding and decoding one order, beside the same by hand: prints nanoseconds as JSON.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use bench_load::Order as Sample;
use bench_ours::strings::bench::v1::{Line, Order};
use rpc_runtime::codec::{CheckLimits, Decode, Encode, Reader, check};

fn main() -> ExitCode {
    let order = Order::from(&Sample::sample(7_000_000_000));
    let mut bytes = Vec::new();
    order.encode(&mut bytes);
    let mut by_hand = Vec::new();
    encode_by_hand(&order, &mut by_hand);
    if bytes != by_hand || decode_by_hand(&bytes).as_ref() != Some(&order) {
        eprintln!("the bytes by hand are not those of the generated code");
        return ExitCode::FAILURE;
    }
    let limits = CheckLimits::default();
    let mut out = Vec::new();
    let encode = best(|| {
        out.clear();
        black_box(&order).encode(&mut out);
    });
    let encode_by_hand = best(|| {
        out.clear();
        encode_by_hand(black_box(&order), &mut out);
    });
    let decode = best(|| {
        let order = Order::decode(&mut Reader::new(black_box(&bytes)));
        black_box(order.is_ok());
    });
    let decode_by_hand = best(|| {
        black_box(decode_by_hand(black_box(&bytes)));
    });
    let structure = best(|| {
        black_box(check(black_box(&bytes), &limits).is_ok());
    });
    let length = bytes.len();
    println!(
        "{{\"bytes\":{length},\"encode\":{encode},\"encode_by_hand\":{encode_by_hand},\"decode\":{decode},\"decode_by_hand\":{decode_by_hand},\"check\":{structure}}}"
    );
    ExitCode::SUCCESS
}

/// Nanoseconds of one turn: the best of 15 batches, which is what is left when nobody disturbs.
fn best(mut turn: impl FnMut()) -> f64 {
    const TURNS: u32 = 50_000;
    let batches = (0..15).map(|_| {
        let begun = Instant::now();
        (0..TURNS).for_each(|_| turn());
        begun.elapsed().as_nanos() as f64 / f64::from(TURNS)
    });
    batches.fold(f64::MAX, f64::min)
}

/// The calls of `rmp` that one would write without a framework.
fn encode_by_hand(order: &Order, out: &mut Vec<u8>) {
    let written = (|| -> Result<(), rmp::encode::ValueWriteError> {
        rmp::encode::write_array_len(out, 11)?;
        rmp::encode::write_uint(out, order.id)?;
        rmp::encode::write_uint(out, order.customer)?;
        rmp::encode::write_str(out, &order.name)?;
        rmp::encode::write_str(out, &order.email)?;
        rmp::encode::write_str(out, &order.street)?;
        rmp::encode::write_str(out, &order.city)?;
        rmp::encode::write_str(out, &order.note)?;
        rmp::encode::write_uint(out, u64::from(order.status))?;
        rmp::encode::write_uint(out, order.created_ms)?;
        rmp::encode::write_uint(out, order.changed_ms)?;
        rmp::encode::write_array_len(out, order.lines.len() as u32)?;
        for line in &order.lines {
            rmp::encode::write_array_len(out, 3)?;
            rmp::encode::write_str(out, &line.article)?;
            rmp::encode::write_uint(out, u64::from(line.quantity))?;
            rmp::encode::write_uint(out, line.cents)?;
        }
        Ok(())
    })();
    // Writing into memory does not fail.
    black_box(written.is_ok());
}

fn decode_by_hand(mut bytes: &[u8]) -> Option<Order> {
    let input = &mut bytes;
    (rmp::decode::read_array_len(input).ok()? == 11).then_some(())?;
    Some(Order {
        id: rmp::decode::read_int(input).ok()?,
        customer: rmp::decode::read_int(input).ok()?,
        name: text(input)?,
        email: text(input)?,
        street: text(input)?,
        city: text(input)?,
        note: text(input)?,
        status: rmp::decode::read_int(input).ok()?,
        created_ms: rmp::decode::read_int(input).ok()?,
        changed_ms: rmp::decode::read_int(input).ok()?,
        lines: (0..rmp::decode::read_array_len(input).ok()?)
            .map(|_| line(input))
            .collect::<Option<_>>()?,
    })
}

fn line(input: &mut &[u8]) -> Option<Line> {
    (rmp::decode::read_array_len(input).ok()? == 3).then_some(())?;
    Some(Line {
        article: text(input)?,
        quantity: rmp::decode::read_int(input).ok()?,
        cents: rmp::decode::read_int(input).ok()?,
    })
}

fn text(input: &mut &[u8]) -> Option<String> {
    let length = rmp::decode::read_str_len(input).ok()? as usize;
    let (text, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}
