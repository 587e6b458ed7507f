//! An answer that was read recently is given at once, also to async callers.
//!
//! Each replay through a future went to the janitor's thread and back, although the frame was in the
//! cache of recently read frames: over HTTP a replay took many times as long as a first request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use hapax::{Claim, ClaimOptions, Policy, Store};

#[test]
fn an_answer_that_was_read_lately_is_there_when_the_future_is_first_polled() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("store");
    let policy = Policy::at_least_once;
    let store = Store::builder(&dir).open().unwrap();
    let jobs = store.namespace("jobs", policy()).unwrap();
    let Claim::Granted(lease) = jobs.claim("job-1").unwrap() else {
        panic!("a new key is granted");
    };
    lease.complete("done").unwrap();
    store.close().unwrap();

    let store = Store::builder(&dir).open().unwrap();
    let jobs = store.namespace("jobs", policy()).unwrap();
    let reads = |source| {
        let metrics = store.metrics();
        metrics.total("hapax_record_reads_total", &[("source", source)])
    };
    // By a caller that blocks, so that it is there.
    let Claim::Completed(_) = jobs.claim("job-1").unwrap() else {
        panic!("the store remembers its answer");
    };
    assert_eq!((reads("medium"), reads("cache")), (1, 0));

    let mut replay = jobs.claim_async("job-1", ClaimOptions::new());
    let polled = Pin::new(&mut replay).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(Claim::Completed(answer))) = polled else {
        panic!("the answer is at hand: {polled:?}");
    };
    assert_eq!(answer.response(), b"done");
    assert_eq!((reads("medium"), reads("cache")), (1, 1));
}
