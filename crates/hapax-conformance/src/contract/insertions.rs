//! Keys that operators bring in.

use hapax::audit::{AuditEntry, AuditFilter, Origin, Transition};
use hapax::limits::{CHECKPOINT_BYTES_MAX, RETENTION_MAX};
use hapax::operator::Insertion;
use hapax::{Error, ErrorKind, FingerprintPolicy, Limits, Policy, Resolution};

use crate::site::answers::{claim, completed, failed, in_doubt};
use crate::site::site::{Site, both, total};
use crate::site::times::{HOUR, SECOND};
use crate::world::settings::Settings;
use crate::world::world::World;

/// One key for each state that an import can give.
fn imported() -> [Insertion; 4] {
    [
        Insertion::completed("paid", "receipt").retention(HOUR),
        Insertion::failed("refused", "no such card").metadata("trace-1"),
        Insertion::released("later", "busy").checkpoint("page 3"),
        Insertion::in_doubt("unknown", "a timeout").checkpoint("sent"),
    ]
}

fn inserted(site: &Site) -> [bool; 4] {
    let results = site.operator().insert_many("work", imported()).unwrap();
    let inserted: Vec<bool> = results.into_iter().map(Result::unwrap).collect();
    inserted.try_into().unwrap()
}

pub(crate) fn what_an_operator_inserts_is_there_after_a_crash(world: &dyn World) {
    for policy in both() {
        let mut site = Site::new(world);
        drop(site.namespace(policy.clone()));
        assert_eq!(inserted(&site), [true; 4]);
        site.crash();
        let work = site.namespace(policy);
        assert_eq!(inserted(&site), [false; 4]);
        let paid = completed(work.claim("paid").unwrap());
        assert_eq!(paid.response(), b"receipt");
        let answer = failed(work.claim("refused").unwrap());
        assert_eq!(
            (answer.error(), answer.metadata()),
            (&b"no such card"[..], &b"trace-1"[..])
        );
        let lease = claim(&work, "later");
        let left = (lease.last_checkpoint(), lease.last_reason());
        assert_eq!(left, (&b"page 3"[..], &b"busy"[..]));
        let doubt = in_doubt(work.claim("unknown").unwrap());
        let left = (doubt.checkpoint(), doubt.reason(), doubt.holder_alive());
        assert_eq!(left, (&b"sent"[..], &b"a timeout"[..], false));
        doubt.resolve(Resolution::NeverHappened).unwrap();
        assert_eq!(claim(&work, "unknown").last_checkpoint(), b"sent");
        site.advance(HOUR + SECOND);
        claim(&work, "paid").complete("again").unwrap();
        site.validate();
    }
}

/// Imported keys stood in the audit log without a name, or not at all: an import had to act as an
/// ordinary caller.
pub(crate) fn what_an_operator_inserts_is_in_the_audit_log(world: &dyn World) {
    for policy in both() {
        let mut site = Site::new(world);
        drop(site.namespace(policy.clone()));
        inserted(&site);
        site.crash();
        let work = site.namespace(policy);
        let entries = site.store.audit(AuditFilter::new()).unwrap();
        let entries: Vec<AuditEntry> = entries.map(Result::unwrap).collect();
        assert_eq!(entries.len(), 4);
        for (entry, item) in entries.iter().zip(&imported()) {
            assert_eq!(entry.key_digest(), Some(work.key_digest(item.key())));
            assert_eq!(entry.transition(), Transition::Inserted);
            assert_eq!(entry.origin(), Origin::Operator);
            let who = (entry.actor(), entry.reason());
            assert_eq!(who, ("alice", "INC-42: it hangs"));
        }
        let receipt = site.store.outcome_digest("receipt");
        assert_eq!(entries[0].outcome_digest(), Some(receipt));
    }
}

pub(crate) fn what_an_operator_inserts_is_one_commit(world: &dyn World) {
    let site = Site::new(world);
    drop(site.namespace(Policy::at_most_once()));
    let before = total(&site.store, "hapax_syncs_total");
    inserted(&site);
    assert_eq!(total(&site.store, "hapax_syncs_total") - before, 1);
}

pub(crate) fn one_key_that_cannot_be_inserted_keeps_no_other_out(world: &dyn World) {
    let site = Site::with(world, Settings::new().limits(Limits::new().live_keys(4)));
    let work = site.namespace(Policy::at_least_once().max_response(10));
    let by = site.operator();
    let held = claim(&work, "held");
    let items = [
        Insertion::completed("first", "short"),
        Insertion::completed("", "no key"),
        Insertion::completed("long", "longer than ten"),
        Insertion::released("large", "").checkpoint(vec![0; CHECKPOINT_BYTES_MAX + 1]),
        Insertion::failed("far", "").retention(RETENTION_MAX + SECOND),
        Insertion::completed("held", "else"),
        Insertion::completed("first", "again"),
        Insertion::completed("second", ""),
        Insertion::completed("third", ""),
        Insertion::completed("one too many", ""),
    ];
    let inserted = by.insert_many("work", items).unwrap();
    let kind = |error: Error| error.kind();
    let inserted: Vec<_> = inserted.into_iter().map(|of| of.map_err(kind)).collect();
    let (invalid, large) = (Err(ErrorKind::Invalid), Err(ErrorKind::TooLarge));
    let full = Err(ErrorKind::AtCapacity);
    let expected = [
        Ok(true),
        invalid,
        large,
        large,
        invalid,
        Ok(false),
        Ok(false),
        Ok(true),
        Ok(true),
        full,
    ];
    assert_eq!(inserted, expected);
    held.complete("in time").unwrap();
    let none = by
        .insert("wrok", Insertion::completed("a", ""))
        .unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NoNamespace);

    let strict = Policy::at_least_once().fingerprints(FingerprintPolicy::Required);
    site.store.namespace("strict", strict).unwrap();
    let item = Insertion::completed("a", "");
    let unlike = by.insert("strict", item).unwrap_err();
    assert_eq!(unlike.kind(), ErrorKind::Invalid);
}
