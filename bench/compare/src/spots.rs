//! What is measured: each case under each load.

use crate::contestants::Entrant;

/// A case under a load: one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) case: Case,
    pub(crate) load: Load,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What the programs call it.
    pub(crate) argument: &'static str,
    pub(crate) size: usize,
    pub(crate) text: &'static str,
    pub(crate) loads: &'static [&'static str],
}

/// Every case with the loads it is measured under.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "add",
        argument: "add",
        size: 0,
        text: "`add(u64, u64) -> u64`",
        loads: &["same", "split", "1x8", "1x64", "4x64"],
    },
    Case {
        name: "get",
        argument: "get",
        size: 0,
        text: "`get(id) -> Order`: 11 fields, about 180 bytes",
        loads: &[
            "same",
            "split",
            "1x1",
            "1x8",
            "1x64",
            "4x64",
            "open",
            "idle",
            "allocations",
        ],
    },
    Case {
        name: "list",
        argument: "list",
        size: 0,
        text: "`list() -> 200 Orders`, as values of one's own",
        loads: &["same", "split", "1x64", "4x64", "allocations"],
    },
    Case {
        name: "list-by-reference",
        argument: "list-by-reference",
        size: 0,
        text: "the same, answered from orders that the server lends and read as a view of the answer",
        loads: &["same", "1x64", "4x64", "allocations"],
    },
    Case {
        name: "echo-64k",
        argument: "echo",
        size: 64 << 10,
        text: "64 KiB there and back",
        loads: &["split", "1x1", "1x64"],
    },
    Case {
        name: "echo-1m",
        argument: "echo",
        size: 1 << 20,
        text: "1 MiB there and back",
        loads: &["split", "1x1", "1x64"],
    },
    Case {
        name: "stream-100",
        argument: "stream",
        size: 100,
        text: "items of 100 bytes from the server, one stream",
        loads: &["1x1"],
    },
    Case {
        name: "stream-16k",
        argument: "stream",
        size: 16 << 10,
        text: "items of 16 KiB from the server, one stream",
        loads: &["1x1"],
    },
    Case {
        name: "beside",
        argument: "get",
        size: 64 << 10,
        text: "8 callers of `get` beside an upload of 1 GiB in pieces of 64 KiB over the same connection",
        loads: &["upload"],
    },
];

/// How it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
}

const fn load(
    name: &'static str,
    connections: usize,
    in_flight: usize,
    text: &'static str,
) -> Load {
    Load {
        name,
        text,
        connections,
        in_flight,
    }
}

/// All loads.
pub(crate) const LOADS: &[Load] = &[
    load("same", 1, 1, "one call at a time, both processes on CPU 0"),
    load(
        "split",
        1,
        1,
        "one call at a time, server on CPU 0, client on CPU 1",
    ),
    load("1x1", 1, 1, "one at a time, wherever the kernel puts it"),
    load("1x8", 1, 8, "one connection, 8 calls in flight"),
    load("1x64", 1, 64, "one connection, 64 calls in flight"),
    load("4x64", 4, 64, "4 connections, 64 calls in flight on each"),
    load(
        "open",
        4,
        128,
        "4 connections, calls arrive at half of the rate of 4x64; latency from when a call was due",
    ),
    load(
        "idle",
        5_000,
        1,
        "5,000 connections that have made one call each",
    ),
    load(
        "allocations",
        1,
        64,
        "one connection, 64 calls in flight, in programs that count allocations",
    ),
    load("upload", 1, 8, "one connection"),
];

impl Load {
    /// Whether there is one call at a time, so that a ping-pong is the base.
    pub(crate) fn is_lone(&self) -> bool {
        matches!(self.name, "same" | "split" | "1x1")
    }

    /// CPUs of server and client.
    pub(crate) fn cpus(&self) -> (Option<usize>, Option<usize>) {
        match self.name {
            "same" => (Some(0), Some(0)),
            "split" => (Some(0), Some(1)),
            _ => (None, None),
        }
    }
}

impl Spot {
    /// All spots of the wanted cases and loads; of all, if none are named.
    pub(crate) fn chosen(cases: &[String], loads: &[String]) -> Vec<Self> {
        let wanted =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
        let mut spots = Vec::new();
        for case in CASES.iter().filter(|case| wanted(cases, case.name)) {
            for load in LOADS.iter().filter(|load| case.loads.contains(&load.name)) {
                if wanted(loads, load.name) {
                    spots.push(Self {
                        case: *case,
                        load: *load,
                    });
                }
            }
        }
        spots
    }

    /// The row that is 1.0.
    pub(crate) fn base(&self) -> &'static str {
        if self.load.is_lone() && self.case.argument != "stream" {
            "limit/pingpong-std"
        } else {
            "limit/yield"
        }
    }

    /// Whether this one can and should take part.
    pub(crate) fn takes(&self, entrant: &Entrant) -> bool {
        let (name, variant) = (entrant.contestant.name, &entrant.variant);
        let streams = matches!(name, "limit" | "ours" | "tonic");
        let special = variant.lone || variant.unix || variant.many || variant.owned;
        if self.case.argument == "stream" {
            return streams && !special;
        }
        if matches!(self.load.name, "idle" | "allocations") && special {
            return false;
        }
        if self.load.name == "upload" {
            return matches!(name, "ours" | "tonic") && !special;
        }
        if self.case.name == "list-by-reference" && entrant.contestant.is_peer {
            return name == "capnp";
        }
        if variant.owned && !matches!(self.case.name, "get" | "list") {
            return false;
        }
        let echoes = self.case.argument == "echo";
        if variant.lone {
            self.load.is_lone()
        } else if variant.many {
            !self.load.is_lone() && !echoes
        } else {
            true
        }
    }
}
