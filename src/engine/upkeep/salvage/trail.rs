//! The audit log of a store that is salvaged: its remaining entries go into that of the new store, under a
//! new chain.

use crate::engine::audit::entry::store_facts;
use crate::engine::upkeep::salvage::writing::Writing;
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
}

impl Trail {
    pub(in crate::engine) fn new(store_id: [u8; 16], now_secs: u32) -> Self {
        Self {
            store_id,
            now_secs,
            head: None,
        }
    }

    /// Takes the entries of every archive that is whole.
    pub(in crate::engine) fn archives(
        &mut self,
        remains: &RawStore,
        writing: &mut Writing,
        report: &mut SalvageReport,
    ) -> Result<()> {
        let archives = remains.directory.archives.list();
        for segment in archives.while_doing("listing the audit archives")? {
            match self.open_archive(remains, segment) {
                Ok(archive) => self.archive(&archive, writing, report)?,
                Err(what) => add_place(report, segment, &what),
            }
        }
        Ok(())
    }

    /// An archive of this store, or the reason why it is not one.
    fn open_archive(&self, remains: &RawStore, segment: u64) -> Result<Archive, String> {
        let bytes = remains.directory.archives.read(segment);
        let archive = Archive::decode(&bytes.map_err(|error| error.to_string())?);
        match archive {
            Ok(archive) if archive.store_id == self.store_id => Ok(archive),
            Ok(_) => Err("it is of another store".to_owned()),
            Err(_) => Err("damaged".to_owned()),
        }
    }

    fn archive(
        &mut self,
        archive: &Archive,
        writing: &mut Writing,
        report: &mut SalvageReport,
    ) -> Result<()> {
        self.head.get_or_insert(archive.before);
        for wire in audits(&archive.entries) {
            match wire {
                Ok(wire) => self.meet(&wire, writing, report)?,
                Err(_) => add_place(report, archive.segment, "it holds a malformed entry"),
            }
        }
        Ok(())
    }

    /// Takes an entry, unless it was met before or has expired.
    pub(in crate::engine) fn meet(
        &mut self,
        wire: &WireAudit<'_>,
        writing: &mut Writing,
        report: &mut SalvageReport,
    ) -> Result<()> {
        let number = wire.head.number;
        if !self.follow(wire, report) {
            return Ok(());
        }
        let Ok(facts) = wire.facts() else {
            report.lost_audit_entries += 1;
            let what = format!("audit entry {number} is malformed");
            report.places.add(what);
            return Ok(());
        };
        if facts.expires_at <= self.now_secs {
            return Ok(());
        }
        if report.audit_entries == 0 {
            self.begin(number, writing)?;
        }
        report.audit_entries += 1;
        writing.append_audit(&Draft::copy_of(wire, facts.expires_at))
    }

    /// Follows the old chain to an entry; false if that was met before.
    fn follow(&mut self, wire: &WireAudit<'_>, report: &mut SalvageReport) -> bool {
        let number = wire.head.number;
        let before = self.head.unwrap_or_else(|| genesis(&self.store_id));
        let next = before.number.saturating_add(1);
        if number < next {
            return false;
        }
        // The new chain accepts any entries, so this is the last check of the old one.
        if number == next && !wire.follows(&before) {
            report.altered_audit_entries += 1;
            report.places.add(format!(
                "audit entry {number} does not follow the one before it: one of them was changed"
            ));
        }
        note_lost(report, next, number - 1);
        self.head = Some(wire.head);
        true
    }

    /// Checks that it reached the last archived entry. The newest archives may be missing, and without a later
    /// entry nothing else would show that.
    pub(in crate::engine) fn end(&self, archived: Option<u64>, report: &mut SalvageReport) {
        let met = self.head.map_or(0, |head| head.number);
        note_lost(report, met + 1, archived.unwrap_or(0));
    }

    /// The first entry of the new chain says where the others come from.
    fn begin(&self, number: u64, writing: &mut Writing) -> Result<()> {
        let id = hex(&self.store_id);
        let reason = format!("what follows was entry {number} and on of the store {id}");
        let now = Now {
            mono_ms: 0,
            store_secs: self.now_secs,
        };
        let who = (ENGINE, &*reason);
        let facts = store_facts(Transition::Salvaged, Origin::Engine, who, now);
        writing.append_audit(&Draft::new(&facts))
    }
}

fn add_place(report: &mut SalvageReport, segment: u64, what: &str) {
    let place = format!("audit archive {segment:016x}: {what}");
    report.places.add(place);
}

/// Notes the gap between the entries `first` and `last`, if there is one.
fn note_lost(report: &mut SalvageReport, first: u64, last: u64) {
    if first <= last {
        report.lost_audit_entries += last + 1 - first;
        let what = format!("audit entries {first} to {last} are missing or damaged");
        report.places.add(what);
    }
}
