//! [`World`]: a server, its clock, and the processes that open stores over it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::sim::{ReferenceBackend, Server, Skew};
use hapax::{Claim, Lease, Namespace, OpenOptions, Policy, Store};

/// A server, its clock, and the processes that open stores over it.
pub(crate) struct World {
    pub(crate) server: Server,
}

/// A process: its link, and its store.
pub(crate) struct Process {
    pub(crate) link: ReferenceBackend,
    pub(crate) store: Store,
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

impl World {
    pub(crate) fn new() -> Self {
        Self {
            server: Server::new(),
        }
    }

    /// A process whose calls give up soon, so that tests of a link that fails end.
    pub(crate) fn process(&self, number: u64) -> Process {
        self.process_with(number, Skew::default(), OpenOptions::new())
    }

    pub(crate) fn process_with(&self, number: u64, skew: Skew, options: OpenOptions) -> Process {
        let link = self.server.client_with(skew);
        let options = options.secrets(number * 1_000_003);
        let store = Store::over(Arc::new(link.clone()), options).unwrap();
        Process { link, store }
    }

    /// Lets a little time pass until a call has its answer.
    pub(crate) fn wait_for<F: Future>(&self, call: F) -> F::Output {
        let mut call = pin!(call);
        loop {
            let mut context = Context::from_waker(Waker::noop());
            match call.as_mut().poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => self.advance(Duration::from_millis(10)),
            }
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.server.clock().advance(by);
    }
}

impl Process {
    /// The namespace of most tests: at least once.
    pub(crate) fn jobs(&self) -> Namespace {
        let policy = Policy::at_least_once();
        self.store.namespace("jobs", policy).unwrap()
    }

    /// The other one: at most once.
    pub(crate) fn payments(&self) -> Namespace {
        let policy = Policy::at_most_once();
        self.store.namespace("payments", policy).unwrap()
    }
}

/// The lease of a claim that has to be granted.
#[track_caller]
pub(crate) fn granted(claim: hapax::Result<Claim>) -> Lease {
    match claim.unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("the claim is not granted: {other:?}"),
    }
}
