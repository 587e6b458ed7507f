//! [`Orphans`]: keys that the last process has left in progress.

use std::collections::HashMap;

use crate::engine::audit::entry::store_facts;
use crate::engine::engine::Engine;
use crate::journal::format::audit::entry::{Draft, Facts};
use crate::value::attribution::ENGINE;
use crate::value::audit::{Origin, Transition};
use crate::value::fencing_token::FencingToken;
use crate::value::key_digest::KeyDigest;
use crate::value::namespace_id::NamespaceId;
use crate::value::time::expiry;

/// Keys with a claim in the audit log, and no end.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    open: HashMap<(NamespaceId, KeyDigest), Orphan>,
}

#[derive(Debug)]
struct Orphan {
    number: u64,
    token: Option<FencingToken>,
    attempt: u32,
    fingerprint: Option<u128>,
    key: Option<Box<[u8]>>,
}

impl Orphans {
    /// Takes an entry into account.
    pub(in crate::engine) fn meet(&mut self, number: u64, facts: &Facts<'_>) {
        let key = (facts.namespace, facts.key_digest);
        match facts.transition {
            Transition::Claimed | Transition::Reclaimed | Transition::Attached => {
                let orphan = Orphan {
                    number,
                    token: facts.token,
                    attempt: facts.attempt,
                    fingerprint: facts.fingerprint,
                    key: facts.key.map(Into::into),
                };
                self.open.insert(key, orphan);
            }
            Transition::Checkpointed | Transition::Detached => {}
            _ => {
                self.open.remove(&key);
            }
        }
    }
}

impl Engine {
    /// Appends an entry for each key that the last process has left in progress.
    pub(crate) fn audit_orphans(&self, orphans: Orphans) {
        if self.check_change().is_err() {
            return;
        }
        let now = self.now();
        let mut orphans: Vec<_> = orphans.open.into_iter().collect();
        orphans.sort_unstable_by_key(|(_, orphan)| orphan.number);
        for ((namespace, key_digest), orphan) in orphans {
            let Ok(core) = self.namespace_by_id(namespace) else {
                continue;
            };
            let draft = Draft::new(&Facts {
                expires_at: expiry(now, core.policy.audit_retention),
                namespace,
                token: orphan.token,
                attempt: orphan.attempt,
                key_digest,
                fingerprint: orphan.fingerprint,
                key: orphan.key.as_deref(),
                ..store_facts(Transition::Orphaned, Origin::Engine, (ENGINE, ""), now)
            });
            self.journal.append_audit(&draft, now.mono_ms);
        }
    }
}
