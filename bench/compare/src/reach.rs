//! The figures that the project wants to reach, and what was measured of them.

use std::fmt::Write;

use crate::report::Found;
use crate::results::median;

/// One line of the table.
struct Figure {
    text: &'static str,
    base: &'static str,
    reach: f64,
    beyond: f64,
    /// Whether more is better.
    upwards: bool,
    /// Case, load, row and base, where it is a ratio of rates: the same by CPU time is told beside it.
    rows: &'static [(&'static str, &'static str, &'static str, &'static str)],
    /// What was measured, one value for each of several rows; all of them have to reach.
    measured: fn(&Found) -> Vec<Option<f64>>,
}

const STD: &str = "limit/pingpong-std";
const BATCH: &str = "limit/yield";

/// A ratio of the rates of two rows.
fn ratio(found: &Found, case: &str, load: &str, entrant: &str, base: &str) -> Option<f64> {
    let calls = found.calls.as_ref()?;
    median(calls.ratios(case, load, entrant, base))
}

const FIGURES: &[Figure] =
    &[
        Figure {
            text: "get, lone call, one core",
            base: "blocking std::net ping-pong",
            reach: 0.85,
            beyond: 0.92,
            upwards: true,
            rows: &[("get", "same", "ours/async", STD)],
            measured: |found| vec![ratio(found, "get", "same", "ours/async", STD)],
        },
        Figure {
            text: "the same with the blocking client",
            base: "the same",
            reach: 0.92,
            beyond: 0.92,
            upwards: true,
            rows: &[("get", "same", "ours/blocking", STD)],
            measured: |found| vec![ratio(found, "get", "same", "ours/blocking", STD)],
        },
        Figure {
            text: "get, lone call, two cores",
            base: "the same",
            reach: 0.96,
            beyond: 1.0,
            upwards: true,
            rows: &[("get", "split", "ours/async", STD)],
            measured: |found| vec![ratio(found, "get", "split", "ours/async", STD)],
        },
        Figure {
            text: "get, lone call over a Unix socket, one core",
            base: "TCP ping-pong",
            reach: 1.0,
            beyond: 1.2,
            upwards: true,
            rows: &[("get", "same", "ours/async-unix", STD)],
            measured: |found| vec![ratio(found, "get", "same", "ours/async-unix", STD)],
        },
        Figure {
            text: "the same with the blocking client",
            base: "TCP ping-pong",
            reach: 1.15,
            beyond: 1.2,
            upwards: true,
            rows: &[("get", "same", "ours/blocking-unix", STD)],
            measured: |found| vec![ratio(found, "get", "same", "ours/blocking-unix", STD)],
        },
        Figure {
            text: "get, 8 in flight, 1 connection",
            base: "raw batching echo",
            reach: 1.2,
            beyond: 1.4,
            upwards: true,
            rows: &[("get", "1x8", "ours/async", BATCH)],
            measured: |found| vec![ratio(found, "get", "1x8", "ours/async", BATCH)],
        },
        Figure {
            text: "add and get, 64 in flight, 1 connection",
            base: "raw batching echo",
            reach: 0.70,
            beyond: 0.80,
            upwards: true,
            rows: &[
                ("add", "1x64", "ours/async", BATCH),
                ("get", "1x64", "ours/async", BATCH),
            ],
            measured: |found| both(found, "1x64"),
        },
        Figure {
            text: "add and get, 256 in flight, 4 connections",
            base: "raw batching echo",
            reach: 0.62,
            beyond: 0.75,
            upwards: true,
            rows: &[
                ("add", "4x64", "ours/async", BATCH),
                ("get", "4x64", "ours/async", BATCH),
            ],
            measured: |found| both(found, "4x64"),
        },
        Figure {
            text: "list of 200 orders, 64 in flight, owned values",
            base: "raw echo of the same size",
            reach: 0.30,
            beyond: 0.40,
            upwards: true,
            rows: &[("list", "1x64", "ours/async", BATCH)],
            measured: |found| vec![ratio(found, "list", "1x64", "ours/async", BATCH)],
        },
        Figure {
            text: "the same with small strings",
            base: "the same",
            reach: 0.30,
            beyond: 0.40,
            upwards: true,
            rows: &[("list", "1x64", "ours/small", BATCH)],
            measured: |found| vec![ratio(found, "list", "1x64", "ours/small", BATCH)],
        },
        Figure {
            text: "list of 200 orders, 64 in flight, by reference",
            base: "the same",
            reach: 0.65,
            beyond: 0.75,
            upwards: true,
            rows: &[("list-by-reference", "1x64", "ours/async", BATCH)],
            measured: |found| {
                vec![ratio(
                    found,
                    "list-by-reference",
                    "1x64",
                    "ours/async",
                    BATCH,
                )]
            },
        },
        Figure {
            text: "echo 64 KiB, 64 in flight, 1 connection",
            base: "raw echo",
            reach: 1.5,
            beyond: 2.1,
            upwards: true,
            rows: &[("echo-64k", "1x64", "ours/async", BATCH)],
            measured: |found| vec![ratio(found, "echo-64k", "1x64", "ours/async", BATCH)],
        },
        Figure {
            text: "echo 1 MiB, 64 in flight",
            base: "raw echo",
            reach: 1.5,
            beyond: 2.1,
            upwards: true,
            rows: &[("echo-1m", "1x64", "ours/async", BATCH)],
            measured: |found| vec![ratio(found, "echo-1m", "1x64", "ours/async", BATCH)],
        },
        Figure {
            text: "CPU of a call, client + server, get 4x64",
            base: "µs",
            reach: 1.2,
            beyond: 0.9,
            upwards: false,
            rows: &[],
            measured: |found| {
                let calls = found.calls.as_ref();
                vec![calls.and_then(|calls| {
                    calls.median("get", "4x64", "ours/async", |o| o.client_cpu + o.server_cpu)
                })]
            },
        },
        Figure {
            text: "encode one order",
            base: "ns, × hand-written",
            reach: 1.0,
            beyond: 1.0,
            upwards: false,
            rows: &[],
            measured: |found| {
                vec![
                    found
                        .codec
                        .as_ref()
                        .map(|codec| codec.encode / codec.encode_by_hand),
                ]
            },
        },
        Figure {
            text: "decode one order",
            base: "ns, × hand-written",
            reach: 1.0,
            beyond: 0.53,
            upwards: false,
            rows: &[],
            measured: |found| {
                vec![
                    found
                        .codec
                        .as_ref()
                        .map(|codec| codec.decode / codec.decode_by_hand),
                ]
            },
        },
        Figure {
            text: "server memory of an idle connection",
            base: "KiB",
            reach: 9.0,
            beyond: 4.0,
            upwards: false,
            rows: &[],
            measured: |found| {
                let calls = found.calls.as_ref();
                vec![calls.and_then(|calls| {
                    calls.median("get", "idle", "ours/async", |o| o.server_idle_kib)
                })]
            },
        },
        Figure {
            text: "clean debug build of hello, trait door",
            base: "s",
            reach: 10.0,
            beyond: 8.5,
            upwards: false,
            rows: &[],
            measured: |found| vec![found.hello("ours").map(|hello| hello.debug_seconds)],
        },
        Figure {
            text: "crates of hello",
            base: "count",
            reach: 25.0,
            beyond: 20.0,
            upwards: false,
            rows: &[],
            measured: |found| vec![found.hello("ours").map(|hello| hello.crates as f64)],
        },
        Figure {
            text: "release hello, stripped",
            base: "KiB",
            reach: 850.0,
            beyond: 700.0,
            upwards: false,
            rows: &[],
            measured: |found| vec![found.hello("ours").map(|hello| hello.release_kib as f64)],
        },
        Figure {
            text: "small calls beside a 1 GiB upload on the same connection",
            base: "p99 against p99 alone",
            reach: 2.0,
            beyond: 1.3,
            upwards: false,
            rows: &[],
            measured: |found| {
                let calls = found.calls.as_ref();
                vec![calls.and_then(|calls| {
                    calls.median("beside", "upload", "ours/async", |o| o.p99 / o.p99_alone)
                })]
            },
        },
        Figure {
            text: "IDL lines checked",
            base: "million lines/s",
            reach: 0.4,
            beyond: 1.0,
            upwards: true,
            rows: &[],
            measured: |found| {
                vec![
                    found
                        .lines
                        .as_ref()
                        .map(|lines| lines.per_second.max(lines.per_cpu_second) / 1e6),
                ]
            },
        },
    ];

fn both(found: &Found, load: &str) -> Vec<Option<f64>> {
    let of = |case| ratio(found, case, load, "ours/async", BATCH);
    vec![of("add"), of("get")]
}

/// The table.
pub(crate) fn table(found: &Found) -> String {
    let mut text =
        "| figure | base | reach | beyond | measured | by CPU | reached? |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for figure in FIGURES {
        let values = (figure.measured)(found);
        let shown: Vec<String> = values
            .iter()
            .map(|value| value.map_or("–".to_owned(), short))
            .collect();
        let verdict = if values.iter().any(Option::is_none) {
            "not measured"
        } else {
            let all = |wanted: f64| {
                values
                    .iter()
                    .flatten()
                    .all(|value| is_reached(*value, wanted, figure.upwards))
            };
            match (all(figure.beyond), all(figure.reach)) {
                (true, _) => "beyond",
                (_, true) => "yes",
                _ => "**no**",
            }
        };
        let by_cpu = figure.rows.iter().map(|(case, load, entrant, base)| {
            let calls = found.calls.as_ref()?;
            calls.ratio_of_cpu(case, load, entrant, base)
        });
        let by_cpu: Vec<String> = by_cpu
            .map(|value| value.map_or("–".to_owned(), short))
            .collect();
        let Figure {
            text: what, base, ..
        } = figure;
        let (reach, beyond) = (short(figure.reach), short(figure.beyond));
        let _ = writeln!(
            text,
            "| {what} | {base} | {reach} | {beyond} | {} | {} | {verdict} |",
            shown.join(", "),
            by_cpu.join(", ")
        );
    }
    text
}

/// Rounded as it is shown: 0.848 reaches 0.85, because the last digit is noise.
fn is_reached(value: f64, wanted: f64, upwards: bool) -> bool {
    let value = (value * 100.0).round() / 100.0;
    if upwards {
        value >= wanted
    } else {
        value <= wanted
    }
}

fn short(value: f64) -> String {
    if value >= 20.0 {
        format!("{value:.0}")
    } else if value >= 4.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
