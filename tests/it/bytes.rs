//! Stored answers as `bytes::Bytes`.

use hapax::{Claim, Policy, Store};

#[test]
fn a_stored_answer_becomes_bytes_without_a_copy() {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    let claim = |key: &str| jobs.claim(key).unwrap();
    let (Claim::Granted(done), Claim::Granted(failed)) = (claim("done"), claim("failed")) else {
        panic!("granted")
    };
    done.complete("made").unwrap();
    failed.fail("broken").unwrap();

    let Claim::Completed(answer) = claim("done") else {
        panic!("completed")
    };
    let at = answer.response().as_ptr();
    let bytes: bytes::Bytes = answer.into();
    assert_eq!(&bytes[..], b"made");
    assert_eq!(bytes.as_ptr(), at, "shared, not copied");

    let Claim::Failed(answer) = claim("failed") else {
        panic!("failed")
    };
    assert_eq!(&bytes::Bytes::from(answer)[..], b"broken");
}
