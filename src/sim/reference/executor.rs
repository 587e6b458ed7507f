//! [`Executor`]: tasks that run on the thread which starts or wakes them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use crate::backend::Task;
use crate::runtime::sync::{Duty, Mutex, Signal, contain, serve};

/// Tasks that run on the thread which starts or wakes them, one at a time and in the order of their wakes.
///
/// While a run is under way, on any thread, what is started or woken is left to that run. A task that blocks
/// on another one goes on with the run meanwhile: see [`Duty`].
#[derive(Debug, Default)]
pub(super) struct Executor {
    state: Mutex<State>,
    signal: Signal,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Arc<Job>>,
    /// Every task that has not ended, by its number.
    jobs: BTreeMap<u64, Arc<Job>>,
    /// Numbers given so far.
    started: u64,
    is_running: bool,
    /// Owners whose tasks are dropped once nothing is ready.
    leaving: Vec<u64>,
    panics: u64,
}

/// A task of an owner.
#[derive(Debug)]
struct Job {
    number: u64,
    owner: u64,
    executor: Weak<Executor>,
    slot: Mutex<Slot>,
}

/// Where a task is.
enum Slot {
    Waits(Task),
    Ready(Task),
    /// A thread polls it now.
    Polled {
        is_woken: bool,
    },
    Gone,
}

impl Executor {
    /// Starts a task, and runs all that is ready.
    pub(super) fn spawn(self: &Arc<Self>, owner: u64, task: Task) {
        {
            let mut state = self.state.lock();
            let number = state.started;
            state.started += 1;
            let job = Arc::new(Job {
                number,
                owner,
                executor: Arc::downgrade(self),
                slot: Mutex::new(Slot::Ready(task)),
            });
            state.jobs.insert(number, Arc::clone(&job));
            state.ready.push_back(job);
        }
        self.run();
    }

    /// Drops the tasks of an owner where they stand; one that is polled now is dropped when it comes back.
    pub(super) fn abandon(&self, owner: u64) {
        let dropped = self.state.lock().take_jobs(owner);
        dropped.iter().for_each(|job| job.abandon());
    }

    /// Drops the tasks of an owner once nothing is ready.
    pub(super) fn abandon_when_idle(self: &Arc<Self>, owner: u64) {
        self.state.lock().leaving.push(owner);
        self.run();
    }

    /// How many tasks have panicked.
    pub(super) fn panics(&self) -> u64 {
        self.state.lock().panics
    }

    /// How many tasks of this owner have not ended.
    pub(super) fn tasks(&self, owner: u64) -> usize {
        let state = self.state.lock();
        state.jobs.values().filter(|job| job.owner == owner).count()
    }

    /// Runs until nothing is ready, unless a run is under way: then that one does it.
    fn run(self: &Arc<Self>) {
        // A task of the run under way may wait for what is ready now.
        self.signal.raise();
        {
            let mut state = self.state.lock();
            if state.is_running || state.is_idle() {
                return;
            }
            state.is_running = true;
        }
        let duty: Arc<dyn Duty> = Arc::<Self>::clone(self);
        serve(duty, || self.goes_on());
    }

    /// Whether the run has more to do. If not, it ends under the same lock, so that no wake is left to it.
    fn goes_on(&self) -> bool {
        let mut state = self.state.lock();
        state.is_running = !state.is_idle();
        state.is_running
    }

    /// Does one thing that is to be done; `false` if there is none.
    fn step(&self) -> bool {
        let mut state = self.state.lock();
        if let Some(job) = state.ready.pop_front() {
            drop(state);
            self.poll(&job);
            return true;
        }
        let Some(owner) = state.leaving.pop() else {
            return false;
        };
        drop(state);
        self.abandon(owner);
        true
    }

    fn poll(&self, job: &Arc<Job>) {
        let Some(mut task) = job.take() else {
            return;
        };
        let waker = Waker::from(Arc::clone(job));
        let mut polled = None;
        contain(|| polled = Some(task.as_mut().poll(&mut Context::from_waker(&waker))));
        if polled == Some(Poll::Pending) {
            return self.put_back(job, task);
        }
        {
            let mut state = self.state.lock();
            state.panics += u64::from(polled.is_none());
            state.jobs.remove(&job.number);
        }
        *job.slot.lock() = Slot::Gone;
        contain(|| drop(task));
    }

    fn put_back(&self, job: &Arc<Job>, task: Task) {
        let mut slot = job.slot.lock();
        match &*slot {
            Slot::Polled { is_woken: true } => {
                *slot = Slot::Ready(task);
                drop(slot);
                self.state.lock().ready.push_back(Arc::clone(job));
            }
            Slot::Polled { is_woken: false } => *slot = Slot::Waits(task),
            Slot::Waits(_) | Slot::Ready(_) | Slot::Gone => {
                drop(slot);
                contain(|| drop(task));
            }
        }
    }
}

impl Duty for Executor {
    fn round(&self) {
        let mut is_idle = true;
        while self.step() {
            is_idle = false;
        }
        // Only a task that blocks comes here with nothing to do: the run itself ends then.
        if is_idle {
            self.signal.wait(None);
        }
    }

    fn nudge(&self) {
        self.signal.raise();
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.leaving.is_empty()
    }

    fn take_jobs(&mut self, owner: u64) -> Vec<Arc<Job>> {
        self.ready.retain(|job| job.owner != owner);
        let mut taken = Vec::new();
        self.jobs.retain(|_, job| {
            let stays = job.owner != owner;
            if !stays {
                taken.push(Arc::clone(job));
            }
            stays
        });
        taken
    }
}

impl Job {
    /// Takes a ready task out, to be polled.
    fn take(&self) -> Option<Task> {
        let mut slot = self.slot.lock();
        if !matches!(&*slot, Slot::Ready(_)) {
            return None;
        }
        match std::mem::replace(&mut *slot, Slot::Polled { is_woken: false }) {
            Slot::Ready(task) => Some(task),
            Slot::Waits(_) | Slot::Polled { .. } | Slot::Gone => None,
        }
    }

    fn abandon(&self) {
        let slot = std::mem::replace(&mut *self.slot.lock(), Slot::Gone);
        // The task may be foreign code: outside of the lock.
        contain(|| drop(slot));
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        {
            let mut slot = self.slot.lock();
            match std::mem::replace(&mut *slot, Slot::Gone) {
                Slot::Waits(task) => *slot = Slot::Ready(task),
                Slot::Polled { .. } => {
                    *slot = Slot::Polled { is_woken: true };
                    return;
                }
                other @ (Slot::Ready(_) | Slot::Gone) => {
                    *slot = other;
                    return;
                }
            }
        }
        if let Some(executor) = self.executor.upgrade() {
            executor.state.lock().ready.push_back(Arc::clone(self));
            executor.run();
        }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Waits(_) => "Waits",
            Self::Ready(_) => "Ready",
            Self::Polled { .. } => "Polled",
            Self::Gone => "Gone",
        })
    }
}
