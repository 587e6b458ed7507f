//! [`Gate`]: runs work that may block off the threads of the runtime, a few pieces at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use crate::answer::problem::{Code, Problem};

/// Admits a limited number of pieces of work, and waits a limited time for each.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    /// How long the work may run before it is asked to stop.
    patience: Duration,
    /// How much longer the request waits after that.
    grace: Duration,
    late: Code,
}

/// Asks a piece of work to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks the work to stop when its request ends, answered or left by its client.
struct AskOnDrop(Stop);

impl Drop for AskOnDrop {
    fn drop(&mut self) {
        self.0.ask();
    }
}

impl Gate {
    pub(crate) fn new(places: usize, patience: Duration, grace: Duration, late: Code) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            patience,
            grace,
            late,
        }
    }

    /// Runs the work on a thread that may block. The work keeps its place until it ends, even if the
    /// request ends before.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Stop) -> Result<T, Problem> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let text = "too many requests of this kind are running: try again in a moment";
            return Err(Problem::new(Code::Busy, text).retry_after(1));
        };
        let stop = Stop::default();
        let asks = AskOnDrop(stop.clone());
        let task = move || {
            let _place = place;
            work(&stop)
        };
        // The runtime panics if the system refuses it a thread.
        let spawned = catch_unwind(AssertUnwindSafe(|| spawn_blocking(task)));
        let mut task = spawned.map_err(|_| {
            let text = "the system has no thread for this request: try again in a moment";
            Problem::new(Code::Busy, text).retry_after(1)
        })?;
        if let Ok(done) = timeout(self.patience, &mut task).await {
            return ended(done);
        }
        asks.0.ask();
        match timeout(self.grace, &mut task).await {
            Ok(done) => ended(done),
            Err(_) => Err(self.late()),
        }
    }

    #[cfg(test)]
    pub(crate) fn free_places(&self) -> usize {
        self.places.available_permits()
    }

    fn late(&self) -> Problem {
        let waited = self.patience + self.grace;
        let next = match self.late {
            Code::StillRunning => {
                "the operation may still take effect: look at the key before you repeat it"
            }
            _ => "look at /health/ready, and ask for less",
        };
        Problem::new(self.late, format!("no answer within {waited:?}; {next}"))
    }
}

fn ended<T>(done: Result<Result<T, Problem>, JoinError>) -> Result<T, Problem> {
    done.unwrap_or_else(|_| {
        Err(Problem::new(
            Code::StoreFailed,
            "the handler panicked: the log of the service says where",
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::{Gate, Stop};
    use crate::answer::problem::{Code, Problem};

    fn gate(places: usize) -> Gate {
        let second = Duration::from_secs(1);
        Gate::new(places, second, second, Code::TooSlow)
    }

    fn code_of<T>(answer: Result<T, Problem>) -> Option<Code> {
        answer.err().map(|problem| problem.code())
    }

    #[tokio::test]
    async fn a_place_is_taken_until_the_work_has_ended() {
        let gate = gate(1);
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let busy = gate.clone();
        let first = tokio::spawn(async move {
            let _ = busy.run(move |_| Ok(wait.recv())).await;
        });
        while gate.free_places() == 1 {
            tokio::task::yield_now().await;
        }
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(code_of(gate.run(|_| Ok(())).await), Some(Code::Busy));
        go_on.send(()).unwrap();
        while gate.run(|_| Ok(())).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn work_is_asked_to_stop_when_its_client_leaves() {
        let gate = gate(1);
        let (asked, hears) = std::sync::mpsc::channel();
        let gone = gate.run(move |stop| {
            while !stop.is_asked() {
                std::thread::yield_now();
            }
            asked
                .send(())
                .map_err(|_| Problem::invalid("no one listens"))
        });
        drop(timeout(Duration::from_millis(20), gone).await);
        hears.recv().unwrap();
    }

    #[tokio::test]
    async fn what_takes_too_long_is_asked_then_left() {
        let short = Duration::from_millis(5);
        let gate = Gate::new(2, short, short, Code::StillRunning);
        let stops = |stop: &Stop| {
            while !stop.is_asked() {
                std::thread::yield_now();
            }
            Ok("stopped")
        };
        let patient = Gate::new(1, short, Duration::from_secs(60), Code::TooSlow);
        assert_eq!(patient.run(stops).await.ok(), Some("stopped"));
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let deaf = move |_: &Stop| Ok(wait.recv().is_ok());
        assert_eq!(code_of(gate.run(deaf).await), Some(Code::StillRunning));
        go_on.send(()).unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let gate = gate(1);
        let panics = |_: &Stop| -> Result<(), Problem> { panic!("on purpose") };
        assert_eq!(code_of(gate.run(panics).await), Some(Code::StoreFailed));
        assert!(
            gate.run(|_| Ok(())).await.is_ok(),
            "the place is free again"
        );
    }
}
