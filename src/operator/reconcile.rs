//! [`Reconciler`]: settles doubts, and asks again about doubts that are still unknown.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::claim::doubt::{Doubt, Resolution};
use crate::scan::doubts::DoubtScan;
use crate::store::store::Store;
use crate::value::error::{ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::time::millis;

/// What [`Store::reconcile`] or a step of a [`Reconciler`] did.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Resolution, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// for key in ["a", "b"] {
///     let Claim::Granted(lease) = mail.claim(key)? else { panic!("it is new") };
///     lease.doubt("the provider timed out")?;
/// }
/// let done = store.reconcile(|doubt| {
///     (doubt.key() == b"a").then(|| Resolution::Happened(b"sent".to_vec()))
/// })?;
/// assert_eq!((done.resolved(), done.unknown()), (1, 1));
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Reconciled {
    resolved: u64,
    unknown: u64,
    holder_alive: u64,
    waiting: u64,
}

impl Reconciled {
    /// Doubts that were resolved.
    #[must_use]
    pub fn resolved(&self) -> u64 {
        self.resolved
    }

    /// Doubts that stayed unknown.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Doubts that were left alone because their holder is alive in this process.
    #[must_use]
    pub fn holder_alive(&self) -> u64 {
        self.holder_alive
    }

    /// Doubts that were not asked about, because it is too early to ask again.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting
    }
}

/// Settles doubts over time, with back-off.
///
/// It starts no thread: call [`step`](Self::step) from time to time, at the latest after
/// [`retry_after`](Self::retry_after).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hapax::{Claim, Policy, Resolution, Store};
/// use hapax::testing::ManualClock;
///
/// let clock = ManualClock::new();
/// let store = Store::in_memory().clock(&clock).allow_at_most_once().open()?;
/// let pay = store.namespace("pay", Policy::at_most_once())?;
/// let Claim::Granted(lease) = pay.claim("order-42")? else { unreachable!() };
/// lease.doubt("the provider timed out")?;
///
/// let mut reconciler = store.reconciler(Duration::from_secs(1), Duration::from_secs(300));
/// assert_eq!(reconciler.step(|_| None)?.unknown(), 1);
/// assert_eq!(reconciler.step(|_| None)?.waiting(), 1, "it is too early to ask again");
/// clock.advance(reconciler.retry_after().unwrap());
/// let answer = |_: &_| Some(Resolution::Happened(b"receipt".to_vec()));
/// assert_eq!(reconciler.step(answer)?.resolved(), 1);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone)]
pub struct Reconciler {
    store: Store,
    first_ms: u64,
    most_ms: u64,
    /// By the token of a doubt that stayed unknown.
    unknown: HashMap<FencingToken, Recheck>,
}

#[derive(Clone, Copy)]
struct Recheck {
    wait_ms: u64,
    again_ms: u64,
}

impl Reconciler {
    pub(crate) fn new(store: Store, first: Duration, most: Duration) -> Self {
        let (first_ms, most_ms) = (millis(first), millis(most.max(first)));
        Self {
            store,
            first_ms,
            most_ms,
            unknown: HashMap::new(),
        }
    }

    /// Asks `settle` about every key in doubt whose time has come, and resolves those that it
    /// knows about.
    ///
    /// # Errors
    /// As for [`Store::reconcile`].
    pub fn step(
        &mut self,
        mut settle: impl FnMut(&Doubt) -> Option<Resolution>,
    ) -> Result<Reconciled> {
        let doubts = self.store.doubts()?;
        let before = std::mem::take(&mut self.unknown);
        let stepped = self.go_through(doubts, &before, &mut settle);
        if stepped.is_err() {
            // Doubts that this step did not reach count as asked about too.
            for (token, asked) in before {
                self.unknown.entry(token).or_insert(asked);
            }
        }
        stepped
    }

    fn go_through(
        &mut self,
        doubts: DoubtScan,
        before: &HashMap<FencingToken, Recheck>,
        settle: &mut impl FnMut(&Doubt) -> Option<Resolution>,
    ) -> Result<Reconciled> {
        let mut reconciled = Reconciled::default();
        let now_ms = self.store.home().mono_ms();
        for doubt in doubts {
            let doubt = doubt?;
            let asked = before.get(&doubt.token()).copied();
            if let Some(asked) = asked.filter(|asked| asked.again_ms > now_ms) {
                self.unknown.insert(doubt.token(), asked);
                reconciled.waiting += 1;
                continue;
            }
            let settled = match settle(&doubt) {
                Some(resolution) => doubt.resolve(resolution),
                None => {
                    reconciled.unknown += 1;
                    self.ask_again(&doubt, asked, now_ms);
                    continue;
                }
            };
            match settled {
                Ok(()) => reconciled.resolved += 1,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Superseded | ErrorKind::NotHeld) => {}
                Err(error) if error.kind() == ErrorKind::InUse => {
                    reconciled.holder_alive += 1;
                    self.ask_again(&doubt, asked, now_ms);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(reconciled)
    }

    /// How long until a doubt can be asked about again; `None` if no doubt stayed unknown.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let now_ms = self.store.home().mono_ms();
        let next = self.unknown.values().map(|asked| asked.again_ms).min()?;
        Some(Duration::from_millis(next.saturating_sub(now_ms)))
    }

    fn ask_again(&mut self, doubt: &Doubt, asked: Option<Recheck>, now_ms: u64) {
        let wait_ms = asked
            .map_or(self.first_ms, |asked| asked.wait_ms.saturating_mul(2))
            .min(self.most_ms);
        let again_ms = now_ms.saturating_add(wait_ms);
        self.unknown
            .insert(doubt.token(), Recheck { wait_ms, again_ms });
    }
}

impl Store {
    /// Asks `settle` about every key in doubt, and resolves those that it knows about; `None`
    /// leaves a key in doubt.
    ///
    /// Call it after open; [`reconciler`](Self::reconciler) goes on asking about doubts that stay unknown.
    ///
    /// # Errors
    /// The first failure to resolve. A doubt that was settled meanwhile is not a failure.
    pub fn reconcile(
        &self,
        settle: impl FnMut(&Doubt) -> Option<Resolution>,
    ) -> Result<Reconciled> {
        self.reconciler(Duration::ZERO, Duration::ZERO).step(settle)
    }

    /// Settles doubts over time: one that stays unknown is asked about again after `first`, then
    /// after twice as long each time, up to `most`.
    #[must_use]
    pub fn reconciler(&self, first: Duration, most: Duration) -> Reconciler {
        Reconciler::new(self.clone(), first, most)
    }
}

impl fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconciler")
            .field("unknown", &self.unknown.len())
            .finish_non_exhaustive()
    }
}
