//! Batches: each item has its own result, and an error of the whole call means that the call
//! changed nothing.

use hapax::operator::{Attribution, Insertion};
use hapax::scan::KeyFilter;
use hapax::{BatchClaim, Claim, ErrorKind, Lease, Limits, Namespace, Policy, Store};

use crate::site::answers::{claim, completed, granted};
use crate::site::site::{Site, operator};
use crate::world::settings::Settings;
use crate::world::world::World;

const KEYS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

type Kind<T> = Result<T, ErrorKind>;

fn kinds<T, E: Into<hapax::Error>>(results: Vec<Result<T, E>>) -> Vec<Kind<T>> {
    let kind = |error: E| error.into().kind();
    results.into_iter().map(|of| of.map_err(kind)).collect()
}

fn inserted(space: &Namespace, keys: &[&str]) -> Vec<Kind<bool>> {
    kinds(space.insert_many(keys).unwrap())
}

/// The leases of a batch of claims, and how many of its items were refused for want of room.
fn claimed(space: &Namespace, keys: &[&str]) -> (Vec<Lease>, usize) {
    let (mut leases, mut refused) = (Vec::new(), 0);
    for answer in space.claim_many(keys).unwrap() {
        match answer {
            BatchClaim::Claim(claim) => leases.push(granted(claim)),
            BatchClaim::Refused(error) => {
                assert_eq!(error.kind(), ErrorKind::AtCapacity, "{error}");
                refused += 1;
            }
            BatchClaim::RepeatOf { .. } => panic!("the keys differ"),
        }
    }
    (leases, refused)
}

/// A consumer that marks events and handles what is new got an error for a batch of ten whose first
/// five had been marked. The batch was delivered again, those five were "not new", and they were
/// never handled.
pub(crate) fn a_redelivered_batch_handles_what_the_limit_left_out_and_nothing_twice(
    world: &dyn World,
) {
    let site = Site::with(
        world,
        Settings::new().limits(Limits::new().live_keys(5)).shards(1),
    );
    let events = site.namespace(Policy::at_least_once());
    let mut handled = Vec::new();
    for _delivery in 0..3 {
        for (event, is_new) in KEYS.iter().zip(inserted(&events, &KEYS)) {
            match is_new {
                Ok(true) => handled.push(*event),
                Ok(false) => {}
                Err(kind) => assert_eq!(kind, ErrorKind::AtCapacity),
            }
        }
        // Room for some more: the store forgets events that were handled long ago.
        for event in handled.iter().take(handled.len().saturating_sub(2)) {
            events.forget(event).unwrap();
        }
        let left = KEYS.iter().filter(|event| !handled.contains(event));
        let left: Vec<&str> = left.copied().collect();
        if left.is_empty() {
            break;
        }
        for (event, is_new) in left.iter().zip(inserted(&events, &left)) {
            if is_new == Ok(true) {
                handled.push(event);
            }
        }
    }
    handled.sort_unstable();
    handled.dedup();
    assert_eq!(handled, KEYS, "every event is handled");
    site.validate();
}

pub(crate) fn at_the_limit_of_keys_each_item_is_told_for_itself(world: &dyn World) {
    let limits = || Limits::new().live_keys(4);
    let full = Err(ErrorKind::AtCapacity);
    let site = Site::with(world, Settings::new().limits(limits()).shards(1));
    let space = site.namespace(Policy::at_least_once());
    claim(&space, "b").complete("done").unwrap();
    let keys = &KEYS[..6];
    let expected = [Ok(true), Ok(false), Ok(true), Ok(true), full, full];
    assert_eq!(inserted(&space, keys), expected);

    let site = Site::with(world, Settings::new().limits(limits()).shards(1));
    let space = site.namespace(Policy::at_least_once());
    claim(&space, "b").complete("done").unwrap();
    let operator = site
        .store
        .operator(Attribution::new("alice", "INC-42").unwrap());
    let items = keys.iter().map(|key| Insertion::completed(key, ""));
    assert_eq!(
        kinds(operator.insert_many("work", items).unwrap()),
        expected
    );

    let site = Site::with(world, Settings::new().limits(limits()).shards(1));
    let space = site.namespace(Policy::at_least_once());
    let (leases, refused) = claimed(&space, keys);
    assert_eq!((leases.len(), refused), (4, 2));
    settle_at_a_limit(&site.store, &space, leases);
    site.validate();
}

pub(crate) fn at_the_limit_of_running_keys_each_item_is_told_for_itself(world: &dyn World) {
    for (policy, shards) in [
        (Policy::at_least_once(), 1),
        (Policy::at_least_once().max_attempts(3), 1),
        (Policy::at_most_once(), 1),
        (Policy::at_most_once(), 16),
    ] {
        let limits = Limits::new().running_keys(3);
        let site = Site::with(world, Settings::new().limits(limits).shards(shards));
        let space = site.namespace(policy);
        let (leases, refused) = claimed(&space, &KEYS);
        assert_eq!((leases.len(), refused), (3, 7));
        let free = KEYS.iter().filter(|key| space.get(key).unwrap().is_none());
        assert_eq!(free.count(), 7, "what was refused is as it was");
        settle_at_a_limit(&site.store, &space, leases);
        site.validate();
    }
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

pub(crate) fn an_error_of_the_whole_batch_means_that_nothing_was_done(world: &dyn World) {
    let site = Site::with(world, Settings::new().limits(Limits::new().batch_items(3)));
    let space = site.namespace(Policy::at_least_once());
    let operator = site
        .store
        .operator(Attribution::new("alice", "INC-42").unwrap());
    let kind = |error: hapax::Error| error.kind();
    let four = &KEYS[..4];
    let items = || four.iter().map(|key| Insertion::completed(key, ""));
    let large = ErrorKind::TooLarge;
    assert_eq!(space.claim_many(four).map_err(kind).unwrap_err(), large);
    assert_eq!(space.insert_many(four).map_err(kind).unwrap_err(), large);
    let by = operator.insert_many("work", items());
    assert_eq!(by.map_err(kind).unwrap_err(), large);
    let bad = ["a", ""];
    let invalid = ErrorKind::Invalid;
    assert_eq!(space.claim_many(bad).map_err(kind).unwrap_err(), invalid);
    assert_eq!(space.insert_many(bad).map_err(kind).unwrap_err(), invalid);
    assert_eq!(space.scan(KeyFilter::new()).unwrap().count(), 0);
    site.store.close().unwrap();
    let closed = ErrorKind::Closed;
    assert_eq!(space.claim_many(["a"]).map_err(kind).unwrap_err(), closed);
    assert_eq!(space.insert_many(["a"]).map_err(kind).unwrap_err(), closed);
    let by = operator.insert_many("work", items().take(1));
    assert_eq!(by.map_err(kind).unwrap_err(), closed);
}

pub(crate) fn the_async_forms_settle_at_once_and_mark_when_they_are_polled(world: &dyn World) {
    let site = Site::new(world);
    let space = site.namespace(Policy::at_least_once());
    let (leases, _) = claimed(&space, &KEYS[..4]);
    let mut leases = leases.into_iter();
    let items = [
        (leases.next().unwrap(), "no"),
        (leases.next().unwrap(), "never"),
    ];
    drop(space.fail_many_async(items));
    for (key, error) in KEYS.iter().zip(["no", "never"]) {
        let Claim::Failed(answer) = space.claim(key).unwrap() else {
            panic!("{key}: it took effect without a poll")
        };
        assert_eq!(answer.error(), error.as_bytes());
    }
    let (gone, last) = (leases.next().unwrap(), leases.next().unwrap());
    let forced = site
        .operator()
        .forget_forced("work", gone.key(), gone.token());
    assert!(forced.unwrap());
    let items = [(gone, "later"), (last, "later")];
    let results = kinds(site.ready(space.release_many_async(items)));
    assert_eq!(results, [Err(ErrorKind::NotHeld), Ok(())]);
    assert_eq!(claim(&space, KEYS[3]).last_reason(), b"later");

    drop(space.insert_async("marked"));
    assert!(!space.contains("marked").unwrap(), "no call was polled yet");
    assert!(site.ready(space.insert_async("marked")).unwrap());
    assert!(!site.ready(space.insert_async("marked")).unwrap());
    assert!(space.contains("marked").unwrap());
    let error = site.ready(space.insert_async("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    site.validate();
}
