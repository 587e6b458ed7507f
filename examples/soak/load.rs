//! The load: ever new keys, first in and first out, and now and then an earlier key.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hapax::{Claim, Namespace};

use crate::Failure;
use crate::histogram::{Histogram, instant};
use crate::random::Random;

/// The work of one thread since the last sample.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) claims: Histogram,
    pub(crate) completes: Histogram,
    pub(crate) replays: u64,
}

impl Tally {
    pub(crate) fn append(&mut self, other: &Self) {
        self.claims.append(&other.claims);
        self.completes.append(&other.completes);
        self.replays += other.replays;
    }
}

#[derive(Debug)]
pub(crate) struct Load<'a> {
    pub(crate) on: &'a Namespace,
    pub(crate) number: u64,
    /// Pairs a second; 0 for as many as there can be.
    pub(crate) rate: u64,
    pub(crate) retention: Duration,
    pub(crate) seed: u64,
    pub(crate) tally: &'a Mutex<Tally>,
    pub(crate) over: &'a AtomicBool,
}

/// One key in this many completes with a body of many frames, and one in this many is asked for
/// again.
const LARGE_ONE_IN: u64 = 2000;
const LARGE_BYTES: usize = 200_000;
const REPLAY_ONE_IN: u64 = 20;
/// Keys that were completed just now.
const RECENT: usize = 1000;
/// The store counts seconds on a thread of its own, which a busy machine keeps waiting.
const STORE_TIME_LAG: Duration = Duration::from_millis(500);
/// How far ahead of its pace a thread may be.
const SLICE: Duration = Duration::from_millis(5);

impl Load<'_> {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut random = Random::new(self.seed ^ (self.number << 32));
        let from = instant();
        let mut serial = 0;
        let mut completed = VecDeque::new();
        while !self.over.load(Ordering::Relaxed) {
            completed.truncate(RECENT - 1);
            completed.push_front((serial, instant()));
            self.pair(serial)?;
            serial += 1;
            if random.below(REPLAY_ONE_IN) == 0 {
                let (serial, since) = completed[random.index(completed.len())];
                self.replay(serial, since)?;
            }
            if self.rate > 0 {
                self.keep_pace(serial, instant().saturating_duration_since(from));
            }
        }
        Ok(())
    }

    /// Parks when it is a slice ahead.
    fn keep_pace(&self, serial: u64, elapsed: Duration) {
        let due = Duration::from_nanos(serial.saturating_mul(1_000_000_000) / self.rate);
        if let Some(ahead) = due.checked_sub(elapsed + SLICE) {
            std::thread::park_timeout(ahead + SLICE);
        }
    }

    fn key(&self, serial: u64) -> String {
        format!("{:03}-{serial:012}-delivery", self.number)
    }

    fn body(&self, serial: u64) -> Vec<u8> {
        let body = format!(
            "{{\"thread\":{},\"serial\":{serial:012},\"status\":\"delivered\"}}",
            self.number
        );
        let mut body = body.into_bytes();
        if serial % LARGE_ONE_IN == LARGE_ONE_IN - 1 {
            let byte = u8::try_from(serial % 251).unwrap_or_default();
            body.resize(LARGE_BYTES, byte);
        }
        body
    }

    fn pair(&self, serial: u64) -> Result<(), Failure> {
        let (key, body) = (self.key(serial), self.body(serial));
        let start = instant();
        let claimed = self.on.claim(&key)?;
        let claimed_at = instant();
        let Claim::Granted(lease) = claimed else {
            return Err(format!("{key} is new, and the claim was answered {claimed:?}").into());
        };
        lease.complete(&body)?;
        let end = instant();
        let mut tally = self.tally.lock().expect("no thread panics with it");
        tally
            .claims
            .add(claimed_at.saturating_duration_since(start));
        tally
            .completes
            .add(end.saturating_duration_since(claimed_at));
        Ok(())
    }

    /// Asks for a key that was completed after `since`. An answer is wrong unless the retention may
    /// have passed, as when the disk has kept this thread waiting.
    fn replay(&self, serial: u64, since: Instant) -> Result<(), Failure> {
        let key = self.key(serial);
        let claimed = self.on.claim(&key)?;
        let age = instant().saturating_duration_since(since);
        match claimed {
            Claim::Completed(answer) if answer.response() == self.body(serial) => {}
            Claim::Granted(lease) if age + STORE_TIME_LAG >= self.retention => {
                return Ok(lease.complete(self.body(serial))?);
            }
            other => {
                let text = format!("{key} was completed {age:?} ago, and is answered {other:?}");
                return Err(text.into());
            }
        }
        self.tally.lock().expect("no thread panics with it").replays += 1;
        Ok(())
    }
}
