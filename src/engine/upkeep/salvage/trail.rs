//! The audit log of a store that is salvaged: its remaining entries go into that of the new store, under a
//! new chain.

use crate::engine::audit::entry::store_facts;
use crate::engine::upkeep::salvage::writing::{WRITE_BYTES, commit};
use crate::journal::Journal;
use crate::journal::format::audit::archive::Archive;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::audit::entry::{Draft, WireAudit};
use crate::journal::format::codec::audits;
use crate::journal::log::raw_store::RawStore;
use crate::value::attribution::ENGINE;
use crate::value::audit::{AuditHead, Origin, Transition};
use crate::value::doing::Doing;
use crate::value::error::Result;
use crate::value::hex::hex;
use crate::value::salvage_report::SalvageReport;
use crate::value::time::Now;

/// Audit entries on their way into a new store.
#[derive(Debug)]
pub(in crate::engine) struct Trail {
    store_id: [u8; 16],
    now_secs: u32,
    /// The old chain after the last entry that was met.
    head: Option<AuditHead>,
    /// Bytes appended since the last write.
    pub(in crate::engine) unwritten: usize,
}

impl Trail {
    pub(in crate::engine) fn new(store_id: [u8; 16], now_secs: u32) -> Self {
        Self {
            store_id,
            now_secs,
            head: None,
            unwritten: 0,
        }
    }

    /// Takes the entries of every archive that is whole.
    pub(in crate::engine) fn archives(
        &mut self,
        remains: &RawStore,
        journal: &Journal,
        report: &mut SalvageReport,
    ) -> Result<()> {
        let archives = remains
            .directory
            .archives()
            .while_doing("listing the audit archives")?;
        for segment in archives {
            let bytes = remains.directory.read_archive(segment);
            let archive = bytes
                .map_err(|error| error.to_string())
                .and_then(|bytes| Archive::decode(&bytes).map_err(|_| "damaged".to_owned()));
            let archive = match archive {
                Ok(archive) if archive.store_id == self.store_id => archive,
                Ok(_) => {
                    let what = format!("audit archive {segment:016x}: it is of another store");
                    report.places.add(what);
                    continue;
                }
                Err(what) => {
                    let place = format!("audit archive {segment:016x}: {what}");
                    report.places.add(place);
                    continue;
                }
            };
            self.head.get_or_insert(archive.before);
            for wire in audits(&archive.entries) {
                match wire {
                    Ok(wire) => self.meet(&wire, journal, report),
                    Err(_) => report.places.add(format!(
                        "audit archive {segment:016x}: it holds a malformed entry"
                    )),
                }
            }
            if self.unwritten > WRITE_BYTES {
                self.unwritten = 0;
                commit(journal, false)?;
            }
        }
        Ok(())
    }

    /// Takes an entry, unless it was met before or has expired.
    pub(in crate::engine) fn meet(
        &mut self,
        wire: &WireAudit<'_>,
        journal: &Journal,
        report: &mut SalvageReport,
    ) {
        let number = wire.head.number;
        let before = self.head.unwrap_or_else(|| genesis(&self.store_id));
        let next = before.number.saturating_add(1);
        if number < next {
            return;
        }
        // The new chain accepts any entries, so this is the last check of the old one.
        if number == next && !wire.follows(&before) {
            report.altered_audit_entries += 1;
            report.places.add(format!(
                "audit entry {number} does not follow the one before it: one of them was changed"
            ));
        }
        if number > next {
            report.lost_audit_entries += number - next;
            report.places.add(format!(
                "audit entries {next} to {} are missing or damaged",
                number - 1
            ));
        }
        self.head = Some(wire.head);
        let Ok(facts) = wire.facts() else {
            report.lost_audit_entries += 1;
            report
                .places
                .add(format!("audit entry {number} is malformed"));
            return;
        };
        if facts.expires_at <= self.now_secs {
            return;
        }
        if report.audit_entries == 0 {
            self.begin(number, journal);
        }
        report.audit_entries += 1;
        self.append(&Draft::copy_of(wire, facts.expires_at), journal);
    }

    /// Checks that it reached the last archived entry. The newest archives may be missing, and without a later
    /// entry nothing else would show that.
    pub(in crate::engine) fn end(&self, archived: Option<u64>, report: &mut SalvageReport) {
        let met = self.head.map_or(0, |head| head.number);
        if let Some(last) = archived.filter(|last| *last > met) {
            report.lost_audit_entries += last - met;
            report.places.add(format!(
                "audit entries {} to {last} are missing or damaged",
                met + 1
            ));
        }
    }

    /// The first entry of the new chain says where the others come from.
    fn begin(&mut self, number: u64, journal: &Journal) {
        let id = hex(&self.store_id);
        let reason = format!("what follows was entry {number} and on of the store {id}");
        let now = Now {
            mono_ms: 0,
            store_secs: self.now_secs,
        };
        let who = (ENGINE, &*reason);
        let facts = store_facts(Transition::Salvaged, Origin::Engine, who, now);
        self.append(&Draft::new(&facts), journal);
    }

    fn append(&mut self, draft: &Draft, journal: &Journal) {
        self.unwritten += draft.bytes();
        journal.append_audit(draft, 0);
    }
}
