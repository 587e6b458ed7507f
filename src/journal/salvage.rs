//! Salvage: which frames are left of a journal, and which of them count.
//!
//! Unlike recovery, it goes on past whatever is missing; like it, it believes nothing but checksums,
//! and it knows for each gap that there is one.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::journal::format::frame::{BadFrame, FrameView};
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::raw_store::{Finding, RawSegment, RawStore};
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::progress::Meter;
use crate::value::salvage_report::Places;

/// A frame that is whole, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) number: u64,
    pub(crate) epoch: u32,
    pub(crate) store_secs: u32,
    durable: u64,
    pub(crate) checksum: u64,
    pub(crate) previous: u64,
    pub(crate) place: RawSegment,
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
}

/// Everything that is left, before anything is known of which store it is.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// The frames of each store.
    pieces: BTreeMap<[u8; 16], Vec<Piece>>,
    links: Vec<Link>,
    marks: Vec<Marks>,
    pub(crate) places: Places,
}

/// The frames that count, and what is missing between them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Ascending by number, each number once.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) lost: Vec<RangeInclusive<u64>>,
    pub(crate) void_frames: u64,
    pub(crate) foreign_frames: u64,
    pub(crate) end_is_known: bool,
    /// All of it holds together, from the low mark to the durable one.
    pub(crate) is_whole: bool,
    pub(crate) epoch: u32,
    pub(crate) store_ms: u64,
    /// The last audit entry that went into an archive, where that is known.
    pub(crate) archived: Option<u64>,
}

/// Looks through everything that is left.
pub(crate) fn take_inventory(remains: &RawStore, meter: &mut Meter<'_>) -> Result<Inventory> {
    let mut inventory = Inventory::default();
    for slot in 0..2 {
        let bytes = remains.directory.read_marks(slot).unwrap_or_default();
        match Marks::decode(&bytes) {
            Some(marks) => inventory.marks.push(marks),
            None => inventory
                .places
                .add(format!("MARKS: slot {slot} is missing or damaged")),
        }
    }
    let segments = remains
        .segments()
        .map_err(|error| Error::io("reading the segments", error))?;
    let bytes = |place: &RawSegment| remains.bytes(*place);
    // What is saved is read twice more.
    meter.expect(3 * segments.iter().map(bytes).sum::<u64>());
    for place in segments {
        inventory.link(remains, place);
        inventory.segment(remains, place)?;
        meter.add(remains.bytes(place));
    }
    Ok(inventory)
}

impl Inventory {
    fn link(&mut self, remains: &RawStore, place: RawSegment) {
        let segment = place.number;
        let link = remains.link(place);
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

    fn segment(&mut self, remains: &RawStore, place: RawSegment) -> Result<()> {
        let mut newer = None;
        let scanned = remains.scan(place, &mut |offset, remain| match remain {
            Finding::Frame(view, bytes) => {
                let pieces = self.pieces.entry(view.header.store_id).or_default();
                pieces.push(Piece::new(view, place, offset, *bytes));
            }
            Finding::Bad(BadFrame::NewerFormat) => newer = Some(offset),
            Finding::Bad(_) => self
                .places
                .add(format!("{place} at {offset}: a frame that is damaged")),
            Finding::Unreadable(error) => self
                .places
                .add(format!("{place} at {offset}: cannot be read: {error}")),
        });
        if let Some(offset) = newer {
            let text = format!(
                "{place} at {offset}: a frame was written by a newer version of hapax: salvage with that version"
            );
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        if let Err(error) = scanned {
            self.places.add(format!("{place}: {error}"));
        }
        Ok(())
    }

    /// The store of which most is left, for want of a manifest.
    pub(crate) fn likely_store(&self) -> Option<[u8; 16]> {
        let by_frames = self.pieces.iter().max_by_key(|(_, pieces)| pieces.len());
        by_frames
            .map(|(id, _)| *id)
            .or(self.marks.first().map(|marks| marks.store_id))
            .or(self.links.first().map(|link| link.store_id))
    }

    /// Whether anything that is left is of this store, or nothing is left at all.
    pub(crate) fn knows(&self, store_id: &[u8; 16]) -> bool {
        let frames = self.pieces.keys();
        let links = self.links.iter().map(|link| &link.store_id);
        let mut ids = frames
            .chain(links)
            .chain(self.marks.iter().map(|marks| &marks.store_id))
            .peekable();
        ids.peek().is_none() || ids.any(|id| id == store_id)
    }

    /// Puts the frames of one store in order, and finds out what is missing.
    pub(crate) fn arrange(mut self, store_id: &[u8; 16]) -> (Found, Places) {
        let pieces = self.pieces.remove(store_id).unwrap_or_default();
        let foreign_frames: usize = self.pieces.values().map(Vec::len).sum();
        self.links.retain(|link| link.store_id == *store_id);
        let slots = self.marks.len();
        self.marks.retain(|marks| marks.store_id == *store_id);
        if self.marks.len() < slots {
            self.places
                .add("MARKS: they are of another store".to_owned());
        }
        let marks = self.marks.iter().reduce(|newest, other| {
            if other.is_after(newest) {
                other
            } else {
                newest
            }
        });
        let mut found = Found {
            foreign_frames: u64::try_from(foreign_frames).unwrap_or(u64::MAX),
            // One slot alone may be the older one.
            end_is_known: self.marks.len() == 2,
            epoch: marks.map_or(0, |marks| marks.epoch),
            store_ms: marks.map_or(0, |marks| marks.store_ms),
            archived: marks.and_then(|marks| marks.archived.number()),
            ..Found::default()
        };
        found.pieces = choose(pieces, marks, &mut found.void_frames);
        for piece in &found.pieces {
            found.epoch = found.epoch.max(piece.epoch);
            found.store_ms = found.store_ms.max(u64::from(piece.store_secs) * 1000);
        }
        found.lost = missing(&found.pieces, marks, &self.links);
        let mut places = self.places;
        for range in &found.lost {
            places.add(name_range(range, &self.links));
        }
        let torn = contradictions(&found.pieces, marks, &self.links, &mut places);
        found.is_whole = found.end_is_known && found.lost.is_empty() && !torn;
        (found, places)
    }
}

impl Piece {
    fn new(view: &FrameView<'_>, place: RawSegment, offset: u64, bytes: u32) -> Self {
        let header = &view.header;
        Self {
            number: header.number,
            epoch: header.epoch,
            store_secs: header.store_secs,
            durable: header.durable,
            checksum: view.checksum,
            previous: header.previous,
            place,
            offset,
            bytes,
        }
    }

    /// Whether `self` is the frame directly before `next`.
    pub(crate) fn precedes(&self, next: &Self) -> bool {
        self.number + 1 == next.number && self.checksum == next.previous
    }
}

/// One frame for each number, without those that a crash made void: a later run took their
/// numbers again, and runs have ascending epochs.
fn choose(mut pieces: Vec<Piece>, marks: Option<&Marks>, void_frames: &mut u64) -> Vec<Piece> {
    let before = marks.map_or(0, |marks| marks.low.before);
    // What lies below the low mark is dead: a crash came before its segment was removed.
    pieces.retain(|piece| piece.number > before);
    pieces.sort_unstable_by_key(|piece| (piece.number, piece.checksum, piece.place));
    pieces.dedup_by_key(|piece| (piece.number, piece.checksum));
    let all = pieces.len();
    let (mut epoch, mut at) = (0, 0);
    let mut newest: Vec<Piece> = Vec::with_capacity(all);
    for group in pieces.chunk_by(|a, b| a.number == b.number) {
        epoch = group.iter().map(|piece| piece.epoch).fold(epoch, u32::max);
        newest.extend(group.iter().filter(|piece| piece.epoch == epoch));
    }
    *void_frames = u64::try_from(all - newest.len()).unwrap_or(u64::MAX);
    let mut chosen: Vec<Piece> = Vec::with_capacity(newest.len());
    while at < newest.len() {
        let number = newest[at].number;
        let end = at + newest[at..].partition_point(|piece| piece.number == number);
        let after = &newest[end..];
        let after = &after[..after.partition_point(|piece| piece.number == number + 1)];
        // Two lives of one store, mixed: the frame that its neighbours know.
        let known = |piece: &&Piece| {
            let below = chosen.last().is_some_and(|last| last.precedes(piece));
            let above = after.iter().any(|next| piece.precedes(next));
            usize::from(below) + usize::from(above)
        };
        let best = newest[at..end].iter().max_by_key(known).copied();
        chosen.extend(best);
        at = end;
    }
    chosen
}

/// The frames that were there, by all that is left, and are not.
fn missing(pieces: &[Piece], marks: Option<&Marks>, links: &[Link]) -> Vec<RangeInclusive<u64>> {
    let first_link = links.iter().map(|link| link.before).min();
    let first_piece = pieces.first().map(|piece| piece.number - 1);
    let before = marks
        .map(|marks| marks.low.before)
        .or(first_link.into_iter().chain(first_piece).min());
    let ends = links.iter().map(|link| link.before);
    let ends = ends.chain(
        pieces
            .iter()
            .flat_map(|piece| [piece.durable, piece.number]),
    );
    let end = ends.chain(marks.map(|marks| marks.durable)).max();
    let mut lost = Vec::new();
    let mut next = before.map_or(1, |before| before + 1);
    for piece in pieces {
        if piece.number > next {
            lost.push(next..=piece.number - 1);
        }
        next = piece.number + 1;
    }
    match end {
        Some(end) if end >= next => lost.push(next..=end),
        _ => {}
    }
    lost
}

fn name_range(range: &RangeInclusive<u64>, links: &[Link]) -> String {
    let (first, last) = (range.start(), range.end());
    let home = links
        .iter()
        .filter(|link| link.before < *first)
        .max_by_key(|link| link.before)
        .map_or_else(String::new, |link| {
            format!(", from segment {:016x} on", link.segment)
        });
    format!("frames {first} to {last} are missing or damaged{home}")
}

/// Tells where frames that are whole do not fit together, or the marks or links do not fit them.
fn contradictions(
    pieces: &[Piece],
    marks: Option<&Marks>,
    links: &[Link],
    places: &mut Places,
) -> bool {
    let mut torn = false;
    let mut contradict = |what: String| {
        torn = true;
        places.add(what);
    };
    for pair in pieces.windows(2) {
        if pair[0].number + 1 == pair[1].number && !pair[0].precedes(&pair[1]) {
            contradict(format!(
                "{} at {}: frame {} does not follow the frame {} that is left",
                pair[1].place, pair[1].offset, pair[1].number, pair[0].number
            ));
        }
    }
    let checksum_of = |number: u64| {
        let at = pieces.binary_search_by_key(&number, |piece| piece.number);
        at.ok().map(|at| pieces[at].checksum)
    };
    if let Some(marks) = marks {
        if checksum_of(marks.durable).is_some_and(|there| there != marks.durable_checksum) {
            let number = marks.durable;
            contradict(format!(
                "MARKS: frame {number} is not the one that they call durable"
            ));
        }
        let first = pieces
            .first()
            .filter(|first| first.number == marks.low.before + 1);
        if first.is_some_and(|first| first.previous != marks.low.checksum) {
            contradict("MARKS: the first frame does not follow the low mark".to_owned());
        }
    }
    for link in links {
        if checksum_of(link.before).is_some_and(|there| there != link.checksum) {
            contradict(format!(
                "segment {:016x}: the frame {} that it follows is another one",
                link.segment, link.before
            ));
        }
    }
    torn
}
