//! The audit log: every transition once, in order, for as long as it is kept.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::time::Duration;

use hapax::audit::{AuditEntry, AuditFilter, AuditHead, AuditLevel, Origin, Transition};
use hapax::operator::Attribution;
use hapax::{
    Builder, Claim, ClaimOptions, ErrorKind, Guarantee, KeyDigest, Policy, Resolution, Store,
    Ticket,
};

use crate::contract_support::{
    DAY, HOUR, MINUTE, SECOND, World, both, claim, in_doubt, total, with_print,
};
use crate::logs::KINDS;

const GRACE: Duration = Duration::from_secs(121);

fn audited(policy: Policy) -> Policy {
    policy.audit(AuditLevel::Digests)
}

fn world() -> World {
    World::with(|builder| builder.allow_at_most_once().segment_frames(16))
}

fn reopen(world: &mut World) {
    let builder = world.builder().allow_at_most_once().segment_frames(16);
    world.store = builder.open().unwrap();
}

fn entries(store: &Store, filter: AuditFilter) -> Vec<AuditEntry> {
    store.audit(filter).unwrap().map(Result::unwrap).collect()
}

fn transitions(store: &Store, key: &str) -> Vec<Transition> {
    let found = entries(store, AuditFilter::new().key(key));
    found.iter().map(AuditEntry::transition).collect()
}

/// Numbers without gaps, and a chain that holds.
fn check_whole(store: &Store) -> Vec<AuditEntry> {
    let report = store.verify_audit().unwrap();
    let all = entries(store, AuditFilter::new());
    for (number, entry) in (report.first()..).zip(&all) {
        assert_eq!(entry.number(), number, "{entry}");
    }
    assert_eq!(report.entries(), all.len() as u64);
    assert_eq!(report.head(), store.audit_head());
    all
}

#[test]
fn nothing_is_written_down_unless_the_policy_says_so() {
    let world = World::new();
    let plain = world.namespace(Policy::at_least_once());
    claim(&plain, "key").complete("x").unwrap();
    plain.insert("other").unwrap();
    assert!(check_whole(&world.store).is_empty());
    assert_eq!(world.store.audit_head().number(), 0);
}

#[test]
fn a_claim_costs_one_entry_and_its_outcome_another() {
    use Transition::{
        Checkpointed, Claimed, Completed, Doubted, Failed, Forgotten, Inserted, Lapsed, Reclaimed,
        Released, ResolvedFailed, ResolvedHappened, ResolvedNeverHappened,
    };
    for policy in both() {
        let world = world();
        let once = policy.guarantee() == Guarantee::AtMostOnce;
        let work = world.namespace(audited(policy.lease(MINUTE)));
        claim(&work, "complete").complete("x").unwrap();
        claim(&work, "fail").fail("x").unwrap();
        claim(&work, "release").release("later").unwrap();
        claim(&work, "release").complete("x").unwrap();
        let lease = claim(&work, "checkpoint");
        lease.checkpoint("half").unwrap();
        drop(lease);
        work.insert("insert").unwrap();
        assert!(!work.insert("insert").unwrap());
        assert!(work.forget("insert").unwrap());
        for (key, resolution) in [
            ("happened", Resolution::Happened(b"yes".to_vec())),
            ("failed", Resolution::Failed(b"no".to_vec())),
            ("never", Resolution::NeverHappened),
        ] {
            claim(&work, key).doubt("?").unwrap();
            let doubt = in_doubt(work.claim(key).unwrap());
            doubt.resolve(resolution).unwrap();
        }
        let held = claim(&work, "lapse");
        world.clock.advance(MINUTE);
        held.complete("late").unwrap();
        let dropped = if once { Doubted } else { Released };
        for (key, expected) in [
            ("complete", &[Claimed, Completed][..]),
            ("fail", &[Claimed, Failed]),
            ("release", &[Claimed, Released, Reclaimed, Completed]),
            ("checkpoint", &[Claimed, Checkpointed, dropped]),
            ("insert", &[Inserted, Forgotten]),
            ("happened", &[Claimed, Doubted, ResolvedHappened]),
            ("failed", &[Claimed, Doubted, ResolvedFailed]),
            ("never", &[Claimed, Doubted, ResolvedNeverHappened]),
            ("lapse", &[Claimed, Lapsed, Completed]),
        ] {
            assert_eq!(transitions(&world.store, key), expected, "{key}");
        }
        check_whole(&world.store);
        world.store.validate();
    }
}

#[test]
fn an_entry_says_who_did_what_when_and_under_which_token() {
    let world = world();
    let policy = Policy::at_least_once().retention(HOUR);
    let work = world.namespace(policy.audit(AuditLevel::Keys).audit_retention(DAY * 30));
    let options = with_print(&work, "body").actor("sender \"3\"");
    let Claim::Granted(lease) = work.claim_with("kn\u{f6}", options).unwrap() else {
        panic!("granted")
    };
    let token = lease.token();
    world.clock.advance(MINUTE / 2);
    lease.complete("the answer").unwrap();
    let all = check_whole(&world.store);
    let [claimed, completed] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!((claimed.number(), completed.number()), (1, 2));
    assert_eq!(completed.at(), claimed.at() + SECOND * 30);
    assert!(completed.expires_at() > completed.at() + DAY * 30);
    assert_eq!(completed.namespace(), Some("work"));
    assert_eq!(completed.key(), Some("kn\u{f6}".as_bytes()));
    assert_eq!(completed.key_digest(), Some(work.key_digest("kn\u{f6}")));
    assert_eq!(completed.origin(), Origin::Caller);
    assert_eq!(completed.actor(), "sender \"3\"");
    assert_eq!((completed.token(), completed.attempt()), (Some(token), 1));
    assert_eq!(claimed.fingerprint_digest(), completed.fingerprint_digest());
    assert!(claimed.fingerprint_digest().is_some());
    let digest = world.store.outcome_digest("the answer");
    assert_eq!(completed.outcome_digest(), Some(digest));
    assert_eq!(claimed.outcome_digest(), None);
    let json = completed.to_json();
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed["actor"], "sender \"3\"");
    assert_eq!(parsed["transition"], "completed");
    assert_eq!(parsed["key"], "kn\u{f6}");
    assert_eq!(parsed["token"], token.to_string());
    assert_eq!(parsed["outcome_digest"], format!("{digest:032x}"));
    let line = completed.to_string();
    assert!(
        line.contains("completed \"work\" \"kn\\xc3\\xb6\" token="),
        "{line}"
    );
    assert!(line.contains("caller=\"sender \\\"3\\\"\""), "{line}");
}

#[test]
fn operators_are_written_down_under_any_policy() {
    use Transition::{Doubted, Failed, Forgotten, Released, ResolvedHappened};
    let mut world = world();
    let once = world.namespace(Policy::at_most_once());
    let least = world.store.namespace("least", Policy::at_least_once());
    let least = least.unwrap();
    let operator = (world.store).operator(Attribution::new("alice", "INC-42").unwrap());
    let lease = claim(&least, "release");
    operator.release("least", "release", lease.token()).unwrap();
    let lease = claim(&least, "fail");
    operator.fail("least", "fail", lease.token(), "no").unwrap();
    operator.forget("least", "fail").unwrap();
    let held = claim(&once, "doubt");
    operator.doubt("work", "doubt", held.token()).unwrap();
    let doubt = in_doubt(once.claim("doubt").unwrap());
    operator
        .resolve(&doubt, Resolution::Happened(b"yes".to_vec()))
        .unwrap();
    // Nothing to accept, forget or release: nothing happened.
    operator.accept_salvage().unwrap();
    operator.forget("least", "none").unwrap();
    operator
        .release("work", "doubt", doubt.token())
        .unwrap_err();
    let expected = [Released, Failed, Forgotten, Doubted, ResolvedHappened];
    drop((lease, held, doubt, once, least, operator));
    for _ in 0..2 {
        let all = check_whole(&world.store);
        let found: Vec<_> = all.iter().map(AuditEntry::transition).collect();
        assert_eq!(found, expected);
        for entry in &all {
            assert_eq!(entry.origin(), Origin::Operator);
            assert_eq!((entry.actor(), entry.reason()), ("alice", "INC-42"));
            assert!(entry.namespace().is_some());
        }
        world.log.crash();
        reopen(&mut world);
    }
}

#[test]
fn no_caller_takes_the_name_of_the_store() {
    let world = world();
    let work = world.namespace(Policy::at_least_once());
    assert_eq!(
        Attribution::new("hapax", "why").unwrap_err().kind(),
        ErrorKind::Invalid
    );
    for (actor, kind) in [
        ("hapax", ErrorKind::Invalid),
        ("a\nb", ErrorKind::Invalid),
        (&*"x".repeat(257), ErrorKind::TooLarge),
    ] {
        let options = ClaimOptions::new().actor(actor);
        let refused = work.claim_with("key", options).unwrap_err();
        assert_eq!(refused.kind(), kind, "{actor}");
    }
}

#[test]
fn entries_are_found_by_namespace_key_time_transition_and_origin() {
    let world = world();
    let (first, second) = (
        world.namespace(audited(Policy::at_least_once())),
        world
            .store
            .namespace("other", audited(Policy::at_least_once()))
            .unwrap(),
    );
    let store = &world.store;
    claim(&first, "a").complete("x").unwrap();
    world.clock.advance(HOUR);
    claim(&second, "a").complete("x").unwrap();
    drop(claim(&second, "b"));
    let all = check_whole(store);
    assert_eq!(all.len(), 6);
    let count = |filter| entries(store, filter).len();
    let filter = AuditFilter::new;
    assert_eq!(count(filter().namespace("other")), 4);
    assert_eq!(count(filter().key("a")), 4);
    assert_eq!(count(filter().key("a").namespace("work")), 2);
    assert_eq!(count(filter().key("b").namespace("work")), 0);
    assert_eq!(count(filter().key_digest(second.key_digest("b"))), 2);
    assert_eq!(
        count(filter().key_digest(KeyDigest::from_bytes([1; 16]))),
        0
    );
    assert_eq!(count(filter().from(all[2].at())), 4);
    assert_eq!(count(filter().before(all[2].at())), 2);
    assert_eq!(count(filter().transition(Transition::Completed)), 2);
    let either = filter()
        .transition(Transition::Completed)
        .transition(Transition::Released);
    assert_eq!(count(either), 3);
    assert_eq!(count(filter().origin(Origin::Engine)), 1);
    let unknown = store.audit(filter().namespace("none")).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NoNamespace);
    for transition in Transition::ALL {
        assert_eq!(
            transition.name().parse::<Transition>().unwrap(),
            *transition
        );
    }
}

#[test]
fn a_dead_process_leaves_orphans_and_they_are_written_down_once() {
    use Transition::{Attached, Claimed, Completed, Detached, Orphaned, Reclaimed};
    for policy in both() {
        let mut world = world();
        let work = world.namespace(audited(policy.clone()));
        let lease = claim(&work, "held");
        let ticket: Ticket = claim(&work, "ticket").detach().unwrap();
        claim(&work, "done").complete("x").unwrap();
        let token = lease.token();
        drop(work);
        world.log.crash();
        // The lease is dropped with a store that can no longer write.
        drop(lease);
        reopen(&mut world);
        assert_eq!(transitions(&world.store, "held"), [Claimed, Orphaned]);
        let orphan = entries(
            &world.store,
            AuditFilter::new().transition(Orphaned).key("held"),
        );
        assert_eq!(orphan[0].token(), Some(token));
        assert_eq!(orphan[0].origin(), Origin::Engine);
        assert_eq!(orphan[0].actor(), "hapax");
        world.store.sync().unwrap();
        world.log.crash();
        reopen(&mut world);
        assert_eq!(transitions(&world.store, "held"), [Claimed, Orphaned]);
        let lease = world.store.attach(&ticket).unwrap();
        lease.complete("x").unwrap();
        let mut ticketed = vec![Claimed, Detached, Orphaned, Attached, Completed];
        // Its claim is in the log already, so nothing has to be written for the ticket.
        ticketed.retain(|met| *met != Detached || policy.guarantee() == Guarantee::AtLeastOnce);
        assert_eq!(transitions(&world.store, "ticket"), ticketed);
        let work = world.namespace(audited(policy));
        if let Claim::Granted(lease) = work.claim("held").unwrap() {
            lease.complete("x").unwrap();
            // The claim has no record, so it is gone with its process.
            let last = *transitions(&world.store, "held").last().unwrap();
            assert_eq!(last, Completed);
            assert!(!transitions(&world.store, "held").contains(&Reclaimed));
        }
        assert_eq!(transitions(&world.store, "done"), [Claimed, Completed]);
        check_whole(&world.store);
    }
}

#[test]
fn an_untaken_grant_is_withdrawn() {
    use Transition::{Claimed, Completed, Reclaimed, Released, Withdrawn};
    let world = world();
    let work = world.namespace(audited(Policy::at_least_once()));
    let lease = claim(&work, "key");
    let waiting = work.claim_async("key", ClaimOptions::new().wait(MINUTE).actor("b"));
    let waiting = crate::contract_support::waiting(waiting);
    lease.release("again").unwrap();
    drop(waiting);
    claim(&work, "key").complete("x").unwrap();
    assert_eq!(
        transitions(&world.store, "key"),
        [
            Claimed, Released, Reclaimed, Withdrawn, Reclaimed, Completed
        ]
    );
    let all = check_whole(&world.store);
    assert_eq!(all[2].actor(), "b");
    assert_eq!(all[3].origin(), Origin::Engine);
}

/// Writes until every earlier segment has gone.
fn move_on(world: &World, work: &hapax::Namespace) {
    let dropped = total(&world.store, "hapax_compacted_segments_total");
    for round in 0..48 {
        let key = format!("move-on-{round}");
        claim(work, &key).complete("x").unwrap();
        assert!(work.forget(&key).unwrap());
    }
    world.clock.advance(GRACE);
    world.clock.advance(Duration::from_secs(2));
    assert!(total(&world.store, "hapax_compacted_segments_total") > dropped);
}

/// how long an answer is replayed and how long it is reported are independent.
#[test]
fn the_answer_has_gone_and_the_audit_is_still_there() {
    let mut world = world();
    let policy = Policy::at_least_once()
        .retention(HOUR)
        .attempt_retention(HOUR);
    let policy = audited(policy).audit_retention(DAY * 10);
    let work = world.namespace(policy.clone());
    for key in 0..20 {
        claim(&work, &key.to_string()).complete("answer").unwrap();
    }
    let before = check_whole(&world.store);
    let noted = world.store.audit_head();
    world.clock.advance(HOUR * 2);
    move_on(&world, &work);
    assert!(work.get("3").unwrap().is_none(), "replay is gone");
    let report = world.store.verify_audit_against(noted).unwrap();
    assert!(report.archived() > 0, "{report:?}");
    drop(work);
    for _ in 0..2 {
        let after = check_whole(&world.store);
        assert_eq!(after[..before.len()], before, "the audit is not");
        assert_eq!(
            transitions(&world.store, "3"),
            [Transition::Claimed, Transition::Completed]
        );
        world.log.crash();
        reopen(&mut world);
    }
    // Archives go as wholes once everything in them has expired; the chain goes on.
    world.clock.advance(GRACE);
    let work = world.namespace(policy);
    world.clock.advance(DAY * 11);
    move_on(&world, &work);
    assert!(transitions(&world.store, "3").is_empty());
    let report = world.store.verify_audit_against(noted).unwrap();
    assert!(report.first() > noted.number(), "{report:?}");
    check_whole(&world.store);
    drop(work);
    // All entries have expired; only the place in the chain is left.
    world.clock.advance(DAY * 11);
    world.store.close().unwrap();
    reopen(&mut world);
    assert_eq!(
        world.store.verify_audit().unwrap().head(),
        world.store.audit_head()
    );
}

#[test]
fn a_head_that_was_noted_shows_what_was_changed() {
    let world = world();
    let work = world.namespace(audited(Policy::at_least_once()));
    let empty = world.store.audit_head();
    claim(&work, "key").complete("x").unwrap();
    let noted = world.store.audit_head();
    assert_eq!(noted.to_string().parse::<AuditHead>().unwrap(), noted);
    claim(&work, "more").complete("x").unwrap();
    for head in [empty, noted, world.store.audit_head()] {
        world.store.verify_audit_against(head).unwrap();
    }
    let other: AuditHead = format!("2:{}", "0".repeat(64)).parse().unwrap();
    let ahead: AuditHead = format!("9:{}", "0".repeat(64)).parse().unwrap();
    for head in [other, ahead] {
        let refused = world.store.verify_audit_against(head).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Damaged, "{refused}");
    }
    for text in ["", "1", "1:", "x:00", &format!("1:{}", "g".repeat(64))] {
        assert!(text.parse::<AuditHead>().is_err(), "{text}");
    }
}

/// The rest of a damaged audit log continues in the new store, which reports what is lost.
#[test]
fn a_salvaged_store_has_what_is_left_of_the_audit_log() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let clock = hapax::testing::ManualClock::new();
        let open = |name: &str| {
            let builder = Store::builder(at(name)).clock(&clock).segment_frames(8);
            builder.log_kind(kind).open().unwrap()
        };
        let store = open("store");
        let policy = audited(Policy::at_least_once().retention(HOUR));
        let policy = policy.attempt_retention(HOUR);
        let work = store.namespace("work", policy).unwrap();
        for round in 0..24 {
            claim(&work, &round.to_string()).complete("x").unwrap();
        }
        clock.advance(HOUR * 2);
        clock.advance(GRACE);
        clock.advance(Duration::from_secs(2));
        claim(&work, "last").complete("x").unwrap();
        let all = check_whole(&store);
        drop(work);
        store.close().unwrap();
        drop(store);
        let mut archives: Vec<_> = std::fs::read_dir(at("store").join("audit"))
            .unwrap()
            .collect();
        archives.sort_by_key(|archive| archive.as_ref().unwrap().file_name());
        assert!(archives.len() >= 2);
        let salvage = Store::salvage(at("store"), at("whole")).unwrap();
        assert!(salvage.is_whole(), "{salvage}");
        assert_eq!(salvage.audit_entries(), all.len() as u64);
        assert_eq!(salvage.lost_audit_entries(), 0);
        let told = |entry: &AuditEntry| (entry.at(), entry.key_digest(), entry.transition());
        let whole = check_whole(&open("whole"));
        assert_eq!(whole[0].transition(), Transition::Salvaged);
        let (before, after): (Vec<_>, Vec<_>) = (
            all.iter().map(told).collect(),
            whole[1..].iter().map(told).collect(),
        );
        assert_eq!(before, after);
        // One archive is cut short.
        let path = archives[1].as_ref().unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let salvage = Store::salvage(at("store"), at("less")).unwrap();
        assert!(salvage.lost_audit_entries() > 0, "{salvage}");
        assert!(salvage.to_string().contains("audit archive"), "{salvage}");
        let saved = salvage.audit_entries() + salvage.lost_audit_entries();
        assert_eq!(saved, all.len() as u64);
        assert_eq!(
            check_whole(&open("less")).len() as u64,
            salvage.audit_entries() + 1
        );
    }
}

/// A directory, its backup and the store made of that: all have every entry, archived ones too.
#[test]
fn the_audit_log_comes_along() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let clock = hapax::testing::ManualClock::new();
        let open = |name: &str| {
            let builder = Store::builder(at(name)).clock(&clock).segment_frames(16);
            Builder::log_kind(builder, kind).open().unwrap()
        };
        let store = open("store");
        let policy = audited(Policy::at_least_once().retention(HOUR));
        let policy = policy.attempt_retention(HOUR);
        let work = store.namespace("work", policy).unwrap();
        for round in 0..40 {
            claim(&work, &round.to_string()).complete("x").unwrap();
        }
        clock.advance(HOUR * 2);
        clock.advance(GRACE);
        clock.advance(Duration::from_secs(2));
        let report = store.verify_audit().unwrap();
        assert!(report.archived() > 0, "{report:?}");
        let all = check_whole(&store);
        assert_eq!(all.len(), 80);
        store.backup(at("backup")).unwrap();
        drop(work);
        store.close().unwrap();
        Store::restore(at("backup"), at("restored")).unwrap();
        let moved_to = KINDS[usize::from(KINDS[0] == kind)];
        let same = |name: &str, kind| {
            let builder = Store::builder(at(name)).clock(&clock).log_kind(kind);
            let store = builder.open().unwrap();
            assert_eq!(check_whole(&store), all, "{name}");
            assert_eq!(store.verify_audit().unwrap(), report, "{name}");
            store.close().unwrap();
            let builder = Store::builder(at(name)).clock(&clock).read_only();
            let store = builder.open().unwrap();
            assert_eq!(check_whole(&store), all, "{name}, read-only");
        };
        same("restored", kind);
        Store::move_log(at("store"), moved_to).unwrap();
        same("store", moved_to);
    }
}

/// A salvage makes a new chain of what it finds. It did not check the old chain, so a changed entry
/// came out as good as any other.
#[test]
fn a_salvage_tells_of_entries_that_were_changed() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let store = Store::open(at("store")).unwrap();
    let policy = Policy::at_least_once().audit(AuditLevel::Keys);
    let space = store.namespace("space", policy).unwrap();
    for key in ["order-1", "order-2", "order-3"] {
        space.insert(key).unwrap();
    }
    drop(space);
    store.close().unwrap();
    let store = Store::open(at("store")).unwrap();
    let space = store.open_namespace("space").unwrap();
    space.forget("order-3").unwrap();
    store.compact().unwrap();
    drop(space);
    store.close().unwrap();
    let archive = std::fs::read_dir(at("store").join("audit")).unwrap().next();
    let archive = archive.unwrap().unwrap().path();
    let mut bytes = std::fs::read(&archive).unwrap();
    let found = bytes.windows(7).position(|seen| seen == b"order-2");
    bytes[found.unwrap() + 6] = b'7';
    // An attacker who changes an entry makes the checksum fit too.
    let covered = [&bytes[..128], &bytes[136..]].concat();
    let checksum = xxhash_rust::xxh3::xxh3_64(&covered).to_le_bytes();
    bytes[128..136].copy_from_slice(&checksum);
    std::fs::write(&archive, bytes).unwrap();

    let salvage = Store::salvage(at("store"), at("saved")).unwrap();
    assert_eq!(salvage.lost_audit_entries(), 0, "{salvage}");
    assert_eq!(salvage.altered_audit_entries(), 1, "{salvage}");
    assert!(salvage.to_string().contains("audit entry 2"), "{salvage}");
}
