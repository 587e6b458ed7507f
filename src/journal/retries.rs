//! [`Retries`]: the chores that fail. Each is tried again with back-off; its failure ends nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::journal::chore::Chore;
use crate::observe::health::Trouble;
use crate::runtime::sync::{AtomicU32, Mutex, Ordering, contain};
use crate::value::error::{Error, ErrorKind, Result};

/// The first pause between two tries, and the longest; each pause is twice the one before.
const PAUSE_MS: u64 = 100;
const PAUSE_MS_MAX: u64 = 5000;

#[derive(Clone, Debug)]
struct Setback {
    kind: ErrorKind,
    cause: String,
    since_ms: u64,
    again_ms: u64,
    pause_ms: u64,
}

/// The chores that fail now.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    /// A bit for each chore that fails, so that no caller takes the lock while all is well.
    failing: AtomicU32,
    failures: AtomicU32,
    state: Mutex<Setbacks>,
}

#[derive(Debug, Default)]
struct Setbacks {
    /// Invariant: a chore has a setback exactly while its bit is set.
    setbacks: BTreeMap<Chore, Setback>,
    /// Retries that began to fail, with the cause, or healed, and that `tell` has not told yet.
    news: Vec<(Chore, Option<String>)>,
}

impl Retries {
    /// Does a chore, unless it has failed and is not due again yet.
    ///
    /// # Errors
    /// Its failure, or the last one if it is not due.
    pub(crate) fn attempt<T>(
        &self,
        chore: Chore,
        now_ms: u64,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.is_failing(chore) {
            let state = self.state.lock();
            let waits = state
                .setbacks
                .get(&chore)
                .filter(|setback| setback.again_ms > now_ms);
            if let Some(setback) = waits {
                return Err(Error::new(setback.kind, setback.cause.clone()));
            }
        }
        self.attempt_now(chore, now_ms, act)
    }

    /// As [`attempt`](Self::attempt), due or not.
    pub(crate) fn attempt_now<T>(
        &self,
        chore: Chore,
        now_ms: u64,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let done = act();
        match &done {
            Ok(_) => self.succeeded(chore),
            Err(error) => self.failed(chore, now_ms, error),
        }
        done
    }

    fn succeeded(&self, chore: Chore) {
        if self.is_failing(chore) {
            let mut state = self.state.lock();
            state.setbacks.remove(&chore);
            state.news.push((chore, None));
            self.failing.fetch_and(!chore.bit(), Ordering::Release);
        }
    }

    fn failed(&self, chore: Chore, now_ms: u64, error: &Error) {
        let mut state = self.state.lock();
        let (since_ms, pause_ms) = match state.setbacks.get(&chore) {
            None => (now_ms, PAUSE_MS),
            Some(before) => {
                let longer_ms = before.pause_ms.saturating_mul(2);
                (before.since_ms, longer_ms.min(PAUSE_MS_MAX))
            }
        };
        let cause = error.to_string();
        if !state.setbacks.contains_key(&chore) {
            state.news.push((chore, Some(cause.clone())));
        }
        let setback = Setback {
            kind: error.kind(),
            cause,
            since_ms,
            again_ms: now_ms.saturating_add(pause_ms),
            pause_ms,
        };
        state.setbacks.insert(chore, setback);
        self.failing.fetch_or(chore.bit(), Ordering::Release);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the subscriber of traces what began to fail and what healed. This runs foreign code, so the
    /// caller must not hold a lock.
    pub(crate) fn tell(&self) {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return;
        }
        let news = std::mem::take(&mut self.state.lock().news);
        for (chore, cause) in news {
            match cause {
                Some(cause) => contain(|| crate::observe::trace::ailing(chore.doing(), &cause)),
                None => contain(|| crate::observe::trace::healed(chore.doing())),
            }
        }
    }

    /// Whether the last try of a chore failed.
    #[inline]
    pub(crate) fn is_failing(&self, chore: Chore) -> bool {
        self.failing.load(Ordering::Acquire) & chore.bit() != 0
    }

    /// Since when a chore has failed, on the monotonic clock.
    pub(crate) fn since_ms(&self, chore: Chore) -> Option<u64> {
        let state = self.state.lock();
        state.setbacks.get(&chore).map(|setback| setback.since_ms)
    }

    /// When a chore that fails is due again.
    pub(crate) fn again_ms(&self, chore: Chore) -> Option<u64> {
        if !self.is_failing(chore) {
            return None;
        }
        let state = self.state.lock();
        state.setbacks.get(&chore).map(|setback| setback.again_ms)
    }

    /// When the next failing chore is due again.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        if self.failing.load(Ordering::Acquire) == 0 {
            return None;
        }
        let state = self.state.lock();
        let setbacks = state.setbacks.values();
        setbacks.map(|setback| setback.again_ms).min()
    }

    /// The failing chores. Waits for no lock: in a forked child the holder of a lock may be gone.
    pub(crate) fn list(&self, now_ms: u64) -> Vec<Trouble> {
        if self.failing.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let Some(state) = self.state.try_lock() else {
            return Vec::new();
        };
        let trouble = |(chore, setback): (&Chore, &Setback)| Trouble::Upkeep {
            doing: chore.doing().to_owned(),
            cause: setback.cause.clone(),
            since: Duration::from_millis(now_ms.saturating_sub(setback.since_ms)),
        };
        state.setbacks.iter().map(trouble).collect()
    }

    /// Failures so far.
    pub(crate) fn failures(&self) -> u64 {
        u64::from(self.failures.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::Retries;
    use crate::journal::chore::Chore;
    use crate::observe::health::Trouble;
    use crate::value::error::{Error, ErrorKind, Result};

    fn fail() -> Result<()> {
        Err(Error::new(ErrorKind::Io, "too many open files"))
    }

    #[test]
    fn a_failure_is_tried_again_later_and_later_and_forgotten_once_it_succeeds() {
        let retries = Retries::default();
        retries.attempt(Chore::Prepare, 1000, fail).unwrap_err();
        retries
            .attempt(Chore::Prepare, 1099, || -> Result<()> {
                panic!("it is not due")
            })
            .unwrap_err();
        for (at, next) in [
            (1100, 1300),
            (1300, 1700),
            (1700, 2500),
            (2500, 4100),
            (4100, 7300),
            (7300, 12_300),
            (12_300, 17_300),
        ] {
            retries.attempt(Chore::Prepare, at, fail).unwrap_err();
            assert_eq!(retries.next_ms(), Some(next));
        }
        assert!(retries.is_failing(Chore::Prepare) && !retries.is_failing(Chore::Close));
        let [Trouble::Upkeep { cause, since, .. }] = &retries.list(20_000)[..] else {
            panic!("one fails")
        };
        assert_eq!(since.as_millis(), 19_000);
        assert!(cause.contains("too many"), "{cause}");
        retries.attempt(Chore::Prepare, 20_000, || Ok(())).unwrap();
        assert!(retries.list(20_000).is_empty() && retries.next_ms().is_none());
        retries.attempt(Chore::Prepare, 20_000, fail).unwrap_err();
        assert_eq!(retries.next_ms(), Some(20_100), "the pauses begin anew");
    }
}
