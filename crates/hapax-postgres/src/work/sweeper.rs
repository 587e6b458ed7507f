//! The sweep in the background: expired rows go in steps, with rests between them.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::call::ask::{Ask, Swept};
use crate::work::worker::Event;

/// After a step that removed rows.
const REST_SHORT: Duration = Duration::from_millis(100);

/// After a step that removed none.
const REST: Duration = Duration::from_secs(1);

/// After the last step through the table, after a failure, and while another process sweeps.
const REST_LONG: Duration = Duration::from_secs(10);

/// Sweeps until the worker is gone.
pub(crate) async fn run(events: UnboundedSender<Event>) {
    let mut tidied: Option<Instant> = None;
    loop {
        let (reply, answer) = oneshot::channel();
        let tidy = tidied.is_none_or(|at| at.elapsed() >= REST_LONG);
        if tidy {
            tidied = Some(Instant::now());
        }
        if events.send(Event::Ask(Ask::Sweep(tidy, reply))).is_err() {
            return;
        }
        let rest = match answer.await {
            Ok(Ok(swept)) => rest_after(swept),
            Ok(Err(_)) => REST_LONG,
            Err(_) => return,
        };
        tokio::time::sleep(rest).await;
    }
}

fn rest_after(swept: Swept) -> Duration {
    match swept.removed {
        _ if swept.wrapped => REST_LONG,
        Some(removed) if removed > 0 => REST_SHORT,
        _ => REST,
    }
}
