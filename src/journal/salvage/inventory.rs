//! [`Inventory`]: everything that is left of a store.

use std::collections::BTreeMap;

use crate::journal::format::frame::BadFrame;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::raw_store::{Finding, RawSegment, RawStore};
use crate::journal::salvage::piece::Piece;
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::meter::Meter;
use crate::value::salvage_report::Places;

/// Everything that is left, of any store.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// The frames of each store.
    pub(super) pieces: BTreeMap<[u8; 16], Vec<Piece>>,
    pub(super) links: Vec<Link>,
    pub(super) marks: Vec<Marks>,
    pub(crate) places: Places,
}

/// Looks through everything that is left.
pub(crate) fn take_inventory(store: &RawStore, meter: &mut Meter<'_>) -> Result<Inventory> {
    let mut inventory = Inventory::default();
    for slot in 0..2 {
        let bytes = store.directory.read_marks(slot).unwrap_or_default();
        match Marks::decode(&bytes) {
            Some(marks) => inventory.marks.push(marks),
            None => inventory
                .places
                .add(format!("MARKS: slot {slot} is missing or damaged")),
        }
    }
    let segments = store.segments().while_doing("reading the segments")?;
    let bytes = |segment: &RawSegment| store.bytes(*segment);
    // Frames that are saved are read twice more.
    meter.expect(3 * segments.iter().map(bytes).sum::<u64>());
    for segment in segments {
        inventory.add_link(store, segment);
        inventory.add_frames(store, segment)?;
        meter.add(store.bytes(segment));
    }
    Ok(inventory)
}

impl Inventory {
    fn add_link(&mut self, store: &RawStore, segment: RawSegment) {
        let link = store.link(segment);
        let segment = segment.number;
        match link.ok().and_then(|bytes| Link::decode(&bytes)) {
            Some(link) if link.segment == segment => self.links.push(link),
            Some(link) => {
                let what = format!(
                    "segment {segment:016x}: its ready marker is that of segment {:016x}",
                    link.segment
                );
                self.places.add(what);
                self.links.push(link);
            }
            None => self.places.add(format!(
                "segment {segment:016x}: its ready marker is missing or damaged"
            )),
        }
    }

    fn add_frames(&mut self, store: &RawStore, segment: RawSegment) -> Result<()> {
        let mut newer = None;
        let scanned = store.scan(segment, &mut |offset, finding| match finding {
            Finding::Frame(view, bytes) => {
                let pieces = self.pieces.entry(view.header.store_id).or_default();
                pieces.push(Piece::new(view, segment, offset, *bytes));
            }
            Finding::Bad(BadFrame::NewerFormat) => newer = Some(offset),
            Finding::Bad(_) => self
                .places
                .add(format!("{segment} at {offset}: a damaged frame")),
            Finding::Unreadable(error) => self
                .places
                .add(format!("{segment} at {offset}: cannot be read: {error}")),
        });
        if let Some(offset) = newer {
            let text = format!(
                "{segment} at {offset}: a frame was written by a newer version of hapax: salvage with that version"
            );
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        if let Err(error) = scanned {
            self.places.add(format!("{segment}: {error}"));
        }
        Ok(())
    }

    /// The store that most of the frames belong to, if there is no manifest to tell.
    pub(crate) fn likely_store(&self) -> Option<[u8; 16]> {
        let by_frames = self.pieces.iter().max_by_key(|(_, pieces)| pieces.len());
        by_frames
            .map(|(id, _)| *id)
            .or(self.marks.first().map(|marks| marks.store_id))
            .or(self.links.first().map(|link| link.store_id))
    }

    /// Whether anything that is left belongs to this store, or nothing is left at all.
    pub(crate) fn knows(&self, store_id: &[u8; 16]) -> bool {
        let frames = self.pieces.keys();
        let links = self.links.iter().map(|link| &link.store_id);
        let mut ids = frames
            .chain(links)
            .chain(self.marks.iter().map(|marks| &marks.store_id))
            .peekable();
        ids.peek().is_none() || ids.any(|id| id == store_id)
    }
}
