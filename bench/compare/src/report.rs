//! Tables of what was found, in Markdown.

use std::fmt::Write;

use bench_load::Outcome;

use crate::generated::Generated;
use crate::growth::{AXES, Growth};
use crate::hello::{Hello, Hellos};
use crate::reach;
use crate::results::{Calls, median};
use crate::small::{Codec, Lines};
use crate::spots::{CASES, LOADS, Spot};

/// All sections that were measured, now or before.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) calls: Option<Calls>,
    pub(crate) growth: Option<Growth>,
    pub(crate) hellos: Option<Hellos>,
    pub(crate) generated: Option<Generated>,
    pub(crate) codec: Option<Codec>,
    pub(crate) lines: Option<Lines>,
}

impl Found {
    /// What the smallest program of one framework costs.
    pub(crate) fn hello(&self, name: &str) -> Option<&Hello> {
        let hellos = &self.hellos.as_ref()?.hellos;
        hellos.iter().find(|hello| hello.name == name)
    }
}

/// The whole report.
pub(crate) fn everything(found: &Found) -> String {
    let mut text = String::new();
    if let Some(calls) = &found.calls {
        let _ = writeln!(
            text,
            "Measured {}. {} interleaved rounds of {} s after {} s of warm-up; a fresh server for each run; two tokio workers on each side, one where a process is pinned to one CPU.",
            calls.machine.describe(),
            calls.rounds,
            calls.seconds,
            calls.warm_up
        );
        let disturbed = calls
            .runs
            .iter()
            .filter(|run| run.outcome.others >= 0.1)
            .count();
        let _ = writeln!(
            text,
            "In {disturbed} of {} runs other programs used more than a tenth of the machine; these count only where no calmer run of the same is there.",
            calls.runs.len()
        );
    }
    let _ = write!(text, "\n## Figures to reach\n\n{}", reach::table(found));
    if let Some(calls) = &found.calls {
        text.push_str("\n## Calls\n\n![throughput](performance/throughput.svg)\n\n![a lone call](performance/lone-call.svg)\n\n![open loop](performance/open-loop.svg)\n");
        text.push_str(&self::calls(calls));
        remarks(&mut text, &calls.remarks);
    }
    if let Some(found) = &found.growth {
        text.push_str(&growth(found));
    }
    if let Some(codec) = &found.codec {
        text.push_str(&self::codec(codec));
    }
    if let Some(found) = &found.hellos {
        text.push_str(&hellos(found));
    }
    if let Some(found) = &found.generated {
        text.push_str(&generated(found));
    }
    if let Some(lines) = &found.lines {
        let _ = write!(
            text,
            "\n## The compiler of `.idl` files\n\n{} lines of every kind of definition, parsed, resolved, checked and made a model: {:.2} million lines/s by the clock, at least {:.2} million in a second of CPU time.\n",
            lines.lines,
            lines.per_second / 1e6,
            lines.per_cpu_second / 1e6
        );
    }
    text
}

/// Growth: one table for each axis.
pub(crate) fn growth(growth: &Growth) -> String {
    let mut text =
        "\n## Growth\n\nCPU time of a call, client and server together, in µs, and calls/s.\n"
            .to_owned();
    for axis in AXES {
        let mut rows = growth.curve(axis.name, "ours").peekable();
        if rows.peek().is_none() {
            continue;
        }
        let file = axis.name.replace(' ', "-");
        let _ = write!(
            text,
            "\n**{}**\n\n![growth with {}](performance/growth-{file}.svg)\n\n| {} | ours, CPU | ours, calls/s | ours, p99 µs | limit, CPU | limit, calls/s |\n|---|---|---|---|---|---|\n",
            axis.text, axis.name, axis.name
        );
        for row in rows {
            let limit = growth
                .curve(axis.name, "limit")
                .find(|limit| limit.at == row.at);
            let _ = writeln!(
                text,
                "| {} | {:.2} | {:.0} | {:.0} | {} | {} |",
                row.at,
                row.cpu,
                row.rate,
                row.p99,
                limit.map_or("–".to_owned(), |limit| format!("{:.2}", limit.cpu)),
                limit.map_or("–".to_owned(), |limit| format!("{:.0}", limit.rate))
            );
        }
    }
    let surprises = growth.surprises();
    if surprises.is_empty() {
        text.push_str(
            "\nNowhere does a unit cost half as much again as at the cheapest place before it.\n",
        );
    } else {
        text.push_str("\nPlaces where a unit costs more than half as much again as at the cheapest place before:\n\n");
        surprises.iter().for_each(|surprise| {
            let _ = writeln!(text, "- {surprise}");
        });
    }
    remarks(&mut text, &growth.remarks);
    text
}

/// Codec: one table.
pub(crate) fn codec(codec: &Codec) -> String {
    format!(
        "\n## Codec\n\nOne order of {} bytes, ns, best of 15 batches; \"by hand\" are the calls of `rmp` that one would write oneself.\n\n| | generated | by hand | ratio |\n|---|---|---|---|\n| encode | {:.0} | {:.0} | {:.2} |\n| decode | {:.0} | {:.0} | {:.2} |\n| structure check before decoding | {:.0} | – | – |\n",
        codec.bytes,
        codec.encode,
        codec.encode_by_hand,
        codec.encode / codec.encode_by_hand,
        codec.decode,
        codec.decode_by_hand,
        codec.decode / codec.decode_by_hand,
        codec.check
    )
}

/// Hello: one table.
pub(crate) fn hellos(found: &Hellos) -> String {
    let mut text = format!(
        "\n## The smallest program\n\nServer and client of `hello(name)` in one program; {}.\n\n| | crates | clean debug build, s | its CPU time, s | after a change, s | release, stripped, KiB |\n|---|---|---|---|---|---|\n",
        found.machine.describe()
    );
    for hello in &found.hellos {
        let Hello {
            name,
            crates,
            debug_seconds,
            debug_cpu_seconds,
            again_seconds,
            release_kib,
        } = hello;
        let _ = writeln!(
            text,
            "| {name} | {crates} | {debug_seconds:.1} | {debug_cpu_seconds:.1} | {again_seconds:.2} | {release_kib} |"
        );
    }
    remarks(&mut text, &found.remarks);
    text
}

/// Generated code: one table.
pub(crate) fn generated(found: &Generated) -> String {
    let mut text = "\n## Compiling generated code\n\nA service of 200 methods over 300 types with a server that answers and a call of each method; that crate alone, CPU time in s, without incremental compilation.\n\n| | lines of Rust generated | check | debug | release | lines of LLVM code, debug |\n|---|---|---|---|---|---|\n".to_owned();
    for one in &found.crates {
        let lines = one
            .lines
            .map_or("by a macro".to_owned(), |lines| lines.to_string());
        let llvm = one
            .llvm_lines
            .map_or("–".to_owned(), |lines| lines.to_string());
        let _ = writeln!(
            text,
            "| {} | {lines} | {:.1} | {:.1} | {:.1} | {llvm} |",
            one.name, one.check, one.debug, one.release
        );
    }
    remarks(&mut text, &found.remarks);
    text
}

fn remarks(text: &mut String, remarks: &[String]) {
    if !remarks.is_empty() {
        text.push_str("\nRemarks of the run:\n\n");
        remarks.iter().for_each(|remark| {
            let _ = writeln!(text, "- {}", remark.lines().next().unwrap_or_default());
        });
    }
}

/// Everything about calls: one overview, and a table for each spot.
pub(crate) fn calls(calls: &Calls) -> String {
    let mut text = overview(calls);
    text.push_str("\n### Each case under each load\n\n");
    text.push_str(
        "Medians of the rounds. *of the limit* = calls/s as a part of those of the base in the same round (range over the rounds), \
         *by CPU* = CPU time of a call of the base as a part of one's own, which others on the machine hardly disturb; \
         *of the best peer* is about calls/s again; CPU in µs a call.\n",
    );
    for spot in Spot::chosen(&[], &[]) {
        text.push_str(&table(calls, &spot));
    }
    text
}

/// Ratios to the limit, everybody by everything.
fn overview(calls: &Calls) -> String {
    let mut text = String::new();
    for case in CASES {
        let loads: Vec<_> = case
            .loads
            .iter()
            .filter(|load| !matches!(**load, "idle" | "allocations" | "open" | "upload"))
            .filter(|load| calls.of(case.name, load).next().is_some())
            .collect();
        if loads.is_empty() {
            continue;
        }
        let _ = write!(text, "\n**{}**: {}\n\n| |", case.name, case.text);
        loads.iter().for_each(|load| {
            let _ = write!(text, " {load} |");
        });
        let _ = write!(text, "\n|---|{}\n", "---|".repeat(loads.len()));
        let mut names: Vec<String> = Vec::new();
        for load in &loads {
            for name in calls.entrants(case.name, load) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for name in names {
            let _ = write!(text, "| {name} |");
            for load in &loads {
                let base = base(case.name, load);
                let ratio = median(calls.ratios(case.name, load, &name, base));
                let _ = write!(
                    text,
                    " {} |",
                    ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
                );
            }
            text.push('\n');
        }
    }
    text
}

fn base(case: &str, load: &str) -> &'static str {
    let spots = Spot::chosen(&[case.to_owned()], &[load.to_owned()]);
    spots.first().map_or("limit/yield", Spot::base)
}

/// One spot.
pub(crate) fn table(calls: &Calls, spot: &Spot) -> String {
    let (case, load) = (spot.case.name, spot.load.name);
    let names = calls.entrants(case, load);
    if names.is_empty() {
        return String::new();
    }
    let about = LOADS
        .iter()
        .find(|other| other.name == load)
        .map_or("", |load| load.text);
    let mut text = format!("\n#### {case}, {load}\n\n{}; {about}.\n\n", spot.case.text);
    let figure = |name: &str, figure: fn(&Outcome) -> f64| {
        calls.median(case, load, name, figure).unwrap_or(f64::NAN)
    };
    match load {
        "idle" => {
            text.push_str("| | server KiB a connection | client KiB a connection | server RSS at its peak, MiB |\n|---|---|---|---|\n");
            for name in names {
                let _ = writeln!(
                    text,
                    "| {name} | {:.1} | {:.1} | {:.0} |",
                    figure(&name, |o| o.server_idle_kib),
                    figure(&name, |o| o.client_idle_kib),
                    figure(&name, |o| o.server_peak_kib) / 1024.0
                );
            }
        }
        "allocations" => {
            text.push_str(
                "| | client allocations a call | server allocations a call |\n|---|---|---|\n",
            );
            for name in names {
                let _ = writeln!(
                    text,
                    "| {name} | {:.2} | {:.2} |",
                    figure(&name, |o| o.client_allocations),
                    figure(&name, |o| o.server_allocations)
                );
            }
        }
        "upload" => {
            text.push_str("| | p50 alone, µs | p99 alone, µs | p50 beside, µs | p99 beside, µs | p99 beside / alone | upload, MB/s |\n|---|---|---|---|---|---|---|\n");
            for name in names {
                let _ = writeln!(
                    text,
                    "| {name} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {:.0} |",
                    figure(&name, |o| o.p50_alone),
                    figure(&name, |o| o.p99_alone),
                    figure(&name, |o| o.p50),
                    figure(&name, |o| o.p99),
                    figure(&name, |o| o.p99 / o.p99_alone),
                    figure(&name, |o| o.beside_rate) / 1e6
                );
            }
        }
        "open" => {
            text.push_str("| | calls/s | p50 µs | p99 µs | p999 µs | lateness of the arrivals themselves p50, p99 µs | client CPU | server CPU |\n|---|---|---|---|---|---|---|---|\n");
            for name in names {
                let _ = writeln!(
                    text,
                    "| {name} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0}, {:.0} | {:.2} | {:.2} |",
                    figure(&name, |o| o.rate),
                    figure(&name, |o| o.p50),
                    figure(&name, |o| o.p99),
                    figure(&name, |o| o.p999),
                    figure(&name, |o| o.generator_p50),
                    figure(&name, |o| o.generator_p99),
                    figure(&name, |o| o.client_cpu),
                    figure(&name, |o| o.server_cpu)
                );
            }
        }
        _ => text.push_str(&rates(calls, spot, &names)),
    }
    text
}

fn rates(calls: &Calls, spot: &Spot, names: &[String]) -> String {
    let (case, load) = (spot.case.name, spot.load.name);
    let streams = spot.case.argument == "stream";
    let unit = if streams { "items/s | MB/s" } else { "calls/s" };
    let mut text = format!(
        "| | {unit} | of the limit | of the limit, by CPU | of the best peer | p50 µs | p99 µs | p999 µs | client CPU | server CPU | client, server peak RSS MiB |\n|---|---|{}---|---|---|---|---|---|---|---|---|\n",
        if streams { "---|" } else { "" }
    );
    for name in names {
        let figure = |figure: fn(&Outcome) -> f64| {
            calls.median(case, load, name, figure).unwrap_or(f64::NAN)
        };
        let rate = figure(|o| o.rate);
        let _ = write!(text, "| {name} | {rate:.0} |");
        if streams {
            let _ = write!(text, " {:.0} |", rate * spot.case.size as f64 / 1e6);
        }
        let ratios = calls.ratios(case, load, name, spot.base());
        let of_peer = median(calls.ratios_to_best_peer(case, load, name));
        let _ = writeln!(
            text,
            " {} | {} | {} | {} | {:.2} | {:.2} | {:.0}, {:.0} |",
            with_range(ratios),
            calls
                .ratio_of_cpu(case, load, name, spot.base())
                .map_or("–".to_owned(), |ratio| format!("{ratio:.2}")),
            of_peer.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")),
            if streams {
                "– | – | –".to_owned()
            } else {
                format!(
                    "{:.1} | {:.1} | {:.1}",
                    figure(|o| o.p50),
                    figure(|o| o.p99),
                    figure(|o| o.p999)
                )
            },
            figure(|o| o.client_cpu),
            figure(|o| o.server_cpu),
            figure(|o| o.client_peak_kib) / 1024.0,
            figure(|o| o.server_peak_kib) / 1024.0
        );
    }
    text
}

fn with_range(ratios: Vec<f64>) -> String {
    let lowest = ratios.iter().copied().reduce(f64::min);
    let highest = ratios.iter().copied().reduce(f64::max);
    match (median(ratios), lowest, highest) {
        (Some(middle), Some(lowest), Some(highest)) => {
            format!("**{middle:.2}** ({lowest:.2}–{highest:.2})")
        }
        _ => "–".to_owned(),
    }
}
