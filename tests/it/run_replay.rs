//! What `run_once` gives back when the stored result cannot be given back.

use hapax::{ErrorKind, Failure, Oversize, Policy, Ran, RunError, Store};

/// A result over `max_response` is recorded without its bytes under `Oversize::OutcomeOnly`. The
/// replay used to decode the missing bytes, so a caller got an empty text as if the first run had
/// returned it.
#[test]
fn a_result_that_was_left_out_is_not_replayed_as_an_empty_one() {
    let store = Store::in_memory().open().unwrap();
    let policy = Policy::at_least_once()
        .max_response(4)
        .oversize(Oversize::OutcomeOnly);
    let jobs = store.namespace("jobs", policy).unwrap();
    let run = || jobs.run_once("report", |_| Ok::<_, Failure<String>>("long".repeat(9)));
    assert!(matches!(run(), Ok(Ran::Executed(_))));
    let Err(RunError::Store(error)) = run() else {
        panic!("there is nothing to replay")
    };
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.payload(), None);
}
