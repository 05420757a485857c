//! How much memory a message becomes when it is decoded: what `docs/security.md` says, and no more.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::alloc::System;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use fuzzing::everything::v1::{All, Shape};
use rpc_runtime::codec::{CheckLimits, Decode, Reader, Value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What is counted is the whole program's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Elements of each list: a few more than a power of two, so that half of the list's room is empty.
const COUNT: usize = (1 << 14) + 1;

/// Entries for which a map or a set has room when it has one.
const NODE: usize = 11;

/// Decodes a list of such elements: bytes of a message for one of them, and bytes that it then keeps.
fn cost<T: for<'de> Decode<'de>>(element: &[u8]) -> (usize, usize) {
    let count = (COUNT as u32).to_be_bytes();
    let message = [&[0xdd][..], &count, &element.repeat(COUNT)].concat();
    let region = Region::new(COUNTED);
    let mut input = Reader::bounded(&message, &CheckLimits::default());
    let value = Vec::<T>::decode(&mut input).unwrap();
    let stats = region.change();
    let kept = stats.bytes_allocated - stats.bytes_deallocated;
    input.finish().unwrap();
    drop(value);
    (message.len() / COUNT, kept / COUNT)
}

/// Whatever is in it, a message becomes no more than a few hundred megabytes.
#[test]
fn a_message_of_large_values_made_of_next_to_nothing_is_refused_before_it_takes_much_memory() {
    let _alone = ONE_AT_A_TIME.lock();
    fn refused<T: for<'de> Decode<'de>>(element: &[u8]) {
        let count = 1_000_000 / element.len();
        let header = [&[0xdd][..], &(count as u32).to_be_bytes()].concat();
        let message = [header, element.repeat(count)].concat();
        let region = Region::new(COUNTED);
        let mut input = Reader::bounded(&message, &CheckLimits::default());
        let error = Vec::<T>::decode(&mut input).err().unwrap();
        assert!(error.to_string().contains("memory"), "{error}");
        let allocated = region.change().bytes_allocated;
        assert!(allocated < 300 << 20, "{allocated} bytes");
    }
    refused::<All>(b"\x90");
    refused::<Vec<All>>(b"\x91\x90");
    refused::<BTreeMap<String, All>>(b"\x81\xa0\x90");
    refused::<BTreeMap<String, String>>(b"\x81\xa0\xa0");
    refused::<BTreeSet<[String; 3]>>(b"\x91\x93\xa0\xa0\xa0");
}

/// For each kind of element: its bytes in a message, and in memory at most. A list has grown to twice its length.
#[test]
fn what_a_message_becomes_is_bounded_by_the_size_of_its_types() {
    let _alone = ONE_AT_A_TIME.lock();
    let (text, wide) = (size_of::<String>(), size_of::<All>());
    // A node of a tree: its entries, a pointer and two counts.
    let one = |key, value| NODE * (key + value) + 16;
    let cases = [
        ("empty texts", cost::<String>(b"\xa0"), 2 * text),
        ("texts of a letter", cost::<String>(b"\xa1a"), 2 * text + 1),
        ("empty lists", cost::<Vec<u64>>(b"\x90"), 2 * text),
        (
            "lists of a number",
            cost::<Vec<u64>>(b"\x91\x00"),
            2 * text + 8,
        ),
        (
            "lists of lists",
            cost::<Vec<Vec<u64>>>(b"\x91\x91\x00"),
            3 * text + 8,
        ),
        ("absent numbers", cost::<Option<u128>>(b"\xc0"), 2 * 32),
        ("any values", cost::<Value>(b"\xc0"), 2 * size_of::<Value>()),
        ("unions", cost::<Shape>(b"\x91\x03"), 2 * size_of::<Shape>()),
        ("structs without anything", cost::<All>(b"\x90"), 2 * wide),
        (
            "lists of one such",
            cost::<Vec<All>>(b"\x91\x90"),
            2 * text + wide,
        ),
        (
            "sets of a text",
            cost::<BTreeSet<String>>(b"\x91\xa0"),
            2 * text + one(text, 0),
        ),
        (
            "maps of a text",
            cost::<BTreeMap<String, String>>(b"\x81\xa0\xa0"),
            2 * text + one(text, text),
        ),
        (
            "maps of such a struct",
            cost::<BTreeMap<String, All>>(b"\x81\xa0\x90"),
            2 * text + one(text, wide),
        ),
    ];
    println!("a struct of 33 fields takes {wide} bytes");
    for (name, (bytes, kept), most) in &cases {
        println!("{name}: {bytes} bytes become {kept}, {most} are said");
    }
    for (name, (_, kept), most) in cases {
        assert!(kept <= most, "{name}: {kept} bytes");
        assert!(kept * 2 > most, "{name}: {kept} bytes are all");
    }
}
