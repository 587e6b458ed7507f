//! The entry of a policy change: turning auditing off leaves one too.

use std::fmt::Display;
use std::time::Duration;

use crate::engine::audit::entry::store_facts;
use crate::engine::engine::Engine;
use crate::journal::format::audit::entry::{Draft, Facts};
use crate::journal::format::codec::encode_policy;
use crate::journal::format::manifest::NamespaceEntry;
use crate::value::attribution::ACTOR_BYTES_MAX;
use crate::value::audit::{AuditLevel, Origin, Transition};
use crate::value::durability::Durability;
use crate::value::policy::Policy;
use crate::value::time::expiry;

impl Engine {
    /// Appends the entry of a policy change, unless auditing is off before and after it. Returns its frame,
    /// which is durable before the manifest is written: a crash between the two leaves an entry without its
    /// change, and never a change without its entry.
    pub(in crate::engine) fn audit_policy(
        &self,
        old: &NamespaceEntry,
        new: &NamespaceEntry,
    ) -> Option<u64> {
        let is_off = |entry: &NamespaceEntry| entry.policy.audit == AuditLevel::Off;
        if is_off(old) && is_off(new) {
            return None;
        }
        let now = self.now();
        // A shorter retention must not take the entry of its own making with it.
        let retention = old.policy.audit_retention.max(new.policy.audit_retention);
        let said = changes(&old.policy, &new.policy);
        let draft = Draft::new(&Facts {
            expires_at: expiry(now, retention),
            namespace: old.id,
            outcome: Some(self.outcome_digest(&encode_policy(new))),
            ..store_facts(Transition::PolicyChanged, Origin::Caller, ("", &said), now)
        });
        Some(self.journal.append_audit(&draft, now.mono_ms))
    }
}

/// What differs, in words, cut off at the room that there is.
fn changes(old: &Policy, new: &Policy) -> String {
    let fields = fields(old).into_iter().zip(fields(new));
    let changed = fields.filter(|((_, old), (_, new))| old != new);
    let said: Vec<_> = changed
        .map(|((name, old), (_, new))| format!("{name} {old} to {new}"))
        .collect();
    let mut said = said.join("; ");
    if said.len() > ACTOR_BYTES_MAX {
        said.truncate(ACTOR_BYTES_MAX - 4);
        said.push_str(" ...");
    }
    said
}

/// The knobs of a policy and their values, in ASCII. The ones that matter to an audit come first.
fn fields(policy: &Policy) -> [(&'static str, String); 13] {
    let Policy {
        guarantee,
        lease,
        retention,
        failed_retention,
        attempt_retention,
        max_attempts,
        max_response_bytes,
        oversize,
        fingerprints,
        on_change,
        durability,
        audit,
        audit_retention,
    } = policy;
    [
        ("audit", format!("{audit:?}")),
        ("audit_retention", span(audit_retention)),
        ("guarantee", format!("{guarantee:?}")),
        ("retention", span(retention)),
        (
            "failed_retention",
            or_none(failed_retention.map(|is| span(&is))),
        ),
        ("attempt_retention", span(attempt_retention)),
        ("fingerprints", format!("{fingerprints:?}")),
        ("on_change", format!("{on_change:?}")),
        ("max_attempts", or_none(max_attempts.as_ref())),
        ("lease", span(lease)),
        ("max_response_bytes", max_response_bytes.to_string()),
        ("oversize", format!("{oversize:?}")),
        ("durability", or_none(durability.map(durable))),
    ]
}

/// A duration in seconds, because its `Debug` form may have a letter that is not ASCII.
fn span(span: &Duration) -> String {
    format!("{}s", span.as_secs_f64())
}

fn durable(durability: Durability) -> String {
    match durability {
        Durability::Sync => "Sync".to_owned(),
        Durability::Interval(window) => span(&window),
    }
}

fn or_none<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}
