//! What one run found, as one line of JSON.

use serde::{Deserialize, Serialize};

use crate::tally::Tally;
use crate::usage::{Usage, machine_cpus};

/// The figures of one run. What a kind of load does not measure is 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Calls, or items, that were finished in the measured time.
    pub count: u64,
    /// The measured time.
    pub seconds: f64,
    /// Calls, or items, per second.
    pub rate: f64,
    /// Median latency in microseconds.
    pub p50: f64,
    /// 99th percentile in microseconds.
    pub p99: f64,
    /// 99.9th percentile in microseconds.
    pub p999: f64,
    /// CPU time of a call at the client, in microseconds.
    pub client_cpu: f64,
    /// CPU time of a call at the server, in microseconds.
    pub server_cpu: f64,
    /// Allocations of a call at the client, where they are counted.
    pub client_allocations: f64,
    /// Allocations of a call at the server, where they are counted.
    pub server_allocations: f64,
    /// Most memory of the client, in KiB.
    pub client_peak_kib: f64,
    /// Most memory of the server, in KiB.
    pub server_peak_kib: f64,
    /// KiB of the client for each idle connection.
    pub client_idle_kib: f64,
    /// KiB of the server for each idle connection.
    pub server_idle_kib: f64,
    /// 99th percentile in microseconds of the same calls with nothing beside them.
    pub p99_alone: f64,
    /// Median in microseconds of the same calls with nothing beside them.
    pub p50_alone: f64,
    /// Bytes per second of what went beside the calls.
    pub beside_rate: f64,
    /// Median lateness of an open loop's own arrivals, in microseconds.
    pub generator_p50: f64,
    /// 99th percentile of the same.
    pub generator_p99: f64,
    /// What part of the machine other programs used meanwhile.
    pub others: f64,
}

/// The counters of both processes at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Both {
    pub(crate) client: Usage,
    pub(crate) server: Usage,
}

impl Outcome {
    /// Puts together what was counted between two moments.
    pub(crate) fn new(tally: &Tally, seconds: f64, before: Both, after: Both) -> Self {
        let count = tally.count.max(1) as f64;
        let each = |after: f64, before: f64| (after - before) / count;
        let own = after.client.cpu_microseconds - before.client.cpu_microseconds
            + after.server.cpu_microseconds
            - before.server.cpu_microseconds;
        let busy = after.client.machine_busy_seconds - before.client.machine_busy_seconds;
        let cpus = machine_cpus() as f64;
        let others = (busy - own / 1e6 / cpus) / seconds;
        Self {
            count: tally.count,
            seconds,
            rate: tally.count as f64 / seconds,
            p50: tally.microseconds(0.5),
            p99: tally.microseconds(0.99),
            p999: tally.microseconds(0.999),
            client_cpu: each(
                after.client.cpu_microseconds,
                before.client.cpu_microseconds,
            ),
            server_cpu: each(
                after.server.cpu_microseconds,
                before.server.cpu_microseconds,
            ),
            client_allocations: each(
                after.client.allocations as f64,
                before.client.allocations as f64,
            ),
            server_allocations: each(
                after.server.allocations as f64,
                before.server.allocations as f64,
            ),
            client_peak_kib: after.client.peak_kib as f64,
            server_peak_kib: after.server.peak_kib as f64,
            others,
            ..Self::default()
        }
    }
}
