//! What a shard does to the slots and the entries beneath it, one call at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::observe::tallies::Column;
use crate::state::found::Found;
use crate::state::grant::Grant;
use crate::state::holder::{Awaits, Guard};
use crate::state::last_record::LastRecord;
use crate::state::request::{Request, RequestParts};
use crate::state::running::Armed;
use crate::state::running::Running;
use crate::state::shard::Shard;
use crate::state::slab::SlabRef;
use crate::state::slot::{Place, Settled, Slot};
use crate::state::timers::Timer;
use crate::state::transition::Basis;
use crate::value::blob::Blob;
use crate::value::digest::{Digest, Hasher128};
use crate::value::fencing_token::FencingToken;
use crate::value::fingerprint::{Fingerprint, Part};
use crate::value::guarantee::Guarantee;
use crate::value::key_bytes::KeyBytes;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::policy::Policy;
use crate::value::record::{Head, Record, RecordKind};
use crate::value::time::{NEVER, Now};

use Guarantee::{AtLeastOnce, AtMostOnce};

const NOW: Now = Now {
    mono_ms: 1000,
    store_secs: 1000,
};

fn digest(key: u8) -> Digest {
    Hasher128::new([1; 16]).digest(NamespaceId(1), &[key])
}

fn token(counter: u64) -> FencingToken {
    FencingToken::new(1, counter)
}

fn locator(frame: u64) -> Locator {
    Locator { frame, offset: 3 }
}

fn last(frame: u64, expires_at: u32) -> LastRecord {
    LastRecord {
        locator: locator(frame),
        expires_at,
    }
}

fn head(kind: RecordKind, counter: u64, expires_at: u32) -> Head {
    Head {
        kind,
        namespace: NamespaceId(1),
        token: token(counter),
        attempt: 2,
        first_claimed_at: 900,
        recorded_at: 990,
        expires_at,
        retention_secs: 0,
        body_omitted: false,
        attached: false,
    }
}

fn print(digest: u128) -> Fingerprint {
    Fingerprint {
        scheme: 1,
        parts: vec![Part {
            label: "body".to_owned(),
            digest,
        }],
    }
}

fn request(sent: u128, metadata: &[u8]) -> Request {
    Request {
        lease_ms: 500,
        keep_alive_ms: 0,
        parts: Some(Box::new(RequestParts {
            fingerprint: Some(print(sent)),
            metadata: Blob::from(metadata),
            ..RequestParts::default()
        })),
    }
}

/// What came before: the request 7 of the attempt 2, which left a checkpoint and a reason.
fn released() -> Record {
    Record {
        head: head(RecordKind::Released, 1, 5000),
        key: KeyBytes::from(&b"key"[..]),
        fingerprint: Some(print(7)),
        metadata: Blob::from(&b"first"[..]),
        reason: Blob::from(&b"again"[..]),
        body: Blob::from(&b"half"[..]),
    }
}

fn basis(same_request: bool, continues: bool) -> Basis {
    Basis {
        attempt: 3,
        same_request,
        continues,
    }
}

/// Grants request 8 of key 1, under token 2.
fn grant(
    shard: &mut Shard<u8>,
    guarantee: Guarantee,
    record: Option<Record>,
    basis: Basis,
) -> SlabRef {
    let policy = match guarantee {
        AtLeastOnce => Policy::at_least_once(),
        AtMostOnce => Policy::at_most_once(),
    };
    let grant = Grant {
        namespace: NamespaceId(1),
        column: Column::default(),
        policy: &Arc::new(policy),
        key: KeyBytes::from(&b"key"[..]),
        token: token(2),
        request: request(8, b"second"),
        basis,
        record: record.map(Arc::new),
    };
    shard.grant(digest(1), grant, NOW)
}

fn fresh(shard: &mut Shard<u8>, guarantee: Guarantee) -> SlabRef {
    grant(shard, guarantee, None, basis(false, false))
}

fn settled(kind: Settled, frame: u64, expires_at: u32) -> Slot {
    Slot::new(digest(1), Place::Settled(kind, locator(frame)), expires_at)
}

fn found(shard: &Shard<u8>) -> Option<(Settled, Locator, u32)> {
    match shard.find(digest(1), NOW.store_secs) {
        Found::Settled(slot, kind, locator) => Some((kind, locator, slot.expires_at())),
        Found::Forgotten(locator) => Some((Settled::Forgotten, locator, NEVER)),
        Found::Absent => None,
        Found::Running(at) => panic!("{at:?} runs it"),
    }
}

fn due(shard: &mut Shard<u8>, mono_ms: u64) -> Vec<String> {
    let mut due = Vec::new();
    shard.due(Now { mono_ms, ..NOW }, &mut due);
    let mut due: Vec<String> = due.iter().map(|timer| format!("{timer:?}")).collect();
    due.sort();
    due
}

/// What a holder goes on with: fingerprint, checkpoint, first metadata, reason, first claim.
type Basics = (u128, &'static [u8], &'static [u8], &'static [u8], u32);

fn basics(running: &Running<u8>) -> (u128, Vec<u8>, Vec<u8>, Vec<u8>, u32) {
    let print = running.rest.holder.fingerprint.as_ref().unwrap();
    (
        print.parts[0].digest,
        running.rest.holder.checkpoint.to_vec(),
        running.rest.holder.first_metadata.to_vec(),
        running.rest.reason.to_vec(),
        running.first_claimed_at,
    )
}

fn owned(basics: Basics) -> (u128, Vec<u8>, Vec<u8>, Vec<u8>, u32) {
    let (print, checkpoint, metadata, reason, first) = basics;
    (
        print,
        checkpoint.to_vec(),
        metadata.to_vec(),
        reason.to_vec(),
        first,
    )
}

#[test]
fn a_grant_keeps_of_the_record_what_its_basis_says() {
    let table: [(bool, bool, Basics); 4] = [
        (true, true, (7, b"half", b"first", b"again", 900)),
        (true, false, (7, b"half", b"first", b"", 1000)),
        (false, true, (8, b"", b"second", b"again", 900)),
        (false, false, (8, b"", b"second", b"", 1000)),
    ];
    for (same_request, continues, expected) in table {
        let mut shard = Shard::new(NOW.mono_ms);
        let basis = basis(same_request, continues);
        let at = grant(&mut shard, AtLeastOnce, Some(released()), basis);
        let running = shard.get(at).unwrap();
        assert_eq!(
            basics(running),
            owned(expected),
            "{same_request} {continues}"
        );
        assert_eq!(
            (running.holder.attempt, running.holder.claimed_at),
            (3, 1000)
        );
        assert_eq!(running.holder.deadline_ms, 1500);
    }
}

#[test]
fn a_key_is_granted_anew_to_the_same_request_or_to_another() {
    let later = Now {
        mono_ms: 2000,
        store_secs: 1001,
    };
    let table: [(bool, Basics); 2] = [
        (true, (7, b"half", b"first", b"again", 900)),
        (false, (9, b"", b"third", b"again", 900)),
    ];
    for (same_request, expected) in table {
        let mut shard = Shard::new(NOW.mono_ms);
        let at = grant(&mut shard, AtLeastOnce, Some(released()), basis(true, true));
        let running = shard.get_mut(at).unwrap();
        (
            running.rest.to_mut().holder.keep_alive_until_ms,
            running.holder.guard,
        ) = (900, Guard::Gone);
        (running.holder.deadline_ms, running.holder.awaits) = (NOW.mono_ms, Awaits::Forgetting);
        (running.holder.journaled, running.holder.attached) = (true, true);
        shard.arm(at);
        let before = format!("{:?}", shard.get(at).unwrap());
        shard.regrant(
            at,
            token(4),
            request(9, b"third"),
            &basis(same_request, true),
            later,
        );
        let running = shard.get(at).unwrap();
        assert_eq!(basics(running), owned(expected), "{same_request}");
        assert_eq!(
            (running.holder.token, running.holder.attempt),
            (token(4), 3)
        );
        assert_eq!(
            (running.holder.claimed_at, running.lease_end_ms()),
            (1001, 2500)
        );
        let fresh = (Guard::Lease, Awaits::Lapse, false, false);
        let seen = (running.holder.guard, running.holder.awaits);
        assert_eq!(
            (
                seen.0,
                seen.1,
                running.holder.journaled,
                running.holder.attached
            ),
            fresh
        );
        assert_eq!(
            *running.rest.holder.metadata, *b"third",
            "whoever runs it now"
        );
        // One timer, at the end of the new lease.
        assert_eq!(due(&mut shard, 2499), [""; 0]);
        assert_eq!(due(&mut shard, 2500).len(), 1);
        shard.arm(at);
        shard.validate(9);
        // Taken back, it leaves the key as it was.
        assert!(shard.give_back(at) && !shard.give_back(at));
        let running = shard.get(at).unwrap();
        let timer = running.timer;
        let after = format!("{running:?}");
        let same = |text: &str| {
            let (start, rest) = text.split_once("timer: ").unwrap();
            let (_, end) = rest.split_once(", namespace").unwrap();
            format!("{start}{end}")
        };
        assert_ne!(timer, Armed::No);
        assert_eq!(same(&after), same(&before), "{same_request}");
        shard.validate(9);
    }
}

#[test]
fn a_caller_is_told_what_is_left_of_the_lease_and_never_more_than_its_length() {
    let mut shard = Shard::new(NOW.mono_ms);
    let at = fresh(&mut shard, AtLeastOnce);
    let left = |shard: &Shard<u8>, mono_ms| {
        let running = shard.get(at).unwrap();
        running.lease_left_ms(Now { mono_ms, ..NOW })
    };
    for (mono_ms, expected) in [(1000, 500), (1200, 300), (1500, 0), (1600, 0)] {
        assert_eq!(left(&shard, mono_ms), expected, "at {mono_ms}");
    }
    // However long the store keeps it alive.
    shard
        .get_mut(at)
        .unwrap()
        .rest
        .to_mut()
        .holder
        .keep_alive_until_ms = 9000;
    assert_eq!(left(&shard, 1000), 500);
    assert_eq!(left(&shard, 8900), 100);
}

#[test]
fn timers_of_leases_and_waits_fire_unless_they_were_taken_back() {
    let mut shard = Shard::new(NOW.mono_ms);
    assert_eq!(shard.next_due_ms(), None);
    let at = fresh(&mut shard, AtLeastOnce);
    assert_eq!(
        (shard.running_refs(), shard.running().count()),
        (vec![at], 1)
    );
    assert_eq!(shard.running_keys(), 1);
    let wait = shard.arm_wait(b'w', 1400);
    let gone = shard.arm_wait(b'g', 1300);
    shard.disarm(gone);
    assert!(
        shard
            .next_due_ms()
            .is_some_and(|next| (1001..=1400).contains(&next))
    );
    assert_eq!(due(&mut shard, 1399), [""; 0]);
    assert_eq!(due(&mut shard, 1400), [format!("{:?}", Timer::Wait(b'w'))]);
    shard.disarm(wait);
    shard.set_deadline(at, 1700);
    assert_eq!(due(&mut shard, 1699), [""; 0]);
    // The store keeps it alive for longer than the holder asked for.
    shard
        .get_mut(at)
        .unwrap()
        .rest
        .to_mut()
        .holder
        .keep_alive_until_ms = 1900;
    shard.set_deadline(at, 1800);
    assert_eq!(due(&mut shard, 1899), [""; 0]);
    assert_eq!(
        due(&mut shard, 1900),
        [format!("{:?}", Timer::<u8>::Lease(at))]
    );
    assert_eq!(shard.next_due_ms(), None);
}

#[test]
fn a_record_of_the_running_claim_leaves_it_running() {
    let mut shard = Shard::new(NOW.mono_ms);
    shard.put_for_test(settled(Settled::Released, 3, 5000));
    let at = grant(&mut shard, AtLeastOnce, Some(released()), basis(true, true));
    assert_eq!(shard.last_record(digest(1)), Some(last(3, 5000)));
    let claimed = head(RecordKind::InProgress, 2, 6000);
    assert!(
        shard
            .apply(digest(1), &claimed, AtLeastOnce, locator(4))
            .is_none()
    );
    let running = shard.get(at).unwrap();
    assert!(running.holder.journaled && running.rest.previous.is_none());
    assert_eq!(shard.last_record(digest(1)), Some(last(4, 6000)));
    assert_eq!(shard.live_records().collect::<Vec<_>>(), [last(4, 6000)]);

    let completed = head(RecordKind::Completed, 2, 7000);
    let gone = shard.apply(digest(1), &completed, AtLeastOnce, locator(5));
    let gone = gone.unwrap();
    assert_eq!((gone.digest, gone.granted_ms), (digest(1), NOW.mono_ms));
    assert_eq!(found(&shard), Some((Settled::Completed, locator(5), 7000)));
    assert_eq!((shard.running_keys(), shard.keys()), (0, 1));
    assert_eq!(shard.next_due_ms(), None, "its timer went with it");
    assert!(shard.memory_bytes() >= size_of::<Slot>());
    shard.validate(5);
}

/// A claim that another one's record overtakes ends, whatever the kind of the record.
#[test]
fn a_claim_of_another_token_ends_the_one_that_runs() {
    let mut shard = Shard::new(NOW.mono_ms);
    fresh(&mut shard, AtMostOnce);
    let other = head(RecordKind::InProgress, 3, NEVER);
    assert!(
        shard
            .apply(digest(1), &other, AtMostOnce, locator(4))
            .is_some()
    );
    assert_eq!(found(&shard), Some((Settled::InDoubt, locator(4), NEVER)));
}

#[test]
fn a_grant_that_is_taken_back_leaves_what_the_newest_record_says() {
    // Nothing was there.
    let mut shard = Shard::new(NOW.mono_ms);
    let at = fresh(&mut shard, AtLeastOnce);
    assert!(shard.restore(at).is_some() && shard.restore(at).is_none());
    assert_eq!((found(&shard), shard.keys()), (None, 0));
    assert_eq!(shard.next_due_ms(), None);

    // The slot from before is put back.
    shard.put_for_test(settled(Settled::Released, 3, 5000));
    let at = grant(&mut shard, AtLeastOnce, Some(released()), basis(true, true));
    shard.restore(at).unwrap();
    assert_eq!(found(&shard), Some((Settled::Released, locator(3), 5000)));

    // The claim itself was recorded: it says what a crash would have left.
    for (guarantee, kind) in [
        (AtLeastOnce, Settled::Released),
        (AtMostOnce, Settled::InDoubt),
    ] {
        let mut shard = Shard::new(NOW.mono_ms);
        let at = fresh(&mut shard, guarantee);
        let claimed = head(RecordKind::InProgress, 2, 6000);
        shard.apply(digest(1), &claimed, guarantee, locator(4));
        shard.restore(at).unwrap();
        assert_eq!(found(&shard), Some((kind, locator(4), 6000)));
        shard.validate(4);
    }
}

#[test]
fn a_copied_record_moves_what_names_it_and_nothing_else() {
    let mut shard = Shard::new(NOW.mono_ms);
    assert!(!shard.relocate(digest(1), locator(3), locator(9)), "absent");

    shard.put_for_test(settled(Settled::Completed, 3, 5000));
    assert!(
        !shard.relocate(digest(1), locator(2), locator(9)),
        "not there"
    );
    assert_eq!(found(&shard), Some((Settled::Completed, locator(3), 5000)));
    assert!(shard.relocate(digest(1), locator(3), locator(9)));
    assert_eq!(found(&shard), Some((Settled::Completed, locator(9), 5000)));

    // A removal is never live, so it is never carried.
    shard.put_for_test(settled(Settled::Forgotten, 10, NEVER));
    assert!(!shard.relocate(digest(1), locator(10), locator(11)));
    assert_eq!(
        found(&shard),
        Some((Settled::Forgotten, locator(10), NEVER))
    );
    assert_eq!(shard.last_record(digest(1)), None);
    assert_eq!(shard.live_records().count(), 0);

    // A holder runs it: both names of the record move.
    shard.put_for_test(settled(Settled::Released, 12, 5000));
    let at = grant(&mut shard, AtLeastOnce, Some(released()), basis(true, true));
    assert!(!shard.relocate(digest(1), locator(11), locator(13)));
    assert!(shard.relocate(digest(1), locator(12), locator(13)));
    assert_eq!(shard.last_record(digest(1)), Some(last(13, 5000)));
    shard.validate(13);
    shard.restore(at).unwrap();
    assert_eq!(found(&shard), Some((Settled::Released, locator(13), 5000)));
}

#[test]
fn slots_go_when_the_live_counts_have_let_them() {
    let mut shard = Shard::<u8>::new(NOW.mono_ms);
    shard.put_for_test(settled(Settled::Completed, 3, 500));
    assert_eq!((found(&shard), shard.sweep(9), shard.keys()), (None, 0, 1));
    assert_eq!(shard.slots().count(), 1);
    shard.let_expire(500);
    // Never back.
    shard.let_expire(499);
    assert_eq!((shard.sweep(9), shard.keys()), (1, 0));
}

/// Grants a key of its own to each request, under this policy.
fn grant_under(shard: &mut Shard<u8>, key: u8, policy: &Arc<Policy>, request: Request) -> SlabRef {
    let grant = Grant {
        namespace: NamespaceId(1),
        column: Column::default(),
        policy,
        key: KeyBytes::from(&[key][..]),
        token: token(2),
        request,
        basis: basis(false, false),
        record: None,
    };
    shard.grant(digest(key), grant, NOW)
}

fn plain() -> Request {
    Request {
        parts: None,
        ..request(0, b"")
    }
}

fn with_parts(parts: RequestParts) -> Request {
    Request {
        parts: Some(Box::new(parts)),
        ..plain()
    }
}

/// An answer may keep the frame of its record; a key that runs for long must not.
#[test]
fn a_running_key_keeps_no_frame_in_memory() {
    let payload = Arc::new(b"before half".to_vec());
    let record = Record {
        body: Blob::in_frame(&payload, 11, 4).unwrap(),
        ..released()
    };
    let mut shard = Shard::new(NOW.mono_ms);
    let at = grant(&mut shard, AtLeastOnce, Some(record), basis(true, true));
    let rest = &shard.get(at).unwrap().rest;
    assert_eq!(*rest.holder.checkpoint, *b"half");
    assert_eq!(*rest.previous_record.as_ref().unwrap().body, *b"half");
    assert_eq!(Arc::strong_count(&payload), 1);
}

#[test]
fn a_plain_grant_has_nothing_beside_its_lease() {
    let policy = Arc::new(Policy::at_least_once());
    let mut shard = Shard::new(NOW.mono_ms);
    let others = [
        request(7, b""),
        with_parts(RequestParts {
            metadata: Blob::from(&b"m"[..]),
            ..RequestParts::default()
        }),
        with_parts(RequestParts {
            retention: Some(Duration::from_secs(1)),
            ..RequestParts::default()
        }),
    ];
    for (key, request) in (10..).zip(others) {
        let at = grant_under(&mut shard, key, &policy, request);
        assert!(shard.get_mut(at).unwrap().rest.get_mut().is_some(), "{key}");
    }
    let at = grant_under(&mut shard, 2, &policy, plain());
    assert!(shard.get_mut(at).unwrap().rest.get_mut().is_none());
    // What the key was before is kept too.
    shard.put_for_test(settled(Settled::Released, 3, 5000));
    let at = grant_under(&mut shard, 1, &policy, plain());
    assert_eq!(shard.get(at).unwrap().rest.last_record, Some(last(3, 5000)));
}

#[test]
fn the_keys_of_a_shard_share_its_copy_of_a_policy() {
    let policies: Vec<_> = (0..9).map(|_| Arc::new(Policy::at_least_once())).collect();
    let mut shard = Shard::new(NOW.mono_ms);
    let mut key = 0;
    let mut copy = |policy: &Arc<Policy>| {
        key += 1;
        let at = grant_under(&mut shard, key, policy, plain());
        Arc::clone(&shard.get(at).unwrap().policy)
    };
    let copies: Vec<_> = policies[..8].iter().map(&mut copy).collect();
    for (policy, own) in policies.iter().zip(&copies) {
        assert!(!Arc::ptr_eq(policy, own), "a copy");
        assert!(Arc::ptr_eq(&copy(policy), own), "the same one");
        assert!(Arc::ptr_eq(&copy(own), own), "its own is no other policy");
    }
    // There is room for eight: the oldest goes, and no other.
    copy(&policies[8]);
    assert!(Arc::ptr_eq(&copy(&policies[1]), &copies[1]));
    assert!(Arc::ptr_eq(&copy(&policies[7]), &copies[7]));
    assert!(!Arc::ptr_eq(&copy(&policies[0]), &copies[0]));
}
