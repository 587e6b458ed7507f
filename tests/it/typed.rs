//! Values in place of bytes, and fingerprints of JSON bodies.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{
    Claim, ClaimOptions, ErrorKind, Failure, Namespace, Oversize, Policy, Ran, RunError, Store,
    Typed, TypedClaim, TypedLease,
};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Receipt {
    charge: String,
    cents: u64,
}

fn receipt() -> Receipt {
    Receipt {
        charge: "ch_1".to_owned(),
        // A JSON reader that goes through floating point would lose the last bit.
        cents: (1 << 53) + 1,
    }
}

/// A value that refuses to be written when it is negative.
#[derive(Deserialize, Clone, PartialEq, Debug)]
struct Picky(i64);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 < 0 {
            return Err(serde::ser::Error::custom("below zero"));
        }
        serializer.serialize_i64(self.0)
    }
}

fn namespace(policy: Policy) -> (Store, Namespace) {
    let store = Store::in_memory().allow_at_most_once().open();
    let store = store.expect("it opens");
    let namespace = store
        .namespace("typed", policy)
        .expect("a policy that holds");
    (store, namespace)
}

fn granted<T: std::fmt::Debug>(claim: TypedClaim<T>) -> TypedLease<T> {
    match claim {
        TypedClaim::Granted(lease) => lease,
        other => panic!("granted, not {other:?}"),
    }
}

fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("an in-memory store answers at once"),
    }
}

#[test]
fn a_value_is_given_back_as_it_was_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let open = || {
        let store = Store::open(&path).unwrap();
        let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
        (store, pay.typed::<Receipt>())
    };
    let (store, pay) = open();
    assert_eq!(pay.get("order").unwrap(), None);
    let lease = granted(pay.claim("order").unwrap());
    assert_eq!(lease.attempt(), 1);
    assert!(matches!(
        pay.claim("order").unwrap(),
        TypedClaim::InProgress(_)
    ));
    assert_eq!(
        pay.get("order").unwrap(),
        None,
        "a running key has no value"
    );
    lease.renew().unwrap();
    let token = lease.token();
    lease.complete(&receipt()).unwrap();
    drop((store, pay));

    let (_store, pay) = open();
    let TypedClaim::Completed(answer) = pay.claim("order").unwrap() else {
        panic!("completed")
    };
    assert_eq!(answer.value(), &receipt());
    assert_eq!(answer.answer().token(), token);
    assert_eq!(
        answer.answer().response(),
        serde_json::to_vec(&receipt()).unwrap()
    );
    assert_eq!(answer.into_value(), receipt());
    assert_eq!(pay.get("order").unwrap(), Some(receipt()));
}

#[test]
fn a_response_that_no_longer_decodes_is_an_error_with_its_bytes_and_never_a_second_run() {
    let (_store, raw) = namespace(Policy::at_least_once());
    let Claim::Granted(lease) = raw.claim("old").unwrap() else {
        panic!("granted")
    };
    lease.complete(r#"{"charge":"ch_0"}"#).unwrap();
    let pay: Typed<Receipt> = raw.typed();
    let mut errors = vec![
        pay.claim("old").unwrap_err(),
        ready(pay.claim_async("old", ClaimOptions::new())).unwrap_err(),
        pay.get("old").unwrap_err(),
    ];
    let ran = pay.run_once("old", |_| -> Result<Receipt, Failure<String>> {
        panic!("a second run")
    });
    let RunError::Store(error) = ran.unwrap_err() else {
        panic!("the store could not answer")
    };
    errors.push(error);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        assert_eq!(error.payload(), Some(&br#"{"charge":"ch_0"}"#[..]));
        assert!(std::error::Error::source(&error).is_some());
    }
    assert!(raw.contains("old").unwrap(), "the outcome is still there");
}

#[test]
fn a_value_that_does_not_serialise_is_refused_and_keeps_the_lease() {
    let (_store, raw) = namespace(Policy::at_most_once());
    let numbers: Typed<Picky> = raw.typed();
    let lease = granted(numbers.claim("a").unwrap());
    let error = lease.complete(&Picky(-1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(matches!(
        numbers.claim("a").unwrap(),
        TypedClaim::InProgress(_)
    ));
    let lease = TypedLease::<Picky>::from(error.into_lease());
    let lease = ready(lease.complete_async(&Picky(-2)))
        .unwrap_err()
        .into_lease();
    let lease = TypedLease::<Picky>::from(lease);
    // Keys of a JSON object are strings.
    let error = lease
        .fail_with(&HashMap::from([((1, 2), 3)]))
        .unwrap_err()
        .into_lease();
    ready(TypedLease::<Picky>::from(error).complete_async(&Picky(1))).unwrap();
    assert_eq!(numbers.get("a").unwrap(), Some(Picky(1)));
}

#[test]
fn a_result_of_run_once_that_does_not_serialise_does_not_make_it_run_again() {
    let (_store, raw) = namespace(Policy::at_least_once());
    let numbers: Typed<Picky> = raw.typed();
    let run = |value| numbers.run_once("a", move |_| Ok::<_, Failure<String>>(Picky(value)));
    let Err(RunError::Store(error)) = run(-1) else {
        panic!("not stored")
    };
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let Err(RunError::Store(error)) = run(1) else {
        panic!("the work was done, so it is not run again")
    };
    assert_eq!((error.kind(), error.payload()), (ErrorKind::Decode, None));
    assert!(raw.contains("a").unwrap());
    let options = ClaimOptions::new();
    let ran = ready(numbers.run_once_async("b", options, |_| async {
        Ok::<_, Failure<String>>(Picky(-1))
    }));
    assert!(matches!(ran, Err(RunError::Store(error)) if error.kind() == ErrorKind::Invalid));
    assert!(raw.contains("b").unwrap());
}

#[test]
fn run_once_runs_once_and_replays_the_value() {
    let (_store, raw) = namespace(Policy::at_least_once());
    let pay: Typed<Receipt> = raw.typed();
    let mut runs = 0;
    for round in 0..3 {
        let ran = pay.run_once("order", |run| {
            runs += 1;
            assert_eq!(run.attempt(), 1);
            Ok::<_, Failure<String>>(receipt())
        });
        match (round, ran.unwrap()) {
            (0, Ran::Executed(value)) | (_, Ran::Replayed(value)) => assert_eq!(value, receipt()),
            (_, other) => panic!("{other:?}"),
        }
    }
    assert_eq!(runs, 1);
    let options = ClaimOptions::new();
    let ran = ready(pay.run_once_async("order", options, |_| async {
        Err::<Receipt, _>(Failure::Final("a second run"))
    }));
    assert!(matches!(ran, Ok(Ran::Replayed(value)) if value == receipt()));
    let ran = pay.run_once("other", |_| {
        Err::<Receipt, _>(Failure::Final("declined".to_owned()))
    });
    assert!(matches!(ran, Err(RunError::Work(text)) if text == "declined"));
    let TypedClaim::Failed(answer) = pay.claim("other").unwrap() else {
        panic!("failed")
    };
    assert_eq!(answer.error(), b"declined");
}

#[test]
fn a_lease_fails_with_a_text_or_a_value_releases_and_doubts() {
    let (_store, raw) = namespace(Policy::at_most_once());
    let pay: Typed<Receipt> = raw.typed();
    granted(pay.claim("text").unwrap())
        .fail("declined")
        .unwrap();
    let TypedClaim::Failed(answer) = pay.claim("text").unwrap() else {
        panic!("failed")
    };
    assert_eq!(answer.error(), b"declined");
    let error = answer.decode::<Receipt>().unwrap_err();
    assert_eq!(error.payload(), Some(&b"declined"[..]));
    assert_eq!(pay.get("text").unwrap(), None, "an error is not a response");

    granted(pay.claim("value").unwrap())
        .fail_with(&("declined", 51))
        .unwrap();
    let TypedClaim::Failed(answer) = pay.claim("value").unwrap() else {
        panic!("failed")
    };
    let (text, code): (String, u32) = answer.decode().unwrap();
    assert_eq!((text.as_str(), code), ("declined", 51));

    granted(pay.claim("again").unwrap())
        .release("busy")
        .unwrap();
    let lease = granted(pay.claim("again").unwrap());
    assert_eq!((lease.attempt(), lease.last_reason()), (2, &b"busy"[..]));
    lease.doubt("timed out").unwrap();
    assert!(matches!(
        pay.claim("again").unwrap(),
        TypedClaim::InDoubt(doubt) if doubt.reason() == b"timed out"
    ));

    let ticket = granted(pay.claim("later").unwrap())
        .into_inner()
        .detach()
        .unwrap();
    let lease = TypedLease::<Receipt>::from(_store.attach(&ticket).unwrap());
    lease.complete(&receipt()).unwrap();
    assert_eq!(pay.get("later").unwrap(), Some(receipt()));
}

#[test]
fn a_value_that_was_left_out_is_said_to_be_left_out() {
    let policy = Policy::at_least_once()
        .max_response(8)
        .oversize(Oversize::OutcomeOnly);
    let (_store, raw) = namespace(policy);
    let pay: Typed<Receipt> = raw.typed();
    granted(pay.claim("order").unwrap())
        .complete(&receipt())
        .unwrap();
    let error = pay.claim("order").unwrap_err();
    assert_eq!((error.kind(), error.payload()), (ErrorKind::Decode, None));
}

#[test]
fn json_bodies_that_mean_the_same_have_the_same_fingerprint_and_others_do_not() {
    let (_store, pay) = namespace(Policy::at_least_once());
    let print = |body: &str| pay.fingerprint(1).json("body", body).build();
    let same = [
        r#"{"amount":9007199254740992,"to":"al"}"#,
        r#"{"to":"al","amount":9007199254740992}"#,
        " {\n \"to\" : \"\\u0061l\" , \"amount\" : 9007199254740992.0 }\t",
    ];
    let other = r#"{"amount":9007199254740993,"to":"al"}"#;
    for body in same {
        assert_eq!(print(body).unwrap(), print(same[0]).unwrap(), "{body}");
        assert_ne!(print(body).unwrap(), print(other).unwrap(), "{body}");
    }
    for refused in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, "{", ""] {
        let error = print(refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{refused}: {error}");
    }

    let claim = |body| {
        let options = ClaimOptions::new().fingerprint(print(body).unwrap());
        pay.claim_with("transfer", options).unwrap()
    };
    let Claim::Granted(lease) = claim(same[0]) else {
        panic!("granted")
    };
    lease.complete("done").unwrap();
    assert!(matches!(claim(same[2]), Claim::Completed(answer) if answer.fingerprint_compared()));
    assert!(matches!(claim(other), Claim::Mismatch(other) if other.labels() == ["body"]));
}

#[test]
fn a_typed_namespace_can_be_shared_with_any_type_of_values() {
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let (_store, raw) = namespace(Policy::at_least_once());
    // A `Cell` cannot be shared; a namespace whose values are cells can.
    is_shared(&raw.typed::<std::cell::Cell<u64>>());
    let clock = ManualClock::new();
    let store = Store::in_memory().clock(&clock).open().unwrap();
    let policy = Policy::at_least_once().retention(Duration::from_secs(3600));
    let sums = store.namespace("sums", policy).unwrap().typed::<u64>();
    granted(sums.clone().claim("1+2").unwrap())
        .complete(&3)
        .unwrap();
    clock.advance(Duration::from_secs(7200));
    assert_eq!(
        sums.get("1+2").unwrap(),
        None,
        "values expire as answers do"
    );
}
