//! The work: checks a body, appends a line to the ledger, answers. Sometimes it fails.

use std::hint::black_box;
use std::io;
use std::panic;

use hapax::Lease;

use crate::deliveries::Event;
use crate::ledger::{Entry, Ledger};
use crate::random::{Random, digest, digest_from};

/// The label of the derived key under which an effect stands in the ledger.
pub(crate) const EFFECT: &str = "ledger";

/// Bytes that a handler digests: some hundred microseconds, so that deliveries overlap.
const WORK_BYTES: usize = 300_000;

/// The attempt that succeeds where a handler asks to be tried again.
const PATIENT_ATTEMPT: u32 = 3;

/// Handles deliveries.
#[derive(Debug)]
pub(crate) struct Handler<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) seed: u64,
    pub(crate) rate: u32,
}

/// Why a handler gave no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The delivery is not acceptable, and never will be.
    Final(String),
    /// Nothing has happened, and a later attempt may succeed.
    Retry(String),
    /// The ledger failed: it is unknown whether the line is there.
    Unknown(io::Error),
}

/// What a staged crash throws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Crash {
    BeforeEffect,
    AfterEffect,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    None,
    Fails,
    Retries,
    Crashes(Crash),
}

impl Handler<'_> {
    /// Handles one delivery under its lease, and returns the response.
    pub(crate) fn handle(
        &self,
        lease: &Lease,
        event: &Event,
        body: &str,
    ) -> Result<Vec<u8>, Refusal> {
        // What was resolved as never happened is not an attempt, and leaves a reason.
        let is_first = lease.attempt() == 1 && lease.last_reason().is_empty();
        let trouble = self.trouble(event, lease.attempt(), is_first);
        spend_time_on(body);
        match trouble {
            Trouble::Fails => {
                return Err(Refusal::Final(format!("{} is not supported", event.kind)));
            }
            Trouble::Retries => return Err(Refusal::Retry("a backend was busy".to_owned())),
            Trouble::Crashes(crash @ Crash::BeforeEffect) => panic::panic_any(crash),
            Trouble::Crashes(Crash::AfterEffect) | Trouble::None => {}
        }
        let entry = Entry {
            delivery: event.id.clone(),
            token: lease.token().as_i64(),
            key: lease.derived_key(EFFECT),
            digest: format!("{:016x}", digest(body.as_bytes())),
        };
        self.ledger.append(&entry).map_err(Refusal::Unknown)?;
        if let Trouble::Crashes(crash) = trouble {
            panic::panic_any(crash);
        }
        Ok(entry.response())
    }

    /// The trouble that this attempt meets: drawn from the seed and the id, so a restart meets the
    /// same.
    fn trouble(&self, event: &Event, attempt: u32, is_first: bool) -> Trouble {
        let mut random = Random::named(self.seed, &event.id);
        if !random.percent(self.rate) {
            return Trouble::None;
        }
        match random.below(4) {
            0 => Trouble::Fails,
            1 if attempt < PATIENT_ATTEMPT => Trouble::Retries,
            2 if is_first => Trouble::Crashes(Crash::BeforeEffect),
            3 if is_first => Trouble::Crashes(Crash::AfterEffect),
            _ => Trouble::None,
        }
    }
}

/// Stands for what a real handler does: checks a signature, parses, looks things up.
fn spend_time_on(body: &str) {
    let mut spent = 0;
    let mut running = 0;
    while spent < WORK_BYTES {
        running = digest_from(running, body.as_bytes());
        spent += body.len().max(1);
    }
    black_box(running);
}

/// Crashes are part of the play: only other panics get the usual message.
pub(crate) fn keep_staged_crashes_quiet() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Crash>() {
            usual(info);
        }
    }));
}
