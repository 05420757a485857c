//! Tables of what was found, in Markdown.

use std::fmt::Write;

use bench_load::Outcome;

use crate::results::{Calls, median};
use crate::spots::{CASES, LOADS, Spot};

/// Everything about calls: one overview, and a table for each spot.
pub(crate) fn calls(calls: &Calls) -> String {
    let mut text = overview(calls);
    text.push_str("\n### Each case under each load\n\n");
    text.push_str(
        "Medians of the rounds. *of the limit* = calls/s as a part of those of the base in the same round (range over the rounds), \
         *of the best peer* likewise; CPU in µs a call.\n",
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
        "| | {unit} | of the limit | of the best peer | p50 µs | p99 µs | p999 µs | client CPU | server CPU | client, server peak RSS MiB |\n|---|---|{}---|---|---|---|---|---|---|---|\n",
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
            " {} | {} | {} | {:.2} | {:.2} | {:.0}, {:.0} |",
            with_range(ratios),
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
