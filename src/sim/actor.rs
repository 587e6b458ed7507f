//! [`Actor`]: what a handler is given to work with, and the futures that it waits on.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fastrand::Rng;

use crate::runtime::clock::Clock;
use crate::runtime::manual_clock::ManualClock;
use crate::runtime::sync::{AtomicBool, Ordering};
use crate::store::store::Store;
use crate::value::error::Result;
use crate::value::time::millis;

/// One of several users of a store at the same time, such as a request, a consumer or a job.
///
/// A handler is called with one over and over again, for as long as the simulation lasts. It must
/// draw all chance from the actor and all time from the simulation, or the seed repeats nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::Policy;
/// use hapax::sim::Simulation;
///
/// Simulation::new(7).steps(100).run(|actor| async move {
///     let mail = actor.store().namespace("mail", Policy::at_least_once())?;
///     if actor.chance(50) {
///         actor.sleep(Duration::from_secs(1)).await;
///     }
///     mail.insert_async(actor.below(10).to_be_bytes()).await?;
///     Ok(())
/// });
/// ```
#[derive(Clone)]
pub struct Actor {
    pub(super) number: usize,
    pub(super) round: u64,
    pub(super) store: Store,
    pub(super) shared: Rc<Shared>,
}

/// What the simulation and its actors share.
pub(super) struct Shared {
    pub(super) clock: ManualClock,
    pub(super) random: RefCell<Rng>,
    sleepers: RefCell<Vec<(u64, Waker)>>,
}

impl Shared {
    pub(super) fn new(clock: ManualClock, seed: u64) -> Self {
        Self {
            clock,
            random: RefCell::new(Rng::with_seed(seed)),
            sleepers: RefCell::new(Vec::new()),
        }
    }

    pub(super) fn mono_ms(&self) -> u64 {
        Clock::Manual(self.clock.clone()).mono_ms()
    }

    /// Wakes the actors that have slept long enough.
    pub(super) fn wake_sleepers(&self) {
        let now_ms = self.mono_ms();
        let mut sleepers = self.sleepers.borrow_mut();
        let (due, rest) = std::mem::take(&mut *sleepers)
            .into_iter()
            .partition(|(until_ms, _)| *until_ms <= now_ms);
        *sleepers = rest;
        drop(sleepers);
        let due: Vec<(u64, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Actor {
    /// The store in this life of the process.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The number of the actor, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// How often a handler was called before, for any actor, in any life.
    #[must_use]
    pub fn round(&self) -> u64 {
        self.round
    }

    /// A number below `end`, or 0 where `end` is 0, drawn from the seed.
    #[must_use]
    pub fn below(&self, end: u64) -> u64 {
        self.shared.random.borrow_mut().u64(0..end.max(1))
    }

    /// True in this percentage of cases, drawn from the seed.
    #[must_use]
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Virtual time since the simulation began, across all lives.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_millis(self.shared.mono_ms())
    }

    /// Lets other actors go first. The simulation may kill the actor here.
    pub fn pause(&self) -> impl Future<Output = ()> + use<> {
        Pause { paused: false }
    }

    /// Waits for at least this much virtual time.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        Sleep {
            until_ms: self.shared.mono_ms().saturating_add(millis(time)),
            shared: Rc::clone(&self.shared),
        }
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("number", &self.number)
            .field("round", &self.round)
            .finish_non_exhaustive()
    }
}

struct Pause {
    paused: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.paused {
            return Poll::Ready(());
        }
        self.paused = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

struct Sleep {
    until_ms: u64,
    shared: Rc<Shared>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.shared.mono_ms() >= self.until_ms {
            return Poll::Ready(());
        }
        let sleeper = (self.until_ms, context.waker().clone());
        self.shared.sleepers.borrow_mut().push(sleeper);
        Poll::Pending
    }
}

/// A handler that has started and not ended.
pub(super) struct Task {
    future: Pin<Box<dyn Future<Output = Result<()>>>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Task {
    pub(super) fn new(future: impl Future<Output = Result<()>> + 'static) -> Self {
        Self {
            future: Box::pin(future),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }

    pub(super) fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Acquire)
    }

    pub(super) fn poll(&mut self) -> Poll<Result<()>> {
        self.woken.0.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self.woken));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}
