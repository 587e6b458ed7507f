//! Callers that wait for keys: in line, looked for, and told.

use std::future::poll_fn;
use std::sync::Arc;

use crate::backend::{Answered, KeyRef, Row};
use crate::remote::first_of::first_of;
use crate::remote::remote::Remote;
use crate::remote::seen::Look;
use crate::remote::waits::{Attendance, Wait, Waiting};
use crate::runtime::sync::{Mailbox, wake};
use crate::value::error::Result;

/// A caller in line, which leaves it when it goes away.
struct InLine {
    remote: Arc<Remote>,
    mailbox: Arc<Mailbox<Option<Look>>>,
}

impl Drop for InLine {
    fn drop(&mut self) {
        let (told, waker) = self.mailbox.shut();
        let mut line = self.remote.waits.0.lock();
        line.waiting
            .retain(|waiting| !Arc::ptr_eq(&waiting.mailbox, &self.mailbox));
        drop(line);
        drop((told, waker));
    }
}

impl Remote {
    /// Waits until the row of a key is another one, or its lease has ended. `None` once the time has come, or where
    /// too many callers wait already.
    pub(super) async fn wait_for(
        self: &Arc<Self>,
        key: &KeyRef,
        wait: Wait,
        place: &mut Option<u64>,
        attendance: &Attendance,
    ) -> Result<Option<Look>> {
        if wait.until_ms <= self.backend.mono_ms() {
            return Ok(None);
        }
        let mailbox = Arc::new(Mailbox::new());
        let waiting = Waiting {
            place: place.unwrap_or(0),
            key: key.clone(),
            wait,
            mailbox: Arc::clone(&mailbox),
        };
        let Some(given) = self.stand_in_line(waiting) else {
            return Ok(None);
        };
        *place = Some(given);
        let line = InLine {
            remote: Arc::clone(self),
            mailbox,
        };
        attendance.stand(Some(&line.mailbox))?;
        let told = poll_fn(|context| line.mailbox.poll(context)).await;
        attendance.stand(None)?;
        self.check_open()?;
        Ok(told)
    }

    /// The place that it got; `None` where the line is full.
    fn stand_in_line(self: &Arc<Self>, mut waiting: Waiting) -> Option<u64> {
        let limits = &self.options.limits;
        let mut line = self.waits.0.lock();
        // `close` ends the waits of the line once it has closed the store.
        if self.is_closed() {
            return None;
        }
        let of_key = line.waiting.iter().filter(|other| other.key == waiting.key);
        if line.waiting.len() >= limits.waiters || of_key.count() >= limits.waiters_per_key {
            return None;
        }
        if waiting.place == 0 {
            line.places += 1;
            waiting.place = line.places;
        }
        let place = waiting.place;
        let at = line.waiting.partition_point(|other| other.place < place);
        line.waiting.insert(at, waiting);
        line.span_ms = self.options.poll_min_ms;
        let has_to_begin = !std::mem::replace(&mut line.polled, true);
        drop(line);
        if has_to_begin {
            let remote = Arc::clone(self);
            self.backend
                .spawn(Box::pin(async move { remote.poll_waits().await }));
        }
        Some(place)
    }

    /// The store is closed: no caller waits any more.
    pub(super) fn end_waits(&self) {
        let left = std::mem::take(&mut self.waits.0.lock().waiting);
        left.iter().for_each(|waiting| deliver(waiting, None));
    }

    /// Looks at the keys that callers wait for, until none waits.
    async fn poll_waits(&self) {
        while let Some((span_ms, keys)) = self.next_look() {
            let hint = self.backend.watch(keys);
            first_of(self.backend.sleep(span_ms), hint).await;
            let mut keys: Vec<KeyRef> = {
                let line = self.waits.0.lock();
                line.waiting
                    .iter()
                    .map(|waiting| waiting.key.clone())
                    .collect()
            };
            keys.sort_unstable();
            keys.dedup();
            // Where the backend does not answer, callers wait on until their time comes.
            let seen = self.backend.read(keys.clone()).await.ok();
            self.tell(&keys, seen);
        }
    }

    /// The span until the next look, and the keys; `None`, and no task any more, once no caller waits.
    fn next_look(&self) -> Option<(u64, Vec<KeyRef>)> {
        let now_ms = self.backend.mono_ms();
        let mut line = self.waits.0.lock();
        if line.waiting.is_empty() || self.is_closed() {
            line.polled = false;
            let left = std::mem::take(&mut line.waiting);
            drop(line);
            left.iter().for_each(|waiting| deliver(waiting, None));
            return None;
        }
        let span_ms = line.span_ms;
        line.span_ms = span_ms
            .saturating_mul(3)
            .div_ceil(2)
            .min(self.options.poll_max_ms);
        // A lease that is renewed ends later, and then its row is another one.
        let moments = line.waiting.iter().flat_map(|waiting| {
            let lapse_ms = Some(waiting.wait.lapses_ms).filter(|at| *at > now_ms);
            [Some(waiting.wait.until_ms), lapse_ms]
        });
        let soonest = moments.flatten().min();
        let left_ms = soonest.map_or(span_ms, |until| until.saturating_sub(now_ms));
        let keys = line
            .waiting
            .iter()
            .map(|waiting| waiting.key.clone())
            .collect();
        drop(line);
        Some((self.jittered(span_ms).min(left_ms).max(1), keys))
    }

    /// Three quarters to five quarters of a span, so that processes do not look at the same moments.
    fn jittered(&self, span_ms: u64) -> u64 {
        let quarter = span_ms / 4;
        let draw = u64::try_from(self.nonces.draw() & 0xffff).unwrap_or(0);
        span_ms - quarter + draw % (2 * quarter + 1)
    }

    /// Tells the callers whose key has changed, and those whose time has come.
    fn tell(&self, keys: &[KeyRef], seen: Option<Answered<Vec<Option<Row>>>>) {
        let now_ms = self.backend.mono_ms();
        let mut told = Vec::new();
        let mut line = self.waits.0.lock();
        line.waiting.retain(|waiting| {
            let look = seen.as_ref().and_then(|seen| {
                let row = &seen.found[keys.binary_search(&waiting.key).ok()?];
                let has_changed = has_changed(row.as_ref(), waiting.wait.version, seen.now_ms);
                has_changed.then(|| Look::seen(row.clone(), seen.now_ms))
            });
            if look.is_none() && waiting.wait.until_ms > now_ms {
                return true;
            }
            told.push((Arc::clone(&waiting.mailbox), look));
            false
        });
        drop(line);
        for (mailbox, look) in told {
            if let Ok(Some(waker)) = mailbox.deliver(look) {
                wake(waker);
            }
        }
    }
}

fn deliver(waiting: &Waiting, look: Option<Look>) {
    if let Ok(Some(waker)) = waiting.mailbox.deliver(look) {
        wake(waker);
    }
}

/// Whether a caller that waits has to decide again: another row, none, or a lease that has ended.
fn has_changed(row: Option<&Row>, version: u128, now_ms: u64) -> bool {
    let Some(row) = row.filter(|row| row.nonce == version) else {
        // A renewal is another row too, which the caller finds in progress once more.
        return true;
    };
    let run = row.running();
    run.is_none_or(|run| run.ends_ms() <= now_ms)
}
