//! What was found, as it is kept in JSON.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use bench_load::{Outcome, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The calls of all rounds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Calls {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    pub(crate) runs: Vec<Run>,
    /// What went wrong, and who was left out.
    pub(crate) remarks: Vec<String>,
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) round: usize,
    pub(crate) case: String,
    pub(crate) load: String,
    pub(crate) entrant: String,
    pub(crate) outcome: Outcome,
}

/// Where and when.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) commit: String,
}

impl Machine {
    /// This one, now.
    pub(crate) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let kernel = read("/proc/sys/kernel/osrelease");
        Self {
            date: date(),
            processor: model
                .unwrap_or_default()
                .trim_start_matches(['\t', ' ', ':'])
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel
                .trim()
                .split('-')
                .next()
                .unwrap_or_default()
                .to_owned(),
            rustc: first_line(Command::new("rustc").arg("--version")),
            commit: first_line(Command::new("git").args(["rev-parse", "--short", "HEAD"])),
        }
    }

    /// In one line.
    pub(crate) fn describe(&self) -> String {
        let Self {
            date,
            processor,
            cores,
            kernel,
            rustc,
            commit,
        } = self;
        format!("{date}, commit {commit}; {cores} cores ({processor}), Linux {kernel}, {rustc}")
    }
}

fn first_line(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// Today in UTC, by the arithmetic of the Gregorian calendar.
fn date() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    // Days since 0000-03-01, so that leap days stand at the end of a year.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year_of_era + next)
}

/// Reads what an earlier run has kept; nothing, if there was none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        Err(_) => Ok(None),
    }
}

/// Keeps it.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut value = serde_json::to_value(value)?;
    shorten(&mut value);
    // A line for each run, so that changes can be read.
    fs::write(
        path,
        serde_json::to_string(&value)?.replace("},{", "},\n{") + "\n",
    )?;
    Ok(())
}

/// Five digits of each number, and nothing for those that are 0: that is what they are when they are missing.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| field.as_f64() != Some(0.0));
            fields.values_mut().for_each(shorten);
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Number(number) if number.is_f64() => {
            let rounded = number
                .as_f64()
                .and_then(|number| format!("{number:.4e}").parse::<f64>().ok());
            if let Some(rounded) = rounded.and_then(serde_json::Number::from_f64) {
                *number = rounded;
            }
        }
        _ => {}
    }
}

impl Run {
    /// Whether other programs left this run the machine, or nearly.
    fn is_calm(&self) -> bool {
        self.outcome.others < 0.1
    }
}

impl Calls {
    /// The runs of one table.
    pub(crate) fn of<'a>(&'a self, case: &'a str, load: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs
            .iter()
            .filter(move |run| run.case == case && run.load == load)
    }

    /// Those who took part in one table, in order of appearance.
    pub(crate) fn entrants(&self, case: &str, load: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for run in self.of(case, load) {
            if !names.contains(&run.entrant) {
                names.push(run.entrant.clone());
            }
        }
        names.sort_by_key(|name| place(name));
        names
    }

    /// The median over the rounds of one figure.
    pub(crate) fn median(
        &self,
        case: &str,
        load: &str,
        entrant: &str,
        figure: fn(&Outcome) -> f64,
    ) -> Option<f64> {
        let runs = self.of(case, load).filter(|run| run.entrant == entrant);
        let pairs = runs.map(|run| (run.is_calm(), figure(&run.outcome)));
        median(calm(pairs.collect()))
    }

    /// Ratios of the rates of two within each round.
    pub(crate) fn ratios(&self, case: &str, load: &str, entrant: &str, base: &str) -> Vec<f64> {
        self.ratios_to(case, load, entrant, |round| {
            let mut runs = self.of(case, load);
            runs.find(|run| run.round == round && run.entrant == base)
        })
    }

    /// CPU time of a call of the base, as a part of that of another: what the ratio of the rates would be if nobody else used the
    /// machine and both kept all of it busy.
    pub(crate) fn ratio_of_cpu(
        &self,
        case: &str,
        load: &str,
        entrant: &str,
        base: &str,
    ) -> Option<f64> {
        let cpu = |name| self.median(case, load, name, |o| o.client_cpu + o.server_cpu);
        Some(cpu(base)? / cpu(entrant)?).filter(|ratio| ratio.is_finite())
    }

    /// Ratios to the best peer of each round.
    pub(crate) fn ratios_to_best_peer(&self, case: &str, load: &str, entrant: &str) -> Vec<f64> {
        self.ratios_to(case, load, entrant, |round| {
            let runs = self.of(case, load).filter(|run| run.round == round);
            let peers = runs.filter(|run| crate::contestants::is_peer(&run.entrant));
            peers.max_by(|a, b| a.outcome.rate.total_cmp(&b.outcome.rate))
        })
    }

    fn ratios_to<'a>(
        &'a self,
        case: &'a str,
        load: &'a str,
        entrant: &str,
        base: impl Fn(usize) -> Option<&'a Run>,
    ) -> Vec<f64> {
        let runs = self.of(case, load).filter(|run| run.entrant == entrant);
        let ratios = runs.filter_map(|run| {
            let base = base(run.round)?;
            let ratio = run.outcome.rate / base.outcome.rate;
            ratio
                .is_finite()
                .then_some((run.is_calm() && base.is_calm(), ratio))
        });
        calm(ratios.collect())
    }
}

/// What was measured while the machine was left alone; all of it, if it never was.
fn calm(pairs: Vec<(bool, f64)>) -> Vec<f64> {
    let all_disturbed = pairs.iter().all(|(is_calm, _)| !is_calm);
    let kept = pairs
        .into_iter()
        .filter(|(is_calm, _)| *is_calm || all_disturbed);
    kept.map(|(_, value)| value).collect()
}

fn place(label: &str) -> usize {
    let entrants = crate::contestants::entrants(&[]);
    entrants
        .iter()
        .position(|entrant| entrant.label() == label)
        .unwrap_or(usize::MAX)
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
