//! Salvage: the newest record of each key that is left, in a new chain of its own.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::engine::sizes::to_u64;
use crate::engine::upkeep::recovery::identity::random;
use crate::engine::upkeep::salvage::manifest::find_manifest;
use crate::engine::upkeep::salvage::trail::Trail;
use crate::engine::upkeep::salvage::writing::Writing;
use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::{Entry, WireRecord, WireRemoval, decode_entry, entries};
use crate::journal::format::frame::{HEADER_BYTES, open_any};
use crate::journal::format::manifest::Manifest;
use crate::journal::log::contract::Log;
use crate::journal::log::raw_store::RawStore;
use crate::journal::salvage::{Arrangement, Piece, take_inventory};
use crate::value::blob::Blob;
use crate::value::digest::Hasher128;
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::locator::Locator;
use crate::value::meter::Meter;
use crate::value::record::{Head, Record, RecordKind};
use crate::value::salvage_options::SalvageOptions;
use crate::value::salvage_report::{Places, SalvageReport};
use crate::value::time::NEVER;

/// The reason of a doubt that takes the place of an outcome without its bytes.
const LOST_BODY: &[u8] = b"salvaged: the outcome is known, its bytes are lost";

/// A salvage under way.
struct Saving<'a> {
    remains: &'a RawStore,
    report: SalvageReport,
    found: Arrangement,
    now_secs: u32,
    hasher: Hasher128,
    /// By the digest of namespace and key: the place of the newest record.
    newest: HashMap<u128, (usize, usize)>,
    /// Records that were removed by their place.
    removed: HashSet<Locator>,
    epoch: u32,
}

impl<'a> Saving<'a> {
    fn new(
        remains: &'a RawStore,
        found: Arrangement,
        places: Places,
        seed_is_lost: bool,
    ) -> Result<Self> {
        let report = SalvageReport {
            frames: to_u64(found.pieces.len()),
            void_frames: found.void_frames,
            foreign_frames: found.foreign_frames,
            lost: found.lost.clone(),
            end_is_known: found.end_is_known,
            is_whole: found.is_whole && !seed_is_lost,
            seed_is_lost,
            places,
            ..SalvageReport::default()
        };
        Ok(Self {
            remains,
            report,
            now_secs: u32::try_from(found.store_ms / 1000).unwrap_or(NEVER),
            hasher: Hasher128::new(random()?),
            newest: HashMap::new(),
            removed: HashSet::new(),
            epoch: found.epoch,
            found,
        })
    }

    /// Finds the newest record of each key.
    fn find_newest(&mut self, manifest: &Manifest, meter: &mut Meter<'_>) -> Result<()> {
        let known: BTreeSet<u32> = manifest.namespaces.iter().map(|entry| entry.id.0).collect();
        let mut unknown = BTreeSet::new();
        for at in 0..self.found.pieces.len() {
            let payload = self.payload(at)?;
            meter.add(u64::from(self.found.pieces[at].bytes));
            for entry in entries(&payload) {
                if let Ok((_, Entry::Removal(removal))) = &entry {
                    self.removal(removal);
                    continue;
                }
                let Some((offset, head, wire)) = self.record(at, entry)? else {
                    continue;
                };
                if !known.contains(&head.namespace.0) {
                    unknown.insert(head.namespace.0);
                }
                self.epoch = self.epoch.max(head.token.epoch());
                self.newest
                    .insert(self.digest(&head, wire.key), (at, offset));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let text = format!(
            "records name namespaces that the manifest lacks, numbers {unknown:?}: name each with SalvageOptions::namespace"
        );
        Err(Error::new(ErrorKind::Damaged, text))
    }

    /// A record and its offset; `None` for a part, and for bytes that do not decode.
    fn record<'b>(
        &mut self,
        at: usize,
        entry: Result<(usize, Entry<'b>), BadRecord>,
    ) -> Result<Option<(usize, Head, WireRecord<'b>)>> {
        let bad = match entry {
            Ok((_, Entry::Part(_) | Entry::Audit(_) | Entry::Removal(_))) => return Ok(None),
            Ok((offset, Entry::Record(wire))) => match wire.head() {
                Ok(head) => return Ok(Some((offset, head, wire))),
                Err(bad) => bad,
            },
            Err(bad) => bad,
        };
        let number = self.found.pieces[at].number;
        if let BadRecord::UnknownKind(kind) = bad {
            let text = format!(
                "frame {number} holds a record of the unknown kind {kind}: salvage with the newer version of hapax that wrote it"
            );
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        self.spoil(format!("frame {number} holds a malformed record"));
        Ok(None)
    }

    /// The record that it removes is not saved, if that is the newest of its key.
    fn removal(&mut self, removal: &WireRemoval) {
        let Ok(head) = removal.head() else { return };
        self.epoch = self.epoch.max(head.token.epoch());
        self.removed.extend(removal.removed());
    }

    fn spoil(&mut self, place: String) {
        self.report.is_whole = false;
        self.report.places.add(place);
    }

    fn digest(&self, head: &Head, key: &[u8]) -> u128 {
        self.hasher.hash(&[&head.namespace.0.to_le_bytes(), key])
    }

    /// The records of a frame, which was whole before.
    fn payload(&self, at: usize) -> Result<Vec<u8>> {
        let piece = self.found.pieces[at];
        let (segment, offset) = (piece.segment, piece.offset);
        let bytes = self.remains.read(segment, offset, piece.bytes);
        let bytes = bytes.while_doing("reading what is left")?;
        let is_same = open_any(&bytes).is_ok_and(|(view, _)| view.checksum == piece.checksum);
        if !is_same {
            let what = format!("frame {} changed while it was read", piece.number);
            return Err(Error::new(ErrorKind::Damaged, what));
        }
        Ok(bytes[HEADER_BYTES..].to_vec())
    }

    /// Writes the newest record of each key, oldest first, and the rest of the audit log.
    fn write(
        &mut self,
        writing: &mut Writing,
        manifest: &Manifest,
        meter: &mut Meter<'_>,
    ) -> Result<()> {
        let mut trail = Trail::new(manifest.store_id, self.now_secs);
        trail.archives(self.remains, writing, &mut self.report)?;
        for at in 0..self.found.pieces.len() {
            let payload = self.payload(at)?;
            meter.add(u64::from(self.found.pieces[at].bytes));
            // The first pass has reported malformed records.
            for (offset, entry) in entries(&payload).flatten() {
                match entry {
                    Entry::Audit(wire) => trail.meet(&wire, writing, &mut self.report)?,
                    Entry::Record(wire) => {
                        let saved = self.saved((at, offset), wire)?;
                        saved.map_or(Ok(()), |record| writing.append(&record))?;
                    }
                    Entry::Part(_) | Entry::Removal(_) => {}
                }
            }
        }
        trail.end(self.found.archived, &mut self.report);
        Ok(())
    }

    fn is_newest(&self, place: (usize, usize), head: &Head, key: &[u8]) -> bool {
        let frame = self.found.pieces[place.0].number;
        let is_removed = u16::try_from(place.1)
            .is_ok_and(|offset| self.removed.contains(&Locator { frame, offset }));
        self.newest.get(&self.digest(head, key)) == Some(&place) && !is_removed
    }

    /// The record that is saved; `None` if there is a newer one, or its key is absent.
    fn saved(&mut self, place: (usize, usize), wire: WireRecord<'_>) -> Result<Option<Record>> {
        let Ok(head) = wire.head() else {
            return Ok(None);
        };
        if !self.is_newest(place, &head, wire.key) || head.kind == RecordKind::Forgotten {
            return Ok(None);
        }
        if head.expires_at <= self.now_secs {
            self.report.expired_keys += 1;
            return Ok(None);
        }
        let whole = self.whole(place.0, wire)?;
        let mut record = whole.unwrap_or_else(|| self.without_body(place.0, head, wire));
        if self.report.seed_is_lost {
            record.fingerprint = None;
        }
        let report = &mut self.report;
        *match record.head.kind {
            RecordKind::Completed => &mut report.completed_keys,
            RecordKind::Failed => &mut report.failed_keys,
            RecordKind::InDoubt => &mut report.keys_in_doubt,
            _ => &mut report.unfinished_keys,
        } += 1;
        Ok(Some(record))
    }

    /// A record with its body; `None` if that is missing or damaged.
    fn whole(&self, at: usize, wire: WireRecord<'_>) -> Result<Option<Record>> {
        let body = match wire.body_frames {
            0 => None,
            frames => match self.body(at, frames)? {
                None => return Ok(None),
                body => body,
            },
        };
        Ok(wire.to_record(body).ok())
    }

    fn without_body(&mut self, at: usize, head: Head, wire: WireRecord<'_>) -> Record {
        let number = self.found.pieces[at].number;
        self.report.lost_bodies += 1;
        self.spoil(format!(
            "frame {number}: the body of a record is missing or damaged; its key is in doubt"
        ));
        in_doubt(head, wire)
    }

    /// The body that lies in the frames directly before one.
    fn body(&self, at: usize, frames: u32) -> Result<Option<Vec<u8>>> {
        let first = usize::try_from(frames)
            .ok()
            .and_then(|frames| at.checked_sub(frames));
        let Some(first) = first else { return Ok(None) };
        let follow = |pair: &[Piece]| pair[0].precedes(&pair[1]);
        if !self.found.pieces[first..=at].windows(2).all(follow) {
            return Ok(None);
        }
        let mut body = Vec::new();
        for (index, at) in (0..).zip(first..at) {
            let payload = self.payload(at)?;
            match decode_entry(&payload) {
                Ok((Entry::Part(part), _)) if part.index == index => {
                    body.extend_from_slice(part.bytes);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(body))
    }
}

/// Saves the remains of a store into an empty log.
pub(crate) fn salvage(
    remains: &RawStore,
    target: &Arc<dyn Log>,
    options: &SalvageOptions,
    meter: &mut Meter<'_>,
) -> Result<SalvageReport> {
    let mut inventory = take_inventory(remains, meter)?;
    let (manifest, seed_is_lost) = find_manifest(remains, &mut inventory, options)?;
    let (found, places) = Arrangement::of(inventory, &manifest.store_id);
    let mut saving = Saving::new(remains, found, places, seed_is_lost)?;
    let pieces = saving.found.pieces.iter();
    let bytes: u64 = pieces.map(|piece| u64::from(piece.bytes)).sum();
    meter.expect(meter.done() + 2 * bytes);
    saving.find_newest(&manifest, meter)?;
    let mut writing = Writing::start(target, saving.found.store_ms, saving.epoch)?;
    saving.write(&mut writing, &manifest, meter)?;
    writing.finish(Manifest {
        salvaged: !saving.report.is_whole || manifest.salvaged,
        ..manifest
    })?;
    Ok(saving.report)
}

/// The doubt that takes the place of an outcome without its bytes. An absent key would run again, and another
/// answer would contradict the one that was given.
fn in_doubt(head: Head, wire: WireRecord<'_>) -> Record {
    Record {
        head: Head {
            kind: RecordKind::InDoubt,
            expires_at: NEVER,
            body_omitted: false,
            ..head
        },
        key: wire.key.into(),
        fingerprint: wire.fingerprint().unwrap_or_default(),
        metadata: wire.metadata().into(),
        reason: LOST_BODY.into(),
        body: Blob::EMPTY,
    }
}
