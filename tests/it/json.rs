//! Values in place of bytes, and fingerprints of JSON bodies.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{
    Claim, ClaimOptions, ErrorKind, Failure, Json, KeyState, Lease, Namespace, Oversize, Policy,
    Ran, RunError, Store,
};
use serde::de::DeserializeOwned;
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
        .namespace("json", policy)
        .expect("a policy that holds");
    (store, namespace)
}

fn granted(claim: Claim) -> Lease {
    match claim {
        Claim::Granted(lease) => lease,
        other => panic!("granted, not {other:?}"),
    }
}

/// What a completed key has stored.
fn stored<T: DeserializeOwned>(space: &Namespace, key: &str) -> Option<T> {
    let info = space.get(key).expect("the store is open")?;
    let is_completed = info.state() == KeyState::Completed;
    is_completed.then(|| info.json().expect("it is of this type"))
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
        (store, pay)
    };
    let (store, pay) = open();
    assert_eq!(stored::<Receipt>(&pay, "order"), None);
    let lease = granted(pay.claim("order").unwrap());
    assert_eq!(lease.attempt(), 1);
    assert!(matches!(pay.claim("order").unwrap(), Claim::InProgress(_)));
    lease.renew().unwrap();
    let token = lease.token();
    lease.complete(Json(receipt())).unwrap();
    drop((store, pay));

    let (_store, pay) = open();
    let Claim::Completed(answer) = pay.claim("order").unwrap() else {
        panic!("completed")
    };
    assert_eq!(answer.json::<Receipt>().unwrap(), receipt());
    assert_eq!(answer.token(), token);
    assert_eq!(answer.response(), serde_json::to_vec(&receipt()).unwrap());
    assert_eq!(stored(&pay, "order"), Some(receipt()));
}

#[test]
fn a_response_that_no_longer_decodes_is_an_error_with_its_bytes_and_never_a_second_run() {
    let (_store, pay) = namespace(Policy::at_least_once());
    let lease = granted(pay.claim("old").unwrap());
    lease.complete(r#"{"charge":"ch_0"}"#).unwrap();
    let Claim::Completed(answer) = pay.claim("old").unwrap() else {
        panic!("completed")
    };
    let mut errors = vec![
        answer.json::<Receipt>().unwrap_err(),
        pay.get("old")
            .unwrap()
            .unwrap()
            .json::<Receipt>()
            .unwrap_err(),
    ];
    let ran = pay.run_once("old", |_| -> Result<Json<Receipt>, Failure<String>> {
        panic!("a second run")
    });
    let again = ready(pay.run_once_async("old", ClaimOptions::new(), |_| async {
        Err::<Json<Receipt>, _>(Failure::Final("a second run"))
    }));
    let (Err(RunError::Store(error)), Err(RunError::Store(again))) = (ran, again) else {
        panic!("the store could not answer")
    };
    errors.extend([error, again]);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        assert_eq!(error.payload(), Some(&br#"{"charge":"ch_0"}"#[..]));
        assert!(std::error::Error::source(&error).is_some());
    }
    assert!(pay.contains("old").unwrap(), "the outcome is still there");
}

#[test]
fn a_value_that_does_not_serialise_is_refused_and_keeps_the_lease() {
    let (_store, numbers) = namespace(Policy::at_most_once());
    let lease = granted(numbers.claim("a").unwrap());
    let refused = lease.complete(Json(Picky(-1))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("below zero"), "{refused}");
    assert!(std::error::Error::source(&refused).is_some());
    let held = numbers.claim("a").unwrap();
    assert!(matches!(held, Claim::InProgress(_)));
    let lease = refused.into_lease().unwrap();
    let refused = ready(lease.complete_async(Json(Picky(-2)))).unwrap_err();
    let lease = refused.into_lease().unwrap();
    // Keys of a JSON object are strings.
    let refused = lease.fail(Json(HashMap::from([((1, 2), 3)]))).unwrap_err();
    let lease = refused.into_lease().unwrap();
    let mut refused = numbers.complete_many([(lease, Json(Picky(-3)))]);
    let refused = refused.remove(0).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let lease = refused.into_lease().unwrap();
    ready(lease.complete_async(Json(&Picky(1)))).unwrap();
    assert_eq!(stored(&numbers, "a"), Some(Picky(1)));
}

#[test]
fn a_result_of_run_once_that_does_not_serialise_does_not_make_it_run_again() {
    let (_store, numbers) = namespace(Policy::at_least_once());
    let run = |value| numbers.run_once("a", move |_| Ok::<_, Failure<String>>(Json(Picky(value))));
    let Err(RunError::Store(error)) = run(-1) else {
        panic!("not stored")
    };
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let Err(RunError::Store(error)) = run(1) else {
        panic!("the work was done, so it is not run again")
    };
    assert_eq!((error.kind(), error.payload()), (ErrorKind::Decode, None));
    assert!(numbers.contains("a").unwrap());
    let options = ClaimOptions::new();
    let ran = ready(numbers.run_once_async("b", options, |_| async {
        Ok::<_, Failure<String>>(Json(Picky(-1)))
    }));
    assert!(matches!(ran, Err(RunError::Store(error)) if error.kind() == ErrorKind::Invalid));
    assert!(numbers.contains("b").unwrap());
}

#[test]
fn run_once_runs_once_and_replays_the_value() {
    let (_store, pay) = namespace(Policy::at_least_once());
    let mut runs = 0;
    for round in 0..3 {
        let ran = pay.run_once("order", |run| {
            runs += 1;
            assert_eq!(run.attempt(), 1);
            Ok::<_, Failure<String>>(Json(receipt()))
        });
        match (round, ran.unwrap()) {
            (0, Ran::Executed(Json(value))) | (_, Ran::Replayed(Json(value))) => {
                assert_eq!(value, receipt());
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    assert_eq!(runs, 1);
    let options = ClaimOptions::new();
    let ran = ready(pay.run_once_async("order", options, |_| async {
        Err::<Json<Receipt>, _>(Failure::Final("a second run"))
    }));
    assert!(matches!(ran, Ok(Ran::Replayed(Json(value))) if value == receipt()));
    let ran = pay.run_once("other", |_| {
        Err::<Json<Receipt>, _>(Failure::Final("declined".to_owned()))
    });
    assert!(matches!(ran, Err(RunError::Work(text)) if text == "declined"));
    let Claim::Failed(answer) = pay.claim("other").unwrap() else {
        panic!("failed")
    };
    assert_eq!(answer.error(), b"declined");
}

#[test]
fn a_lease_fails_with_a_text_or_a_value_and_a_ticket_completes_with_one() {
    let (store, pay) = namespace(Policy::at_most_once());
    granted(pay.claim("text").unwrap())
        .fail("declined")
        .unwrap();
    let Claim::Failed(answer) = pay.claim("text").unwrap() else {
        panic!("failed")
    };
    assert_eq!(answer.error(), b"declined");
    let error = answer.json::<Receipt>().unwrap_err();
    assert_eq!(error.payload(), Some(&b"declined"[..]));

    granted(pay.claim("value").unwrap())
        .fail(Json(("declined", 51)))
        .unwrap();
    let Claim::Failed(answer) = pay.claim("value").unwrap() else {
        panic!("failed")
    };
    let (text, code): (String, u32) = answer.json().unwrap();
    assert_eq!((text.as_str(), code), ("declined", 51));

    let ticket = granted(pay.claim("later").unwrap()).detach().unwrap();
    let lease = store.attach(&ticket).unwrap();
    lease.complete(Json(receipt())).unwrap();
    assert_eq!(stored(&pay, "later"), Some(receipt()));
}

#[test]
fn a_value_that_was_left_out_is_said_to_be_left_out() {
    let policy = Policy::at_least_once()
        .max_response(8)
        .oversize(Oversize::OutcomeOnly);
    let (_store, pay) = namespace(policy);
    granted(pay.claim("order").unwrap())
        .complete(Json(receipt()))
        .unwrap();
    let Claim::Completed(answer) = pay.claim("order").unwrap() else {
        panic!("completed")
    };
    let error = answer.json::<Receipt>().unwrap_err();
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
fn values_expire_as_answers_do() {
    let clock = ManualClock::new();
    let store = Store::in_memory().clock(&clock).open().unwrap();
    let policy = Policy::at_least_once().retention(Duration::from_secs(3600));
    let sums = store.namespace("sums", policy).unwrap();
    granted(sums.claim("1+2").unwrap())
        .complete(Json(3_u64))
        .unwrap();
    assert_eq!(stored(&sums, "1+2"), Some(3_u64));
    clock.advance(Duration::from_secs(7200));
    assert_eq!(stored::<u64>(&sums, "1+2"), None);
}
