//! A medium that gives no answer: no call on the store hangs for ever.
//!
//! The log beneath holds every sync until it is told to go on. The calls here end with an error; a test that
//! waits for longer than [`PATIENCE`] has found a hang.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::engine::engine::Engine;
use crate::engine::options::EngineOptions;
use crate::engine::tests::hooked_log::{Hook, HookedLog};
use crate::runtime::clock::Clock;
use crate::runtime::patience::LOOK_MS_MAX;
use crate::store::handle::StoreInner;
use crate::testing::{ManualClock, MemoryLog};
use crate::value::error::Result;
use crate::{Claim, Durability, ErrorKind, Namespace, Policy, Store};

const DEADLINE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Holds every thread that comes, while it is shut.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    shut: bool,
    waiting: usize,
}

impl Gate {
    fn set(&self, shut: bool) {
        self.state.lock().shut = shut;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.waiting += 1;
        self.changed.notify_all();
        while state.shut {
            self.changed.wait(&mut state);
        }
        state.waiting -= 1;
    }

    /// Waits until a caller is held.
    fn wait_for_one(&self) {
        let mut state = self.state.lock();
        while state.waiting == 0 {
            let waited = self.changed.wait_for(&mut state, PATIENCE);
            assert!(!waited.timed_out(), "no thread came to the gate");
        }
    }
}

impl Hook for Gate {
    fn before(&self, call: &'static str) -> io::Result<()> {
        if matches!(call, "sync" | "write_marks") {
            self.pass();
        }
        Ok(())
    }
}

struct Bench {
    log: MemoryLog,
    gate: Arc<Gate>,
}

impl Bench {
    fn new() -> Self {
        Self {
            log: MemoryLog::new(),
            gate: Arc::default(),
        }
    }

    fn open(&self, clock: Clock, durability: Durability) -> Store {
        self.open_with(clock, durability, DEADLINE)
    }

    fn open_with(&self, clock: Clock, durability: Durability, deadline: Duration) -> Store {
        let gate: Arc<dyn Hook> = self.gate.clone();
        let log = HookedLog::new(self.log.session().unwrap(), gate);
        let options = EngineOptions {
            durability,
            shards: 4,
            max_offline: None,
            write_deadline: deadline,
            drive: clock.drive(),
            ..EngineOptions::default()
        };
        let engine = Engine::open(Arc::new(log), clock, options).unwrap();
        engine.start().unwrap();
        Store::of(Arc::new(StoreInner { engine }))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Threads that are still held can end.
        self.gate.set(false);
    }
}

/// Does something on a thread of its own, which may be held.
fn aside<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, result) = mpsc::channel();
    let run = move || {
        let _ = done.send(act());
    };
    std::thread::Builder::new().spawn(run).unwrap();
    result
}

fn answer<T>(result: &Receiver<T>) -> T {
    result
        .recv_timeout(PATIENCE)
        .expect("no call hangs for ever")
}

fn spaces(store: &Store) -> [Namespace; 2] {
    [
        store.namespace("least", Policy::at_least_once()).unwrap(),
        store.namespace("most", Policy::at_most_once()).unwrap(),
    ]
}

fn complete(space: &Namespace, key: &str) -> Result<()> {
    let Claim::Granted(lease) = space.claim(key)? else {
        panic!("{key} is new")
    };
    lease.complete("done")
}

#[test]
fn callers_get_an_error_when_a_sync_gives_no_answer() {
    let bench = Bench::new();
    let store = bench.open(Clock::system(), Durability::Sync);
    let [least, most] = spaces(&store);
    complete(&least, "before").unwrap();
    bench.gate.set(true);
    let calls = [
        aside({
            let least = least.clone();
            move || complete(&least, "1")
        }),
        aside({
            let most = most.clone();
            move || complete(&most, "2")
        }),
        aside({
            let store = store.clone();
            move || store.sync()
        }),
    ];
    for (number, call) in calls.iter().enumerate().take(2) {
        let error = answer(call).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{number}: {error}");
    }
    // It may have come before there was anything to sync.
    let synced = answer(&calls[2]);
    assert!(synced.is_ok_and(|()| true) || store.sync().is_err());
    assert_eq!(
        complete(&least, "3").unwrap_err().kind(),
        ErrorKind::Poisoned
    );
    assert!(matches!(
        least.claim("before").unwrap(),
        Claim::Completed(_)
    ));
    let closing = aside({
        let store = store.clone();
        move || store.close()
    });
    answer(&closing).unwrap_err();
    answer(&aside(move || drop((store, least, most))));
    // When the medium answers after all, the threads that are left end, and nothing acknowledged is missing.
    bench.gate.set(false);
    reopened(&bench);
}

/// Opens the store again once its last thread has let go of the log.
fn reopened(bench: &Bench) {
    let log = bench.log.clone();
    let free = aside(move || {
        while log.session().is_err() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    });
    answer(&free);
    let store = bench.open(Clock::system(), Durability::Sync);
    let [least, _] = spaces(&store);
    assert!(matches!(
        least.claim("before").unwrap(),
        Claim::Completed(_)
    ));
    store.validate();
    store.close().unwrap();
}

/// The bug: the last write of all is made by `close` itself, when the thread that watches over
/// writes has ended, so a medium that gave no answer then held `close` and `drop` for ever.
#[test]
fn close_gives_up_a_medium_that_gives_no_answer_to_its_own_writes() {
    for closes in [true, false] {
        let bench = Bench::new();
        let minute = Durability::Interval(SECOND * 60);
        let store = bench.open(Clock::system(), minute);
        let [least, _] = spaces(&store);
        complete(&least, "before").unwrap();
        store.sync().unwrap();
        complete(&least, "after").unwrap();
        bench.gate.set(true);
        if closes {
            let closing = aside({
                let store = store.clone();
                move || store.close()
            });
            let error = answer(&closing).unwrap_err();
            assert!(error.to_string().contains("closing the store"), "{error}");
        }
        answer(&aside(move || drop((store, least))));
        bench.gate.set(false);
        reopened(&bench);
    }
}

/// The bug: once a minute the timer brought the marks forward, and waited for the writer to do so.
/// A write that gave no answer at that moment held the timer, which is what notices such writes,
/// and `close` behind it.
#[test]
fn the_timer_never_waits_for_a_write() {
    let bench = Bench::new();
    let clock = ManualClock::new();
    let store = bench.open(Clock::Manual(clock), Durability::Sync);
    let [least, _] = spaces(&store);
    bench.gate.set(true);
    let held = aside(move || complete(&least, "1"));
    bench.gate.wait_for_one();
    let touched = aside({
        let store = store.clone();
        move || store.engine().journal.touch_marks(60_000)
    });
    answer(&touched);
    bench.gate.set(false);
    answer(&held).unwrap();
}

/// The bug: while a commit was under way, the changes in it no longer counted for the window, so
/// that a slow sync let callers make as many changes again, and a crash could lose them all.
#[test]
fn a_slow_sync_makes_callers_wait_instead_of_the_window_grow() {
    let bench = Bench::new();
    let clock = ManualClock::new();
    let store = bench.open(Clock::Manual(clock.clone()), Durability::Interval(SECOND));
    let [least, _] = spaces(&store);
    complete(&least, "1").unwrap();
    let journal = &store.engine().journal;
    let began_ms = 0;
    let due_ms = journal.due_ms();
    assert_eq!(due_ms, Some(began_ms + 500), "half of the window");
    bench.gate.set(true);
    let held = aside(move || clock.advance(SECOND / 2));
    bench.gate.wait_for_one();
    assert_eq!(journal.congestion(began_ms + 999), None);
    assert!(
        journal.congestion(began_ms + 1000).is_some(),
        "what is being synced is as old as it is"
    );
    bench.gate.set(false);
    answer(&held);
    assert_eq!(journal.congestion(began_ms + 5000), None, "it is durable");
}

/// The deadline is for a medium that gives no answer, not for a slow one, nor for an idle store.
#[test]
fn only_a_write_that_takes_longer_than_the_deadline_poisons_the_store() {
    let bench = Bench::new();
    let clock = ManualClock::new();
    let store = bench.open(Clock::Manual(clock), Durability::Sync);
    let [least, _] = spaces(&store);
    let journal = &store.engine().journal;
    let began_ms = store.engine().now().mono_ms;
    let limit_ms = crate::value::time::millis(DEADLINE);
    journal.watch(began_ms + 60_000);
    for (key, late_ms, poisons) in [("1", 0, false), ("2", 1, true)] {
        bench.gate.set(true);
        let least = least.clone();
        let held = aside(move || complete(&least, key));
        bench.gate.wait_for_one();
        journal.watch(began_ms + limit_ms / 2);
        journal.watch(began_ms + limit_ms + late_ms);
        assert_eq!(journal.is_poisoned(), poisons, "{key}");
        bench.gate.set(false);
        // What became durable after all is acknowledged.
        answer(&held).unwrap();
    }
    assert_eq!(
        complete(&least, "3").unwrap_err().kind(),
        ErrorKind::Poisoned
    );
}

/// The bug: a process that was stopped while a write was under way (`SIGSTOP`, a paused container)
/// found on waking that the write had taken longer than the deadline, and poisoned the store. The
/// watcher had stood still itself: what it has not watched does not count.
#[test]
fn a_process_that_stood_still_does_not_blame_the_medium() {
    let bench = Bench::new();
    let clock = Clock::Manual(ManualClock::new());
    let store = bench.open_with(clock, Durability::Sync, SECOND * 30);
    let [least, _] = spaces(&store);
    let journal = &store.engine().journal;
    bench.gate.set(true);
    let held = aside(move || complete(&least, "1"));
    bench.gate.wait_for_one();
    let hour_ms = 3_600_000;
    let ticks = [100, 200, 300, hour_ms, hour_ms + 100, 2 * hour_ms];
    ticks.into_iter().for_each(|at_ms| journal.watch(at_ms));
    assert!(
        !journal.is_poisoned(),
        "it was watched for less than two seconds"
    );
    assert!(
        journal.busy_ms(2 * hour_ms) < 3000,
        "nor does it look stuck"
    );
    let mut now_ms = 2 * hour_ms;
    while !journal.is_poisoned() {
        now_ms += 100;
        journal.watch(now_ms);
        assert!(
            now_ms < 2 * hour_ms + 31_000,
            "a medium that is stuck is noticed"
        );
    }
    assert!(now_ms > 2 * hour_ms + 30_000 - 6 * LOOK_MS_MAX);
    bench.gate.set(false);
    answer(&held).unwrap();
}
