//! All parking and waking: the one place where a thread or a task goes to sleep.
//!
//! Every wait is a future that knows nothing of a runtime; a blocking call drives the same future
//! on its own thread. Wakers run foreign code, so no waker is woken under a lock.
//!
//! Every lock, atomic and thread of the library is named here: with `--cfg hapax_shuttle` the unit
//! tests get those of shuttle, which tries out the orders in which threads can run.

pub(crate) mod forks;
#[cfg(not(all(test, hapax_shuttle)))]
mod native;
pub(crate) mod refusals;
#[cfg(all(test, hapax_shuttle))]
mod shuttled;
#[cfg(feature = "sim")]
pub(crate) mod simulated;

#[cfg(not(all(test, hapax_shuttle)))]
use crate::runtime::sync::native as threads;
#[cfg(all(test, hapax_shuttle))]
use crate::runtime::sync::shuttled as threads;

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::runtime::sync::threads::{Builder, Condvar, Thread, current, park};

pub(crate) use crate::runtime::sync::threads::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, JoinHandle, Mutex, MutexGuard, Ordering,
    panicking,
};
/// Only the logs on a disk have these, which shuttle cannot run.
pub(crate) use parking_lot::RwLock;

#[cfg(debug_assertions)]
threads::thread_local! {
    static IN_SHARD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

threads::thread_local! {
    /// The duty of this thread, if it is a store's own thread.
    static DUTY: RefCell<Option<Arc<dyn Duty>>> = const { RefCell::new(None) };
}

/// The work of one of a store's own threads.
pub(crate) trait Duty: Send + Sync {
    /// Does what is due, then sleeps until more is, or until the next nudge.
    fn round(&self);

    /// Ends the sleep of this round, or keeps the next one from sleeping.
    fn nudge(&self);
}

/// Works on this thread as long as `goes_on`. Foreign code that runs here, inside of a waker, may
/// make calls that wait for the store: [`block_on`] goes on with the rounds meanwhile.
pub(crate) fn serve(duty: Arc<dyn Duty>, goes_on: impl Fn() -> bool) {
    struct OffDuty;
    impl Drop for OffDuty {
        fn drop(&mut self) {
            let duty = DUTY.with(|duty| duty.borrow_mut().take());
            drop(duty);
        }
    }
    DUTY.with(|at| *at.borrow_mut() = Some(Arc::clone(&duty)));
    let _off = OffDuty;
    while goes_on() {
        duty.round();
    }
}

/// Runs foreign code and contains its panic, so that no other waiter misses a wake because of it.
pub(crate) fn contain(act: impl FnOnce()) {
    // A model has to see the panics of its threads.
    #[cfg(all(test, hapax_shuttle))]
    act();
    #[cfg(not(all(test, hapax_shuttle)))]
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)) {
        #[expect(
            clippy::mem_forget,
            reason = "dropping what was thrown may panic again"
        )]
        std::mem::forget(panic);
    }
}

/// Wakes, outside of every lock; a waker that panics is contained.
pub(crate) fn wake(waker: Waker) {
    contain(|| waker.wake());
}

/// Starts a thread.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    refusals::check()?;
    Builder::new().name(name.to_owned()).spawn(work)
}

/// Whether this thread is the one that `handle` stands for.
pub(crate) fn is_this_thread(handle: &JoinHandle<()>) -> bool {
    handle.thread().id() == current().id()
}

/// The time during which this thread holds the lock of a shard. Debug builds check that it holds
/// one at a time, and that nothing waits, wakes or does I/O meanwhile.
#[derive(Debug)]
pub(crate) struct ShardScope(());

impl ShardScope {
    pub(crate) fn enter() -> Self {
        #[cfg(debug_assertions)]
        assert!(
            !IN_SHARD.with(|flag| flag.replace(true)),
            "a thread holds the lock of one shard at a time"
        );
        Self(())
    }
}

impl Drop for ShardScope {
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        IN_SHARD.with(|flag| flag.set(false));
    }
}

/// Checks in debug builds that this thread holds no shard while it does this.
pub(crate) fn assert_outside_shards(doing: &str) {
    #[cfg(debug_assertions)]
    assert!(
        !IN_SHARD.with(std::cell::Cell::get),
        "{doing} under the lock of a shard"
    );
    #[cfg(not(debug_assertions))]
    let _ = doing;
}

/// Who drives the workers of a store, and carries out its commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drive {
    /// Threads of its own.
    Threads,
    /// A manual clock that moves, and the callers that wait for a commit.
    Clock,
    /// A simulation, step by step. Only a blocking call commits by itself: nothing else could.
    #[cfg(feature = "sim")]
    Steps,
}

impl Drive {
    /// Whether a caller that waits for the log has to do the work of a worker itself.
    pub(crate) fn is_inline(self) -> bool {
        match self {
            Self::Threads => false,
            Self::Clock => true,
            #[cfg(feature = "sim")]
            Self::Steps => simulated::is_blocking(),
        }
    }
}

/// Items that a [`pipe`] holds at most.
const PIPE_MAX: usize = 4;

/// Hands what `produce` makes to `consume`, in order: on its own thread, if the store has threads
/// and the system gives one. Everything is consumed on return.
pub(crate) fn pipe<T: Send, R>(
    drive: Drive,
    mut consume: impl FnMut(T) + Send,
    produce: impl FnOnce(&mut dyn FnMut(T)) -> R,
) -> R {
    let mut produce = Some(produce);
    // A model has its own threads only.
    #[cfg(not(all(test, hapax_shuttle)))]
    if drive == Drive::Threads {
        if let Some(result) = pipe_aside(&mut consume, &mut produce) {
            return result;
        }
    }
    #[cfg(all(test, hapax_shuttle))]
    let _ = drive;
    let produce = produce.take().expect("it has not run: no thread started");
    produce(&mut consume)
}

/// As [`pipe`], on its own thread; `None`, and nothing has run, if the system refuses one.
#[cfg(not(all(test, hapax_shuttle)))]
fn pipe_aside<T: Send, R>(
    consume: &mut (impl FnMut(T) + Send),
    produce: &mut Option<impl FnOnce(&mut dyn FnMut(T)) -> R>,
) -> Option<R> {
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(PIPE_MAX);
        let builder = Builder::new().name("hapax-open".to_owned());
        let work = move || receiver.into_iter().for_each(consume);
        let consumer = spawn_scoped(builder, scope, work).ok()?;
        let produce = produce.take()?;
        // Who cannot send has lost the consumer to a panic, which is passed on below.
        let result = produce(&mut |item| drop(sender.send(item)));
        drop(sender);
        if let Err(panic) = consumer.join() {
            std::panic::resume_unwind(panic);
        }
        Some(result)
    })
}

/// Starts a thread, unless a test refuses it.
#[cfg(not(all(test, hapax_shuttle)))]
fn spawn_scoped<'scope>(
    builder: Builder,
    scope: &'scope std::thread::Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> std::io::Result<std::thread::ScopedJoinHandle<'scope, ()>> {
    refusals::check()?;
    builder.spawn_scoped(scope, work)
}

/// Runs a future to its end on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    assert_outside_shards("waiting");
    #[cfg(feature = "sim")]
    let _blocking = simulated::Blocking::enter();
    let mut future = pin!(future);
    // Most operations have nothing to wait for: the first poll needs no thread handle.
    if let Poll::Ready(output) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        return output;
    }
    #[cfg(feature = "sim")]
    simulated::assert_can_park();
    let unpark = Arc::new(Unpark {
        thread: current(),
        duty: DUTY.with(|duty| duty.borrow().clone()),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // Acquire pairs with the release in `wake`: what the waker saw done is seen by the poll.
        while !unpark.woken.swap(false, Ordering::Acquire) {
            match &unpark.duty {
                None => park(),
                // What is waited for may be this thread's own work.
                Some(duty) => duty.round(),
            }
        }
    }
}

struct Unpark {
    thread: Thread,
    /// What the thread goes on with, where it is one of a store's own.
    duty: Option<Arc<dyn Duty>>,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        match &self.duty {
            None => self.thread.unpark(),
            Some(duty) => duty.nudge(),
        }
    }
}

/// Wakers gathered under a lock, to be woken after it has been released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakes(Vec<Waker>);

impl Wakes {
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    pub(crate) fn wake(self) {
        if !self.0.is_empty() {
            assert_outside_shards("waking");
        }
        self.0.into_iter().for_each(wake);
    }
}

impl Extend<Waker> for Wakes {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        self.0.extend(wakers);
    }
}

/// A place for one value that someone waits for.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    slot: Mutex<Slot<T>>,
}

#[derive(Debug)]
enum Slot<T> {
    Waiting(Option<Waker>),
    Full(T),
    /// The receiver has taken the value or has given up.
    Shut,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            slot: Mutex::new(Slot::Waiting(None)),
        }
    }

    /// Puts the value in. Wake the waker after releasing every lock. The value comes back when its
    /// waiter is gone.
    pub(crate) fn deliver(&self, value: T) -> Result<Option<Waker>, T> {
        let mut slot = self.slot.lock();
        match &mut *slot {
            Slot::Waiting(waker) => {
                let waker = waker.take();
                *slot = Slot::Full(value);
                Ok(waker)
            }
            Slot::Full(_) | Slot::Shut => Err(value),
        }
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<T> {
        if let Some(value) = self.fetch() {
            return Poll::Ready(value);
        }
        // Cloning and dropping a waker runs foreign code: outside of the lock.
        let waker = context.waker().clone();
        let mut slot = self.slot.lock();
        let before = std::mem::replace(&mut *slot, Slot::Shut);
        let (polled, unused) = match before {
            Slot::Full(value) => (Poll::Ready(value), Some(waker)),
            Slot::Waiting(before) => {
                *slot = Slot::Waiting(Some(waker));
                (Poll::Pending, before)
            }
            Slot::Shut => {
                *slot = Slot::Waiting(Some(waker));
                (Poll::Pending, None)
            }
        };
        drop(slot);
        drop(unused);
        polled
    }

    /// Takes the value, if it is there.
    fn fetch(&self) -> Option<T> {
        let mut slot = self.slot.lock();
        if !matches!(&*slot, Slot::Full(_)) {
            return None;
        }
        match std::mem::replace(&mut *slot, Slot::Shut) {
            Slot::Full(value) => Some(value),
            Slot::Waiting(_) | Slot::Shut => None,
        }
    }

    /// Gives up waiting: nothing can be delivered any more. Gives what was delivered, and the waker,
    /// which is to be dropped after every lock has been released.
    pub(crate) fn shut(&self) -> (Option<T>, Option<Waker>) {
        match std::mem::replace(&mut *self.slot.lock(), Slot::Shut) {
            Slot::Full(value) => (Some(value), None),
            Slot::Waiting(waker) => (None, waker),
            Slot::Shut => (None, None),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(&*self.slot.lock(), Slot::Waiting(_))
    }
}

/// The wake signal of one worker thread.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: Mutex<bool>,
    condvar: Condvar,
}

impl Signal {
    pub(crate) fn raise(&self) {
        let mut raised = self.raised.lock();
        if !*raised {
            *raised = true;
            self.condvar.notify_one();
        }
    }

    /// Waits until the signal is raised or the moment has come, and lowers it.
    pub(crate) fn wait(&self, until: Option<Instant>) {
        let mut raised = self.raised.lock();
        while !*raised {
            match until {
                Some(until) => {
                    if self.condvar.wait_until(&mut raised, until).timed_out() {
                        break;
                    }
                }
                None => self.condvar.wait(&mut raised),
            }
        }
        *raised = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{ShardScope, Wakes, block_on};
    use std::task::Waker;

    #[test]
    #[should_panic(expected = "one shard at a time")]
    fn a_second_shard_lock_is_caught() {
        let _first = ShardScope::enter();
        let _second = ShardScope::enter();
    }

    #[test]
    #[should_panic(expected = "waking under the lock of a shard")]
    fn waking_under_a_shard_lock_is_caught() {
        let mut wakes = Wakes::default();
        wakes.add(Some(Waker::noop().clone()));
        let _scope = ShardScope::enter();
        wakes.wake();
    }

    #[test]
    #[should_panic(expected = "waiting under the lock of a shard")]
    fn waiting_under_a_shard_lock_is_caught() {
        let _scope = ShardScope::enter();
        block_on(async {});
    }
}
