//! Limits and refusals: each has a kind, and a text that says what to do next.

use std::time::Duration;

use hapax::limits::{CHECKPOINT_BYTES_MAX, RESPONSE_BYTES_MAX};
use hapax::scan::KeyFilter;
use hapax::{
    ClaimItem, ClaimOptions, ErrorKind, KeyState, Lease, Limits, Namespace, Oversize, Policy,
    Resolution, Result,
};

use crate::site::answers::{claim, completed, failed, granted, in_doubt, refused, state};
use crate::site::site::Site;
use crate::site::times::{DAY, HOUR, MINUTE};
use crate::world::capability::Capability;
use crate::world::settings::Settings;
use crate::world::world::World;

pub(crate) fn site_and_work(world: &dyn World, limits: Limits) -> (Site, Namespace) {
    let site = Site::with(world, Settings::new().limits(limits));
    let work = site.namespace(Policy::at_least_once());
    (site, work)
}

// Keys and names.

pub(crate) fn an_empty_or_oversized_key_is_refused_by_every_call(world: &dyn World) {
    let (_site, work) = site_and_work(world, Limits::new());
    let long = vec![b'k'; 1025];
    for (key, kind, word) in [
        (&b""[..], ErrorKind::Invalid, "1 to 1024 bytes"),
        (&long[..], ErrorKind::TooLarge, "shorter key"),
    ] {
        refused(work.claim(key), kind, &[word]);
        refused(work.insert(key), kind, &[word]);
        refused(work.contains(key), kind, &[word]);
        refused(work.get(key), kind, &[word]);
        refused(work.forget(key), kind, &[word]);
        refused(
            work.claim_many(
                ["good", "also good"]
                    .map(Into::into)
                    .into_iter()
                    .chain([ClaimItem::new(key)]),
            ),
            kind,
            &[word, "item 2"],
        );
        refused(work.insert_many([&b"good"[..], key]), kind, &[word]);
        refused(
            work.run_once(key, |_| Ok::<_, hapax::Failure<String>>(()))
                .map_err(|error| match error {
                    hapax::RunError::Store(error) => error,
                    other => panic!("{other}"),
                }),
            kind,
            &[word],
        );
    }
    assert_eq!(
        work.scan(KeyFilter::new()).unwrap().count(),
        0,
        "nothing was claimed for a batch with a bad item"
    );
    let most = vec![b'k'; 1024];
    granted(work.claim(&most).unwrap()).complete("ok").unwrap();
    let (_site, work) = site_and_work(world, Limits::new().key_bytes(8));
    refused(work.claim("nine char"), ErrorKind::TooLarge, &["9", "8"]);
}

// Sizes.

pub(crate) fn an_oversized_response_is_refused_and_the_lease_given_back(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_response(10));
    let refuse = |settled: Result<()>| -> Lease {
        let error = settled.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("OutcomeOnly"), "{error}");
        error.into_lease().unwrap()
    };
    let lease = refuse(claim(&work, "key").complete([1; 11]));
    let lease = refuse(lease.fail([1; 11]));
    lease.complete([1; 10]).unwrap();
    claim(&work, "doubt").doubt("unsure").unwrap();
    let doubt = in_doubt(work.claim("doubt").unwrap());
    refused(
        doubt.resolve(Resolution::Happened(vec![1; 11])),
        ErrorKind::TooLarge,
        &["reference"],
    );
    doubt.resolve(Resolution::Happened(vec![1; 10])).unwrap();
}

pub(crate) fn an_oversized_response_is_left_out_where_only_the_outcome_counts(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(
        Policy::at_least_once()
            .max_response(10)
            .oversize(Oversize::OutcomeOnly),
    );
    claim(&work, "done").complete([1; 11]).unwrap();
    claim(&work, "failed").fail([1; 11]).unwrap();
    claim(&work, "doubt").doubt("unsure").unwrap();
    let doubt = in_doubt(work.claim("doubt").unwrap());
    doubt.resolve(Resolution::Happened(vec![1; 11])).unwrap();
    claim(&work, "fits").complete([1; 10]).unwrap();
    for key in ["done", "doubt"] {
        let answer = completed(work.claim(key).unwrap());
        assert!(answer.response_omitted() && answer.response().is_empty());
    }
    assert!(failed(work.claim("failed").unwrap()).error_omitted());
    assert!(!completed(work.claim("fits").unwrap()).response_omitted());
    site.validate();
}

pub(crate) fn the_largest_response_is_stored_and_one_byte_more_is_not(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_response(RESPONSE_BYTES_MAX));
    let body = vec![9; RESPONSE_BYTES_MAX + 1];
    let refused = claim(&work, "key").complete(&body).unwrap_err();
    refused.into_lease().unwrap().complete(&body[1..]).unwrap();
    assert!(completed(work.claim("key").unwrap()).response() == &body[1..]);
    site.validate();
}

pub(crate) fn metadata_reason_checkpoint_and_batch_have_limits(world: &dyn World) {
    let (_site, work) = site_and_work(world, Limits::new().batch_items(3));
    let options = |bytes: usize| ClaimOptions::new().metadata(vec![b'm'; bytes]);
    refused(
        work.claim_with("key", options(4097)),
        ErrorKind::TooLarge,
        &["metadata", "4097", "4096"],
    );
    let lease = granted(work.claim_with("key", options(4096)).unwrap());
    refused(
        lease.checkpoint(vec![0; CHECKPOINT_BYTES_MAX + 1]),
        ErrorKind::TooLarge,
        &["checkpoint", "reference"],
    );
    lease.checkpoint(vec![0; CHECKPOINT_BYTES_MAX]).unwrap();
    let error = lease.release(vec![b'r'; 4097]).unwrap_err();
    assert!(error.to_string().contains("shorten"), "{error}");
    let error = error
        .into_lease()
        .unwrap()
        .doubt(vec![b'r'; 4097])
        .unwrap_err();
    error
        .into_lease()
        .unwrap()
        .release(vec![b'r'; 4096])
        .unwrap();
    let lease = claim(&work, "key");
    assert_eq!(
        (lease.last_reason().len(), lease.last_checkpoint().len()),
        (4096, CHECKPOINT_BYTES_MAX)
    );
    let items = ["a", "b", "c", "d"];
    refused(
        work.claim_many(items),
        ErrorKind::TooLarge,
        &["4", "3", "split"],
    );
    refused(work.insert_many(items), ErrorKind::TooLarge, &["split"]);
    assert!(!work.contains("a").unwrap(), "checked before any work");
    assert_eq!(work.claim_many(&items[..3]).unwrap().len(), 3);
    assert!(work.claim_many(&items[..0]).unwrap().is_empty());
}

pub(crate) fn fingerprints_have_limits(world: &dyn World) {
    let (_site, work) = site_and_work(world, Limits::new());
    let parts = |count: usize| {
        (0..count)
            .fold(work.fingerprint(1), |print, part| {
                print.part(&part.to_string(), "x")
            })
            .build()
    };
    refused(parts(0), ErrorKind::Invalid, &["add at least one"]);
    refused(parts(17), ErrorKind::TooLarge, &["16", "join"]);
    assert_eq!(parts(16).unwrap().labels().count(), 16);
    let one = |label: &str| work.fingerprint(1).part(label, "x").build();
    refused(one(""), ErrorKind::Invalid, &["name the part"]);
    refused(one(&"l".repeat(65)), ErrorKind::TooLarge, &["shorten"]);
    one(&"l".repeat(64)).unwrap();
    let twice = work.fingerprint(1).part("a", "x").part("a", "y").build();
    refused(twice, ErrorKind::Invalid, &["twice"]);
}

/// Only the retention of completions used to be looked at, so a claim's own lease could outlast
/// the memory of its failure.
pub(crate) fn contradictory_options_are_refused_by_claim_with(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().failed_retention(2 * HOUR));
    let ask = |options: ClaimOptions| work.claim_with("key", options);
    let options = ClaimOptions::new;
    let lease = "lease is how long a holder may be silent";
    refused(ask(options().lease(DAY)), ErrorKind::Invalid, &[lease]);
    refused(ask(options().lease(2 * HOUR)), ErrorKind::Invalid, &[lease]);
    refused(
        ask(options().retention(MINUTE)),
        ErrorKind::Invalid,
        &[lease],
    );
    refused(
        ask(options().lease(HOUR).retention(HOUR)),
        ErrorKind::Invalid,
        &[lease],
    );
    refused(
        ask(options().lease(Duration::ZERO)),
        ErrorKind::Invalid,
        &["needs time to run"],
    );
    refused(
        ask(options().retention(Duration::ZERO)),
        ErrorKind::Invalid,
        &["at least"],
    );
    refused(
        ask(options().retention(Duration::MAX)),
        ErrorKind::Invalid,
        &["shorten"],
    );
    refused(
        ask(options().lease(Duration::MAX)),
        ErrorKind::Invalid,
        &[lease],
    );
    assert_eq!(state(&work, "key"), None);
    granted(ask(options().lease(HOUR).retention(3 * HOUR)).unwrap())
        .fail("no")
        .unwrap();
    site.advance(2 * HOUR + MINUTE);
    failed(work.claim("key").unwrap());
}

// Places.

pub(crate) fn a_closed_store_refuses_everything(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let ticket = claim(&work, "detached").detach().unwrap();
    site.store.close().unwrap();
    let (closed, words) = (ErrorKind::Closed, ["closed"]);
    refused(work.claim("key"), closed, &words);
    refused(work.claim_many(["key"]), closed, &words);
    refused(work.insert("key"), closed, &words);
    refused(work.contains("key"), closed, &words);
    refused(work.get("key"), closed, &words);
    refused(work.forget("key"), closed, &words);
    refused(work.scan(KeyFilter::new()).map(drop), closed, &words);
    refused(work.doubts(), closed, &words);
    refused(
        site.store.namespace("new", Policy::at_least_once()),
        closed,
        &words,
    );
    refused(site.store.attach(&ticket), closed, &words);
    refused(site.store.sync(), closed, &words);
    if site.has(Capability::Log) {
        refused(site.store.verify(), closed, &words);
    }
    refused(site.store.reconcile(|_| None), closed, &words);
    refused(site.store.close(), closed, &words);
    refused(lease.renew(), closed, &words);
    refused(lease.checkpoint("c"), closed, &words);
    refused(lease.complete("late"), closed, &words);
}

// Bytes that are not what was asked for.

pub(crate) fn a_stored_response_that_does_not_decode_is_given_back_and_never_run_again(
    world: &dyn World,
) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    claim(&work, "key").complete([0xff, 0xfe]).unwrap();
    let ran = work.run_once("key", |_| -> Result<String, hapax::Failure<String>> {
        panic!("it ran again")
    });
    let Err(hapax::RunError::Store(error)) = ran else {
        panic!("{ran:?}")
    };
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.payload(), Some(&[0xff, 0xfe][..]));
    assert!(error.to_string().contains("not run again"), "{error}");
    assert_eq!(state(&work, "key"), Some(KeyState::Completed));
}
