//! Writes docs/performance.md and its charts from what is kept in JSON; prose outside of the marks stays.

use std::fs;
use std::path::PathBuf;

use bench_load::Result;

use crate::build::workspace;
use crate::chart::{Bars, Curves};
use crate::growth::AXES;
use crate::report::{self, Found};
use crate::results::{self, median};
use crate::spots::Spot;

/// Where figures and charts are kept.
pub(crate) fn directory() -> PathBuf {
    workspace().join("../docs/performance")
}

/// Keeps one section.
pub(crate) fn keep<T: serde::Serialize>(name: &str, value: &T) -> Result<()> {
    results::write(&directory().join(format!("{name}.json")), value)
}

/// Everything that was kept.
pub(crate) fn found() -> Result<Found> {
    fn read<T: serde::de::DeserializeOwned>(name: &str) -> Result<Option<T>> {
        results::read(&directory().join(format!("{name}.json")))
    }
    Ok(Found {
        calls: read("calls")?,
        growth: read("growth")?,
        hellos: read("hello")?,
        generated: read("generated")?,
        codec: read("codec")?,
        lines: read("lines")?,
    })
}

const BEGIN: &str = "<!-- figures: written by `compare report`, do not edit between the marks -->";
const END: &str = "<!-- end of the figures -->";

/// Writes the report between its marks, and the charts beside it.
pub(crate) fn report(found: &Found) -> Result<()> {
    let path = directory().with_extension("md");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|_| format!("# Performance\n\n{BEGIN}\n{END}\n"));
    let marks = text
        .find(BEGIN)
        .zip(text.find(END))
        .filter(|(begin, end)| begin < end);
    let (begin, end) = marks.ok_or_else(|| {
        format!(
            "the marks `{BEGIN}` and `{END}` are missing in {}",
            path.display()
        )
    })?;
    let body = report::everything(found);
    let text = format!("{}{BEGIN}\n\n{body}\n{}", &text[..begin], &text[end..]);
    fs::write(&path, text)?;
    charts(found)
}

fn charts(found: &Found) -> Result<()> {
    fs::create_dir_all(directory())?;
    throughput(found)?;
    lone(found)?;
    open(found)?;
    for axis in AXES {
        growth(found, axis.name, axis.text)?;
    }
    Ok(())
}

fn throughput(found: &Found) -> Result<()> {
    let Some(calls) = &found.calls else {
        return Ok(());
    };
    let spots = [
        ("get", "1x8"),
        ("get", "1x64"),
        ("get", "4x64"),
        ("list", "1x64"),
    ];
    let mut names = Vec::new();
    for (case, load) in spots {
        for name in calls.entrants(case, load) {
            if !names.contains(&name) && name != "limit/yield" && name != "limit/exact" {
                names.push(name);
            }
        }
    }
    let ratio = |name: &str, case, load| median(calls.ratios(case, load, name, "limit/yield"));
    let groups = names.into_iter().map(|name| {
        let values = spots.iter().map(|(case, load)| ratio(&name, case, load));
        let values = values.collect();
        (name, values)
    });
    let groups: Vec<_> = groups.collect();
    Bars {
        title: "Calls per second as a part of a hand-written, batching echo",
        axis: "1 = the echo, in the same round (more is better)",
        series: spots
            .iter()
            .map(|(case, load)| format!("{case} {load}"))
            .collect(),
        groups,
        digits: 2,
    }
    .draw(&directory().join("throughput.svg"))
}

fn lone(found: &Found) -> Result<()> {
    let Some(calls) = &found.calls else {
        return Ok(());
    };
    let loads = ["same", "split"];
    let names = calls.entrants("get", "same");
    let groups = names.into_iter().map(|name| {
        let values = loads
            .iter()
            .map(|load| calls.median("get", load, &name, |o| o.p50));
        let values = values.collect();
        (name, values)
    });
    Bars {
        title: "A lone call: median latency of get",
        axis: "microseconds (less is better)",
        series: vec!["both on one core".to_owned(), "a core each".to_owned()],
        groups: groups.collect(),
        digits: 1,
    }
    .draw(&directory().join("lone-call.svg"))
}

fn open(found: &Found) -> Result<()> {
    let Some(calls) = &found.calls else {
        return Ok(());
    };
    let spot = Spot::chosen(&["get".to_owned()], &["open".to_owned()]);
    let names = spot
        .first()
        .map(|_| calls.entrants("get", "open"))
        .unwrap_or_default();
    if names.is_empty() {
        return Ok(());
    }
    let groups = names.into_iter().map(|name| {
        let of = |figure| calls.median("get", "open", &name, figure);
        let values = vec![
            of(|o| o.p50 / 1e3),
            of(|o| o.p99 / 1e3),
            of(|o| o.p999 / 1e3),
        ];
        (name, values)
    });
    Bars {
        title: "Calls that arrive at half of each one's own peak rate: latency of get from when it was due",
        axis: "milliseconds (less is better)",
        series: vec!["p50".to_owned(), "p99".to_owned(), "p99.9".to_owned()],
        groups: groups.collect(),
        digits: 2,
    }
    .draw(&directory().join("open-loop.svg"))
}

fn growth(found: &Found, axis: &str, text: &str) -> Result<()> {
    let Some(growth) = &found.growth else {
        return Ok(());
    };
    let curves = ["limit", "ours"].map(|entrant| {
        // A logarithmic axis has no 0.
        let points = growth
            .curve(axis, entrant)
            .map(|point| ((point.at as f64).max(1.0), point.cpu));
        (entrant.to_owned(), points.collect::<Vec<_>>())
    });
    let curves: Vec<_> = curves
        .into_iter()
        .filter(|(_, points)| points.len() > 1)
        .collect();
    if curves.is_empty() {
        return Ok(());
    }
    Curves {
        title: &format!(
            "CPU time of a call against {}",
            text.split(" (").next().unwrap_or(axis)
        ),
        x: text,
        y: "µs of CPU a call, client and server",
        curves,
    }
    .draw(&directory().join(format!("growth-{}.svg", axis.replace(' ', "-"))))
}
