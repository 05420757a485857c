//! One line in the log for each refusal, and a bound on how many a stranger can cause.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Where the lines go: a program can give them a file of their own.
pub(crate) const TARGET: &str = "rpc_runtime::audit";

/// Lines in one [`WINDOW`]; further refusals are counted, and the number is told when the next window begins.
const LINES: u32 = 20;

const WINDOW: Duration = Duration::from_secs(1);

/// Writes refusals to the log. What is written holds no secret: whoever calls it sees to that.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Audit {
    /// Writes one line, or counts it.
    pub(crate) fn warn(&self, what: fmt::Arguments<'_>) {
        if let Some(left_out) = self.count() {
            if left_out > 0 {
                log::warn!(target: TARGET, "{left_out} further refusals were not written here");
            }
            // A line break in what a stranger says of itself must not begin a line of its own.
            log::warn!(target: TARGET, "refused: {}", Printable(&what.to_string()));
        }
    }

    /// How many were left out before this one; `None` if this one is left out too.
    fn count(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state
            .began
            .is_none_or(|began| now.duration_since(began) >= WINDOW)
        {
            state.began = Some(now);
            state.lines = 0;
        }
        if state.lines == LINES {
            state.left_out += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

/// A text without control characters.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if letter.is_control() {
                write!(f, "{}", letter.escape_default())?;
            } else {
                f.write_char(letter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_fills_no_log_and_none_is_forgotten() {
        let audit = Audit::default();
        let written = (0..1_000).filter(|_| audit.count().is_some()).count();
        assert_eq!(written, LINES as usize);
        tokio::time::advance(WINDOW).await;
        assert_eq!(audit.count(), Some(1_000 - u64::from(LINES)));
        assert_eq!(audit.count(), Some(0));
    }
}
