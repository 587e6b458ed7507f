//! A small executor: many futures on one thread, and a timer. It polls ready futures in the
//! order in which they were woken, and parks when no future is ready.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

use crate::histogram::instant;
use crate::schedule::Idle;

/// The queue of futures that can go on; it wakes the thread.
#[derive(Debug)]
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    thread: Thread,
}

#[derive(Debug)]
struct TaskWaker {
    ready: Arc<Ready>,
    task: usize,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut queue = self.ready.queue.lock().expect("no thread panics with it");
        queue.push_back(self.task);
        let first = queue.len() == 1;
        drop(queue);
        if first {
            self.ready.thread.unpark();
        }
    }
}

/// The timer of one executor, and when its thread was idle last.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    waits: RefCell<BinaryHeap<Reverse<(Instant, usize)>>>,
    running: Cell<usize>,
    idle: Cell<Option<Idle>>,
}

impl Timer {
    /// Ready at `due`; returns when the thread was idle last.
    pub(crate) fn until(&self, due: Instant) -> Until<'_> {
        Until { timer: self, due }
    }
}

#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub(crate) struct Until<'a> {
    timer: &'a Timer,
    due: Instant,
}

impl Future for Until<'_> {
    type Output = Option<Idle>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if instant() >= self.due {
            return Poll::Ready(self.timer.idle.get());
        }
        let wait = Reverse((self.due, self.timer.running.get()));
        self.timer.waits.borrow_mut().push(wait);
        Poll::Pending
    }
}

type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs the futures to their ends, on this thread.
pub(crate) fn run(timer: &Timer, tasks: Vec<Task<'_>>) {
    let ready = Arc::new(Ready {
        queue: Mutex::new((0..tasks.len()).collect()),
        thread: std::thread::current(),
    });
    let waker = |task| {
        let ready = Arc::clone(&ready);
        Waker::from(Arc::new(TaskWaker { ready, task }))
    };
    let wakers: Vec<Waker> = (0..tasks.len()).map(waker).collect();
    let mut tasks: Vec<Option<Task<'_>>> = tasks.into_iter().map(Some).collect();
    let mut left = tasks.len();
    while left > 0 {
        let mut turn = std::mem::take(&mut *ready.queue.lock().expect("no thread panics with it"));
        due_tasks(timer, &mut turn);
        if turn.is_empty() {
            park(timer);
        }
        for at in turn {
            // A future that was woken twice may have ended.
            let Some(task) = &mut tasks[at] else { continue };
            timer.running.set(at);
            if task
                .as_mut()
                .poll(&mut Context::from_waker(&wakers[at]))
                .is_ready()
            {
                tasks[at] = None;
                left -= 1;
            }
        }
    }
}

fn due_tasks(timer: &Timer, turn: &mut VecDeque<usize>) {
    let mut waits = timer.waits.borrow_mut();
    let now = instant();
    while let Some(Reverse((due, task))) = waits.peek().copied() {
        if due > now {
            break;
        }
        waits.pop();
        turn.push_back(task);
    }
}

/// Parks until the next wait ends, or until a future is woken.
fn park(timer: &Timer) {
    let from = instant();
    let next = timer.waits.borrow().peek().map(|Reverse((due, _))| *due);
    match next {
        Some(due) => std::thread::park_timeout(due.saturating_duration_since(from)),
        None => std::thread::park(),
    }
    timer.idle.set(Some(Idle {
        from,
        until: instant(),
    }));
}
