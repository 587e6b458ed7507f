//! What the tests share: a store on a clock that tests move, and short ways to an
//! answer of one kind.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hapax::operator::{Attribution, Operator};
use hapax::testing::{ManualClock, MemoryLog};
use hapax::{
    Builder, Claim, ClaimOptions, Completed, Doubt, Fingerprint, InProgress, KeyInfo, KeyState,
    Lease, Mismatch, Namespace, Pending, Policy, Store,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One medium, one clock, and the store that is open on them.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) log: MemoryLog,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(options: impl FnOnce(Builder) -> Builder) -> Self {
        let (clock, log) = (ManualClock::new(), MemoryLog::new());
        let builder = Store::in_memory().log(&log).clock(&clock);
        let store = options(builder).open().unwrap();
        Self { clock, log, store }
    }

    /// Cuts the power, and opens what is left.
    pub(crate) fn crash(&mut self) {
        self.log.crash();
        self.reopen();
    }

    /// Opens the store again after the log was crashed or the store was closed.
    pub(crate) fn reopen(&mut self) {
        self.store = self.builder().open().unwrap();
    }

    pub(crate) fn builder(&self) -> Builder {
        Store::in_memory().log(&self.log).clock(&self.clock)
    }

    pub(crate) fn namespace(&self, policy: Policy) -> Namespace {
        self.store.namespace("work", policy).unwrap()
    }
}

pub(crate) fn operator(store: &Store) -> Operator {
    store.operator(Attribution::new("alice", "INC-42: it hangs").unwrap())
}

/// The sum of a counter over all its labels.
pub(crate) fn total(store: &Store, name: &str) -> u64 {
    store.metrics().total(name, &[])
}

/// At-least-once and at-most-once, with a lease of a minute.
pub(crate) fn both() -> [Policy; 2] {
    [Policy::at_least_once(), Policy::at_most_once()]
}

/// A fingerprint of scheme 1 with one part, `body`.
pub(crate) fn print(namespace: &Namespace, body: &str) -> Fingerprint {
    namespace.fingerprint(1).part("body", body).build().unwrap()
}

pub(crate) fn with_print(namespace: &Namespace, body: &str) -> ClaimOptions {
    ClaimOptions::new().fingerprint(print(namespace, body))
}

macro_rules! answers {
    ($($name:ident: $variant:ident -> $type:ty,)*) => {
        $(
            #[track_caller]
            pub(crate) fn $name(claim: Claim) -> $type {
                match claim {
                    Claim::$variant(inner) => inner,
                    other => panic!("{} expected, got {other:?}", stringify!($variant)),
                }
            }
        )*
    };
}

answers! {
    granted: Granted -> Lease,
    in_progress: InProgress -> InProgress,
    completed: Completed -> Completed,
    in_doubt: InDoubt -> Doubt,
    mismatch: Mismatch -> Mismatch,
}

#[track_caller]
pub(crate) fn claim(namespace: &Namespace, key: &str) -> Lease {
    granted(namespace.claim(key).unwrap())
}

/// What the key is, or `None` when it is absent.
#[track_caller]
pub(crate) fn state(namespace: &Namespace, key: &str) -> Option<KeyState> {
    namespace.get(key).unwrap().as_ref().map(KeyInfo::state)
}

/// A moment as seconds since 1970.
pub(crate) fn secs(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Polls once, with a waker that does nothing.
pub(crate) fn poll<T>(pending: &mut Pending<T>) -> Poll<T> {
    Pin::new(pending).poll(&mut Context::from_waker(Waker::noop()))
}

/// The result of a future that must be ready.
#[track_caller]
pub(crate) fn ready<T>(mut pending: Pending<T>) -> T {
    match poll(&mut pending) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future is not ready"),
    }
}

/// A future that has to wait, after its first poll.
#[track_caller]
pub(crate) fn waiting<T>(mut pending: Pending<T>) -> Pending<T> {
    assert!(poll(&mut pending).is_pending(), "the future has to wait");
    pending
}
