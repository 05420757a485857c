//! The attacks: each says what came of it, or what must not have.

use std::thread;

use crate::raw::{End, HELLO, PREFACE, Raw, call, call_with, frame};
use crate::server::Victim;

/// One attack and its size in both modes.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Victim, usize) -> Result<String, String>,
    pub(crate) quick: usize,
    pub(crate) full: usize,
}

const fn attack(
    name: &'static str,
    run: fn(&Victim, usize) -> Result<String, String>,
    quick: usize,
    full: usize,
) -> Attack {
    Attack {
        name,
        run,
        quick,
        full,
    }
}

pub(crate) const ATTACKS: &[Attack] = &[
    attack("noise", noise, 200, 2_000),
    attack("huge-frame-claims", huge_claims, 300, 1_000),
    attack("connects-and-aborts", aborts, 1_000, 10_000),
    attack("connection-flood", connection_flood, 600, 3_000),
    attack("silent-handshakes", silent, 200, 350),
    attack("slow-senders", slow_senders, 50, 300),
    attack("slow-readers", slow_readers, 4, 20),
    attack("in-flight-flood", in_flight, 100_000, 1_000_000),
    attack("cancel-storm", cancel_storm, 50_000, 200_000),
    attack("error-flood", error_flood, 20_000, 1_000_000),
    attack("control-floods", control_floods, 100_000, 1_000_000),
    attack("ping-flood", ping_flood, 10_000, 1_000_000),
    attack("metadata-bombs", metadata_bombs, 50, 500),
    attack("count-lies", count_lies, 50, 500),
    attack("nesting-bombs", nesting_bombs, 50, 500),
    attack("compressed-bombs", compressed_bombs, 20, 200),
    attack("endless-bodies", endless_bodies, 2, 20),
    attack("unread-streams", unread_streams, 20, 250),
    attack("request-ids", request_ids, 100, 1_000),
];

fn noise(victim: &Victim, size: usize) -> Result<String, String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..size {
        let bytes: Vec<u8> = (0..1 + round % 3_000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        let mut raw = if round % 2 == 0 {
            Raw::silent(victim)?
        } else {
            Raw::open(victim)?
        };
        // Being put out in the middle is what is wanted.
        let _ = raw.send(&bytes);
    }
    Ok(format!("{size} connections of random bytes"))
}

fn huge_claims(victim: &Victim, size: usize) -> Result<String, String> {
    let before = victim.memory()?;
    let mut held = Vec::new();
    for number in 0..size.min(350) {
        let mut raw = Raw::open(victim)?;
        // The largest frame that is allowed, and nothing of it.
        raw.send(&[0, 0, 0x40, 0, 2, 0, 0, 0])?;
        held.push(raw);
        if number % 50 == 0 {
            victim.serves_others()?;
        }
    }
    let grown = victim.memory()?.saturating_sub(before) / held.len() as u64;
    if grown > 64 << 10 {
        return Err(format!("each connection costs {grown} bytes"));
    }
    let held = held.len();
    victim.until_alone()?;
    for _ in 0..size {
        let mut raw = Raw::open(victim)?;
        raw.send(&[0xff; 4])?;
        raw.end()?.said("a frame of 4294967295 bytes")?;
    }
    Ok(format!(
        "{held} unfulfilled claims cost {grown} bytes each, {size} impossible ones are refused"
    ))
}

fn aborts(victim: &Victim, size: usize) -> Result<String, String> {
    for number in 0..size {
        match number % 4 {
            0 => drop(Raw::silent(victim)?),
            1 => Raw::silent(victim)?.send(&PREFACE[..5])?,
            2 => Raw::silent(victim)?.send(&[PREFACE, HELLO].concat())?,
            _ => Raw::open(victim)?.send(&call(1, "never", &[0x90]))?,
        }
    }
    victim.until_alone()?;
    Ok(format!("{size} came and went"))
}

fn connection_flood(victim: &Victim, size: usize) -> Result<String, String> {
    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..size {
        match Raw::open(victim) {
            Ok(raw) => held.push(raw),
            Err(_) => refused += 1,
        }
    }
    if held.len() >= 400 {
        return Err(format!(
            "{} connections were taken, 400 are allowed",
            held.len()
        ));
    }
    let taken = held.len();
    drop(held);
    victim.until_alone()?;
    Raw::open(victim).map_err(|error| format!("no connection is taken afterwards: {error}"))?;
    Ok(format!(
        "{taken} taken, {refused} turned away, then taken again"
    ))
}

fn silent(victim: &Victim, size: usize) -> Result<String, String> {
    let mut held = Vec::new();
    for number in 0..size {
        let mut raw = Raw::silent(victim)?;
        raw.send(&[PREFACE, HELLO].concat()[..number % 20])?;
        held.push(raw);
    }
    victim.serves_others()?;
    for raw in held {
        raw.end()?.said("no HELLO within 2s")?;
    }
    Ok(format!("{size} handshakes that never end are given up"))
}

fn slow_senders(victim: &Victim, size: usize) -> Result<String, String> {
    let whole = call(1, "echo", &[&[0x91, 0xd9, 200][..], &[b'x'; 200]].concat());
    let front = call_with(8, 1, "echo", &[]);
    let mut held = Vec::new();
    for number in 0..size {
        let mut raw = Raw::open(victim)?;
        match number % 3 {
            0 => raw.send(&whole[..7])?,
            1 => raw.send(&whole[..whole.len() - 1])?,
            _ => raw.send(&[&front[..], &frame(7, 8, 0, 1, &[0; 1_000])].concat())?,
        }
        held.push(raw);
    }
    victim.serves_others()?;
    for raw in held {
        let end = raw.end()?;
        if !matches!(&end.reason, Some((3, said)) if said.contains("within 2s")) {
            return Err(format!("the end is {:?}", end.reason));
        }
    }
    Ok(format!(
        "{size} frames and bodies that never end are given up"
    ))
}

fn slow_readers(victim: &Victim, size: usize) -> Result<String, String> {
    let before = victim.memory()?;
    let mut held = Vec::new();
    for _ in 0..size {
        let mut raw = Raw::open(victim)?;
        let calls: Vec<u8> = (1..=256)
            .flat_map(|id| call(id, "blob", &[0x91, 0xce, 0, 0x3d, 0, 0]))
            .collect();
        raw.send(&calls)?;
        held.push(raw);
    }
    victim.serves_others()?;
    let most = victim.memory()?.saturating_sub(before) >> 20;
    if most > 256 + 8 * size as u64 {
        return Err(format!("{most} MiB are kept for them"));
    }
    victim.until_alone()?;
    drop(held);
    Ok(format!(
        "{size} × 256 answers of 4 MiB unread cost {most} MiB, then they are put out"
    ))
}

/// Sends in pieces of a thousand while another thread reads, until the server has had enough.
fn storm(
    victim: &Victim,
    size: usize,
    make: impl Fn(u32) -> Vec<u8>,
) -> Result<(usize, End), String> {
    let mut raw = Raw::open(victim)?;
    let reader = raw.again()?;
    let reading = thread::spawn(move || reader.end());
    let mut sent = 0;
    while sent < size {
        let bytes: Vec<u8> = (1..=1_000)
            .flat_map(|id| make((sent + id) as u32))
            .collect();
        if raw.flood(&bytes, 1)? == 0 {
            break;
        }
        sent += 1_000;
        if sent % 10_000 == 0 {
            victim.serves_others()?;
        }
    }
    match reading.join() {
        Ok(end) => Ok((sent, end?)),
        Err(_) => Err("the reader panicked".to_owned()),
    }
}

fn in_flight(victim: &Victim, size: usize) -> Result<String, String> {
    let (sent, end) = storm(victim, size, |id| call(id, "never", &[0x90]))?;
    let frames = end.frames;
    end.said("too many calls that had to be refused")?;
    Ok(format!(
        "put out after about {sent} calls and {frames} refusals"
    ))
}

fn cancel_storm(victim: &Victim, size: usize) -> Result<String, String> {
    let pair = |id| [call(id, "never", &[0x90]), frame(9, 0, 0, id, &[])].concat();
    let (sent, end) = storm(victim, size, pair)?;
    let frames = end.frames;
    end.said("too many")?;
    Ok(format!(
        "put out after about {sent} pairs and {frames} answers"
    ))
}

fn error_flood(victim: &Victim, size: usize) -> Result<String, String> {
    let (_, end) = storm(victim, size, |id| call(id, "no such method", &[0x90]))?;
    let frames = end.frames;
    end.said("too many calls that had to be refused")?;
    // The same without reading: the server stops reading, then closes.
    let mut raw = Raw::open(victim)?;
    let calls: Vec<u8> = (1..=1_000)
        .flat_map(|id| call(id, "echo", &[0xc1]))
        .collect();
    let unread = raw.flood(&calls, size / 1_000 + 1)?;
    Ok(format!(
        "put out after {frames} refusals; without reading after about {unread},000 calls"
    ))
}

fn control_floods(victim: &Victim, size: usize) -> Result<String, String> {
    let released = [9, 9, 9, 9, 9, 9, 9, 9, 1, 0, 0, 0];
    let kinds = [
        frame(8, 0, 0, 0, &[0; 4]),
        frame(8, 0, 0, 7, &[1, 0, 0, 0]),
        frame(8, 2, 0, 7, &[0; 4]),
        frame(6, 0, 0, 7, &[]),
        frame(9, 0, 0, 7, &[]),
        frame(13, 0, 0, 0, &released),
        frame(11, 0, 0, 0, &[0; 8]),
        frame(3, 0, 0, 7, &[0xc0]),
        frame(4, 0, 0, 7, &[2, 1, 0, 0, 0, 0, 0, 0]),
        frame(7, 8, 0, 7, &[]),
        frame(0x80, 0, 0, 0, &[]),
        frame(0xff, 0, 0, 0, &[1, 2, 3]),
        frame(12, 0, 0, 0, &[0; 12]),
    ];
    for bytes in &kinds {
        let mut raw = Raw::open(victim)?;
        let sent = raw.flood(&bytes.repeat(1_000), size / 1_000)?;
        // What the kernel had taken is no sign that the server has; the end is.
        let end = raw.end()?;
        if end.reason.is_none() && sent == size / 1_000 && size >= 1_000_000 {
            return Err(format!("{size} frames of kind {} were taken", bytes[4]));
        }
        end.said("too many frames that carry nothing")?;
        victim.serves_others()?;
    }
    Ok(format!("{} kinds, each put out", kinds.len()))
}

fn ping_flood(victim: &Victim, size: usize) -> Result<String, String> {
    let mut raw = Raw::open(victim)?;
    raw.flood(&frame(10, 0, 0, 0, &[7; 8]).repeat(1_000), size / 1_000)?;
    raw.end()?.said("too many PINGs")
}

/// Sends each in turn on one connection; each must be answered by a FAIL, and the connection must go on.
fn refused(victim: &Victim, size: usize, bombs: &[Vec<u8>]) -> Result<String, String> {
    let mut raw = Raw::open(victim)?;
    for round in 0..size {
        for bomb in bombs {
            raw.send(bomb)?;
            raw.send(&call(99, "ping", &[0x90]))?;
            // A method that took long before has a task of its own, and may be refused after the ping is answered.
            for _ in 0..2 {
                let answer = raw.next()?.ok_or("the connection ended")?;
                let wanted = if answer[8] == 99 { 3 } else { 4 };
                if answer[4] != wanted {
                    return Err(format!("round {round}: kind {}, not {wanted}", answer[4]));
                }
            }
        }
    }
    Ok(format!(
        "{} refused, the connection goes on",
        size * bombs.len()
    ))
}

fn metadata_bombs(victim: &Victim, size: usize) -> Result<String, String> {
    let with = |metadata: &[u8]| {
        let mut bytes = call(1, "ping", &[metadata, &[0x90]].concat());
        bytes[6..8].copy_from_slice(&(metadata.len() as u16).to_le_bytes());
        bytes
    };
    let entries = |count: u16, entry: &[u8]| {
        let mut map = vec![0xde];
        map.extend(count.to_be_bytes());
        map.extend(entry.repeat(usize::from(count)));
        map
    };
    let bombs = [
        with(&entries(2_000, b"\xa1a\xa1b")),
        with(&entries(65, b"\xa1a\xa1b")),
        with(&entries(1, b"\xa0\xa0")),
        with(&[0xdf, 0xff, 0xff, 0xff, 0xff]),
        with(&[0x91; 4_000]),
    ];
    let said = refused(victim, size, &bombs)?;
    let mut raw = Raw::open(victim)?;
    raw.send(&with(&vec![0; 8_193]))?;
    raw.end()?.said("bytes of metadata")?;
    Ok(said)
}

fn count_lies(victim: &Victim, size: usize) -> Result<String, String> {
    let lies: Vec<_> = [
        &[0xdd, 0xff, 0xff, 0xff, 0xff][..],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0x91, 0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0x91, 0xc6, 0xff, 0xff, 0xff, 0xff],
        &[0x91, 0xc9, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x91, 0xdd, 0x7f, 0xff, 0xff, 0xff, 0xc0],
    ]
    .iter()
    .map(|params| call(1, "echo", params))
    .collect();
    refused(victim, size, &lies)
}

fn nesting_bombs(victim: &Victim, size: usize) -> Result<String, String> {
    let bombs: Vec<_> = [65, 1_000, 100_000, 1_000_000]
        .into_iter()
        .map(|depth| call(1, "echo", &vec![0x91; depth]))
        .collect();
    refused(victim, size, &bombs)
}

fn compressed_bombs(victim: &Victim, size: usize) -> Result<String, String> {
    // Fronts of LZ4 frames with their content sizes: 10 GB, and as much as there can be.
    let claims = [10_000_000_000_u64, u64::MAX].map(|claim| {
        let mut body = vec![0x04, 0x22, 0x4d, 0x18, 0x68, 0x40];
        body.extend(claim.to_le_bytes());
        body.extend([0; 5]);
        call_with(0x40, 1, "echo", &body)
    });
    refused(victim, size, &claims)
}

fn endless_bodies(victim: &Victim, size: usize) -> Result<String, String> {
    for _ in 0..size {
        let mut raw = Raw::open(victim)?;
        raw.send(&call_with(8, 1, "echo", &[]))?;
        let piece = frame(7, 8, 0, 1, &[0; 60_000]);
        // 30 MiB, twice what a message may have.
        raw.flood(&piece, 500)?;
        let answer = raw.next()?.ok_or("the connection ended")?;
        if answer[4] != 4 {
            return Err(format!("kind {}, not FAIL", answer[4]));
        }
    }
    Ok(format!("{size} refused at 16 MiB"))
}

fn unread_streams(victim: &Victim, size: usize) -> Result<String, String> {
    let mut held = Vec::new();
    for _ in 0..size {
        let mut raw = Raw::open(victim)?;
        // Without windows in HELLO there is no credit: all wait for it.
        let calls: Vec<u8> = (1..=256)
            .flat_map(|id| call_with(4, id, "count", &[0x91, 0xce, 0xff, 0xff, 0xff, 0xff]))
            .collect();
        raw.send(&calls)?;
        raw.send(&frame(8, 0, 0, 0, &[0xff; 4]))?;
        for id in 1..=256 {
            raw.send(&frame(8, 0, 0, id, &[0xff; 4]))?;
        }
        held.push(raw);
    }
    victim.serves_others()?;
    let count = held.len() * 256;
    drop(held);
    victim.until_alone()?;
    Ok(format!(
        "{count} streams that nobody reads, then nobody at all"
    ))
}

fn request_ids(victim: &Victim, size: usize) -> Result<String, String> {
    for _ in 0..size {
        let never = call(5, "never", &[0x90]);
        let mut raw = Raw::open(victim)?;
        raw.send(&[&never[..], &never[..]].concat())?;
        raw.end()?.said("request ID 5 is in use")?;
    }
    let mut raw = Raw::open(victim)?;
    for step in 0..20_u32 {
        // Across the wrap, then backwards; 0 is the connection itself.
        let id = (u32::MAX - 9).wrapping_add(step);
        for id in [id, u32::MAX - step] {
            if id == 0 {
                continue;
            }
            raw.send(&call(id, "ping", &[0x90]))?;
            let answer = raw.next()?.ok_or("the connection ended")?;
            if answer[4] != 3 || answer[8..12] != id.to_le_bytes() {
                return Err(format!("request ID {id} got {answer:?}"));
            }
        }
    }
    Ok(format!("{size} duplicates refused, the wrap served"))
}
