//! Memory of connections that have made one call each and are left open.

use std::time::Duration;

use crate::Result;
use crate::contestant::{Client, Contestant};
use crate::control::Control;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::usage::Usage;
use crate::work::body;

/// Opens the connections one after the other and compares the memory with that of one connection.
pub(crate) async fn run<C: Contestant>(plan: &Plan) -> Result<Outcome> {
    let mut control = Control::connect(&plan.control)?;
    let body = body(plan.size);
    let first = C::connect(plan).await?;
    first.call(plan.case, 0, &body).await?;
    tokio::time::sleep(SETTLE).await;
    let before = (Usage::now(None), control.usage()?);
    let mut clients = vec![first];
    for _ in 1..plan.connections {
        let client = C::connect(plan).await?;
        client.call(plan.case, 0, &body).await?;
        clients.push(client);
    }
    tokio::time::sleep(SETTLE).await;
    let after = (Usage::now(None), control.usage()?);
    let more = (clients.len() - 1).max(1) as f64;
    let each = |after: u64, before: u64| (after as f64 - before as f64) / more;
    Ok(Outcome {
        count: clients.len() as u64,
        client_idle_kib: each(after.0.resident_kib, before.0.resident_kib),
        server_idle_kib: each(after.1.resident_kib, before.1.resident_kib),
        client_peak_kib: after.0.peak_kib as f64,
        server_peak_kib: after.1.peak_kib as f64,
        ..Outcome::default()
    })
}

/// Time for both sides to come to rest.
const SETTLE: Duration = Duration::from_millis(500);
