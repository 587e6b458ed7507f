//! A change of a policy in the audit log.

use hapax::audit::{AuditEntry, AuditFilter, AuditLevel, Origin, Transition};
use hapax::{ErrorKind, Policy};

use crate::contract_support::{DAY, HOUR, World, claim};

fn changes(world: &World) -> Vec<AuditEntry> {
    let filter = AuditFilter::new().transition(Transition::PolicyChanged);
    let found = world.store.audit(filter).unwrap();
    found.map(Result::unwrap).collect()
}

/// An operator who turned auditing off, changed something, and turned it on again left only a gap
/// in time.
#[test]
fn auditing_that_was_off_for_a_while_shows() {
    let mut world = World::new();
    let audited = Policy::at_least_once().audit(AuditLevel::Digests);
    let quiet = audited.clone().audit(AuditLevel::Off).audit_retention(HOUR);
    drop(world.namespace(audited.clone()));
    let off = world.namespace(quiet.clone());
    claim(&off, "unseen").complete("x").unwrap();
    drop(off);
    let on = world.namespace(audited.clone());
    claim(&on, "seen").complete("x").unwrap();
    drop(on);
    world.crash();
    let changed = changes(&world);
    let said: Vec<_> = changed.iter().map(AuditEntry::reason).collect();
    assert_eq!(
        said,
        [
            "audit Digests to Off; audit_retention 34560000s to 3600s",
            "audit Off to Digests; audit_retention 3600s to 34560000s",
        ]
    );
    for entry in &changed {
        assert_eq!(entry.namespace(), Some("work"));
        assert_eq!((entry.key_digest(), entry.token()), (None, None));
        assert_eq!((entry.origin(), entry.actor()), (Origin::Caller, ""));
        // The shorter retention is not that of its own entry.
        assert!(entry.expires_at() >= entry.at() + DAY * 400);
    }
    assert_ne!(changed[0].outcome_digest(), changed[1].outcome_digest());
    let all = world.store.audit(AuditFilter::new().key("seen")).unwrap();
    assert_eq!(all.count(), 2, "those of a key are as ever");
    world.store.verify_audit().unwrap();
    // The same policy again is not a change, and a policy that was changed back has its earlier
    // digest.
    drop(world.namespace(audited));
    assert_eq!(changes(&world).len(), 2);
    drop(world.namespace(quiet));
    let again = &changes(&world)[2];
    assert_eq!(again.outcome_digest(), changed[0].outcome_digest());
}

#[test]
fn each_change_is_told_unless_it_is_refused_or_not_audited() {
    let world = World::with(hapax::Builder::allow_at_most_once);
    drop(world.namespace(Policy::at_least_once()));
    drop(world.namespace(Policy::at_least_once().retention(DAY)));
    drop(world.namespace(Policy::at_least_once().retention(HOUR)));
    assert_eq!(world.store.audit_head().number(), 0, "auditing is off");
    let audited = Policy::at_least_once().audit(AuditLevel::Keys);
    let held = world.namespace(audited.clone());
    let shorter = audited.clone().lease(HOUR / 7);
    let refused = world.store.namespace("work", shorter.clone()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PolicyConflict);
    drop(held);
    assert_eq!(changes(&world).len(), 1, "it was turned on");
    drop(world.namespace(shorter));
    let once = Policy::at_most_once().audit(AuditLevel::Keys);
    let change = || world.store.change_guarantee("work", once.clone());
    drop(change().unwrap());
    let said: Vec<_> = changes(&world)
        .iter()
        .map(|entry| entry.reason().to_owned())
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[1].starts_with("lease 60s to 514."), "{said:?}");
    assert!(said[2].contains("guarantee AtLeastOnce to AtMostOnce"));
    // All of it at once does not fit.
    let other = Policy::at_most_once()
        .audit(AuditLevel::Digests)
        .audit_retention(DAY)
        .retention(HOUR)
        .failed_retention(HOUR)
        .attempt_retention(HOUR)
        .max_attempts(3)
        .max_response(1)
        .oversize(hapax::Oversize::OutcomeOnly)
        .fingerprints(hapax::FingerprintPolicy::Required)
        .on_change(hapax::OnChange::Rerun)
        .durability(hapax::Durability::Sync);
    drop(world.namespace(other));
    let last = changes(&world).pop().unwrap();
    assert!(last.reason().starts_with("audit Keys to Digests; "));
    assert!(last.reason().len() <= 256, "{last}");
    world.store.verify_audit().unwrap();
}
