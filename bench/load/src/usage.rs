//! What a process has used so far: CPU time, memory, allocations.

use std::fs;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Tells how many allocations were made so far; absent in programs that do not count.
pub type Allocations = Option<fn() -> u64>;

/// Counters of one process at one moment.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// User and system time of all threads, in microseconds.
    pub cpu_microseconds: f64,
    /// Memory in use, in KiB.
    pub resident_kib: u64,
    /// Most memory ever in use, in KiB.
    pub peak_kib: u64,
    /// Time that the machine has worked, in seconds, shared out over its CPUs: 1 a second if all work.
    pub machine_busy_seconds: f64,
    /// Allocations made, if they are counted.
    pub allocations: u64,
}

impl Usage {
    /// Reads the counters of this process.
    pub fn now(allocations: Allocations) -> Self {
        // Before anything here allocates.
        let allocations = allocations.map_or(0, |count| count());
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu_microseconds: time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3,
            resident_kib: kib(&status, "VmRSS:"),
            peak_kib: kib(&status, "VmHWM:"),
            machine_busy_seconds: machine_busy_seconds(),
            allocations,
        }
    }
}

/// User, nice, system, interrupts and time taken by other machines, as the kernel sums them up in hundredths.
pub fn machine_busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut lines = stat.lines().take_while(|line| line.starts_with("cpu"));
    let line = lines.next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|number| number.parse().ok())
        .collect();
    let busy = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|index| ticks.get(*index));
    busy.sum::<f64>() / 100.0 / lines.count().max(1) as f64
}

/// CPUs of the machine, also those that this process may not use.
pub(crate) fn machine_cpus() -> usize {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let lines = stat.lines().filter(|line| line.starts_with("cpu"));
    lines.count().saturating_sub(1).max(1)
}

fn kib(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// Pins this process, and all threads that it starts later, to one CPU.
///
/// # Errors
///
/// There is no such CPU.
pub(crate) fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// Raises the limit of open files as far as this process may.
pub(crate) fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it runs of few connections still work; those of many tell by their own error.
    let _ = setrlimit(Resource::Nofile, limit);
}
