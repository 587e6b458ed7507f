//! Batches under the floor of the disk.

use hapax::testing::ManualClock;
use hapax::{BatchClaim, Claim, ErrorKind, Lease, Limits, Namespace, Policy, Store};

use crate::contract_support::{SECOND, claim, completed, granted, operator};

type Kind<T> = Result<T, ErrorKind>;

fn kinds<T, E: Into<hapax::Error>>(results: Vec<Result<T, E>>) -> Vec<Kind<T>> {
    let kind = |error: E| error.into().kind();
    results.into_iter().map(|of| of.map_err(kind)).collect()
}

fn inserted(space: &Namespace, keys: &[&str]) -> Vec<Kind<bool>> {
    kinds(space.insert_many(keys).unwrap())
}

fn claimed(space: &Namespace, keys: &[&str]) -> Vec<Lease> {
    let lease = |answer| match answer {
        BatchClaim::Claim(claim) => granted(claim),
        other => panic!("{other:?}"),
    };
    space
        .claim_many(keys)
        .unwrap()
        .into_iter()
        .map(lease)
        .collect()
}

#[test]
fn under_the_floor_of_the_disk_each_item_is_told_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("store"), ManualClock::new());
    let floor = Limits::new().free_disk_bytes(u64::MAX);
    let store = Store::builder(&path).clock(&clock).limits(floor);
    let store = store.open().unwrap();
    let space = store.namespace("work", Policy::at_least_once()).unwrap();
    let leases = claimed(&space, &["x", "y", "z"]);
    claim(&space, "b").complete("done").unwrap();
    clock.advance(SECOND);
    let full = Err(ErrorKind::AtCapacity);
    assert_eq!(inserted(&space, &["a", "b", "c"]), [full, Ok(false), full]);
    let answers = space.claim_many(["a", "b"]).unwrap();
    assert!(
        matches!(&answers[0], BatchClaim::Refused(error) if error.kind() == ErrorKind::AtCapacity)
    );
    assert!(matches!(
        &answers[1],
        BatchClaim::Claim(Claim::Completed(_))
    ));
    settle_at_a_limit(&store, &space, leases);
    store.validate();
}

/// Holders settle at any limit that keeps others out; each hears the outcome of its own key.
fn settle_at_a_limit(store: &Store, space: &Namespace, mut leases: Vec<Lease>) {
    let keys: Vec<Vec<u8>> = leases.iter().map(|lease| lease.key().to_vec()).collect();
    let (last, third) = (leases.pop().unwrap(), leases.pop().unwrap());
    operator(store)
        .forget_forced(space.name(), last.key(), last.token())
        .unwrap();
    let items = [(last, "too late"), (third, "done")];
    let results = kinds(space.complete_many(items));
    assert_eq!(results, [Err(ErrorKind::NotHeld), Ok(())]);
    let first = leases.remove(0);
    assert_eq!(kinds(space.fail_many([(first, "no")])), [Ok(())]);
    let more = leases.len();
    let released = leases.into_iter().map(|lease| (lease, "again"));
    assert_eq!(kinds(space.release_many(released)), vec![Ok(()); more]);
    let third = &keys[keys.len() - 2];
    assert_eq!(completed(space.claim(third).unwrap()).response(), b"done");
}
