//! How the cost of a call grows with what there is more of: methods, connections, calls in flight, bytes.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bench_load::{Outcome, Result};
use serde::{Deserialize, Serialize};

use crate::process::{INTERRUPTED, Run};
use crate::results::{Machine, median};

/// All points of all axes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Growth {
    pub(crate) machine: Machine,
    pub(crate) points: Vec<Point>,
    pub(crate) remarks: Vec<String>,
}

/// One place on one axis.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Point {
    pub(crate) axis: String,
    pub(crate) entrant: String,
    pub(crate) at: u64,
    /// CPU time of a call, client and server, in microseconds: medians of the rounds.
    pub(crate) cpu: f64,
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// What there is more of.
pub(crate) struct Axis {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    places: &'static [u64],
    /// Whether the limit has such an axis too.
    has_limit: bool,
    arguments: fn(u64) -> Vec<String>,
    /// What the cost is divided by before it is compared: bytes grow, and may cost as they grow. Not compared without.
    per: fn(u64) -> Option<f64>,
}

/// All axes.
pub(crate) const AXES: &[Axis] = &[
    Axis {
        name: "methods",
        text: "methods in the served table (add, 64 in flight on one connection)",
        places: &[10, 100, 1_000, 10_000],
        has_limit: false,
        arguments: |at| words(&format!("case=add in_flight=64 methods={at}")),
        per: |_| Some(1.0),
    },
    Axis {
        name: "connections",
        text: "connections, each with one call in flight (add)",
        places: &[1, 10, 100, 1_000, 10_000],
        has_limit: true,
        arguments: |at| words(&format!("case=add connections={at}")),
        per: |_| Some(1.0),
    },
    Axis {
        name: "in flight",
        text: "calls in flight on one connection (add)",
        places: &[1, 10, 100, 1_000, 10_000],
        has_limit: true,
        arguments: |at| words(&format!("case=add in_flight={at}")),
        per: |_| Some(1.0),
    },
    Axis {
        name: "bytes",
        text: "bytes there and back (echo, one call at a time)",
        places: &[
            0,
            64,
            1 << 10,
            16 << 10,
            64 << 10,
            256 << 10,
            1 << 20,
            4 << 20,
            16 << 20,
            64 << 20,
        ],
        has_limit: true,
        arguments: |at| words(&format!("case=echo size={at}")),
        per: |at| (at >= LARGE).then_some(at as f64),
    },
];

/// From here on the bytes are what a call costs.
const LARGE: u64 = 256 << 10;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Measures each place of the wanted axes in interleaved rounds.
pub(crate) fn run(wanted: &[String], rounds: usize, seconds: f64, programs: &Path) -> Growth {
    let mut growth = Growth {
        machine: Machine::this(),
        ..Growth::default()
    };
    for axis in AXES
        .iter()
        .filter(|axis| wanted.is_empty() || wanted.iter().any(|name| name == axis.name))
    {
        for at in axis.places {
            let entrants: &[&str] = if axis.has_limit {
                &["limit", "ours"]
            } else {
                &["ours"]
            };
            for entrant in entrants {
                let mut outcomes = Vec::new();
                for _ in 0..rounds {
                    if INTERRUPTED.load(Ordering::Relaxed) {
                        growth.remarks.push("interrupted".to_owned());
                        return growth;
                    }
                    match one(axis, *at, entrant, seconds, programs) {
                        Ok(outcome) => outcomes.push(outcome),
                        Err(error) => growth
                            .remarks
                            .push(format!("{entrant} failed at {at} {}: {error}", axis.name)),
                    }
                }
                growth.points.extend(point(axis, *at, entrant, &outcomes));
            }
        }
    }
    growth
}

fn one(axis: &Axis, at: u64, entrant: &str, seconds: f64, programs: &Path) -> Result<Outcome> {
    let variant = if entrant == "limit" { "yield" } else { "async" };
    let mut arguments = vec![format!("variant={variant}"), format!("seconds={seconds}")];
    arguments.extend((axis.arguments)(at));
    let run = Run {
        program: &programs.join(entrant),
        unix: false,
        arguments,
        server_cpu: None,
        client_cpu: None,
        patience: Duration::from_secs(90),
    };
    run.outcome()
}

fn point(axis: &Axis, at: u64, entrant: &str, outcomes: &[Outcome]) -> Option<Point> {
    let middle = |figure: fn(&Outcome) -> f64| median(outcomes.iter().map(figure).collect());
    let point = Point {
        axis: axis.name.to_owned(),
        entrant: entrant.to_owned(),
        at,
        cpu: middle(|o| o.client_cpu + o.server_cpu)?,
        rate: middle(|o| o.rate)?,
        p50: middle(|o| o.p50)?,
        p99: middle(|o| o.p99)?,
    };
    eprintln!(
        "{entrant} at {at} {}: {:.2} µs of CPU a call, {:.0} calls/s",
        axis.name, point.cpu, point.rate
    );
    Some(point)
}

impl Growth {
    /// The points of one curve.
    pub(crate) fn curve<'a>(
        &'a self,
        axis: &'a str,
        entrant: &'a str,
    ) -> impl Iterator<Item = &'a Point> {
        self.points
            .iter()
            .filter(move |point| point.axis == axis && point.entrant == entrant)
    }

    /// Places where a unit costs half as much again as at the cheapest place before.
    pub(crate) fn surprises(&self) -> Vec<String> {
        let mut found = Vec::new();
        for axis in AXES {
            for entrant in ["limit", "ours"] {
                let mut cheapest: Option<(u64, f64)> = None;
                for point in self.curve(axis.name, entrant) {
                    let Some(per) = (axis.per)(point.at) else {
                        continue;
                    };
                    let cost = point.cpu / per;
                    match cheapest {
                        Some((at, least)) if cost > 1.5 * least => found.push(format!(
                            "{entrant}: {} {} cost {:.1} times what {at} cost, each",
                            point.at,
                            axis.name,
                            cost / least
                        )),
                        Some((_, least)) if cost >= least => {}
                        _ => cheapest = Some((point.at, cost)),
                    }
                }
            }
        }
        found
    }
}
