//! What the runtime logs, for tests that wait for a line.

use std::sync::{LazyLock, Mutex, Once};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static MORE: LazyLock<Notify> = LazyLock::new(Notify::new);

struct Kept;

impl ::log::Log for Kept {
    fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &::log::Record<'_>) {
        let line = format!("{} {}: {}", record.level(), record.target(), record.args());
        LINES.lock().unwrap().push(line);
        MORE.notify_waiters();
    }

    fn flush(&self) {}
}

/// Keeps what is logged from now on.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ::log::set_logger(&Kept).unwrap();
        ::log::set_max_level(::log::LevelFilter::Trace);
    });
}

/// Waits for a refusal with this text.
pub async fn until(text: &str) {
    let found = async {
        loop {
            let more = MORE.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            let is_here = |line: &String| {
                line.starts_with("WARN rpc_runtime::audit: refused: TLS with tls://")
                    && line.contains(text)
            };
            if LINES.lock().unwrap().iter().any(is_here) {
                return;
            }
            more.await;
        }
    };
    if timeout(Duration::from_secs(20), found).await.is_err() {
        panic!("{text} was not logged: {:#?}", LINES.lock().unwrap());
    }
}
