//! [`Arrangement`]: the frames of one store in order, and what is missing between them.

use std::ops::RangeInclusive;

use crate::journal::format::marks::{Link, Marks};
use crate::journal::salvage::contradictions::contradictions;
use crate::journal::salvage::inventory::Inventory;
use crate::journal::salvage::piece::Piece;
use crate::value::salvage_report::Places;

/// The frames that count, and what is missing between them.
#[derive(Debug, Default)]
pub(crate) struct Arrangement {
    /// Ascending by number, each number once.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) lost: Vec<RangeInclusive<u64>>,
    pub(crate) void_frames: u64,
    pub(crate) foreign_frames: u64,
    pub(crate) end_is_known: bool,
    /// The frames are complete and consistent, from the low mark to the durable position.
    pub(crate) is_whole: bool,
    pub(crate) epoch: u32,
    pub(crate) store_ms: u64,
    /// The last audit entry that went into an archive, if that is known.
    pub(crate) archived: Option<u64>,
}

impl Arrangement {
    /// Puts the frames of one store in order, and finds out what is missing.
    pub(crate) fn of(mut inventory: Inventory, store_id: &[u8; 16]) -> (Self, Places) {
        let pieces = inventory.pieces.remove(store_id).unwrap_or_default();
        let foreign_frames: usize = inventory.pieces.values().map(Vec::len).sum();
        drop_foreign_marks(&mut inventory, store_id);
        let links = inventory.links;
        // One slot alone may be the older one.
        let end_is_known = inventory.marks.len() == 2;
        let marks = inventory.marks.into_iter().reduce(|newest, other| {
            if other.is_after(&newest) {
                other
            } else {
                newest
            }
        });
        let mut places = inventory.places;
        let (pieces, void_frames) = choose(pieces, marks.as_ref());
        let lost = missing(&pieces, marks.as_ref(), &links);
        for range in &lost {
            places.add(name_range(range, &links));
        }
        let is_torn = contradictions(&pieces, marks.as_ref(), &links, &mut places);
        let epochs = pieces.iter().map(|piece| piece.epoch);
        let times = pieces
            .iter()
            .map(|piece| u64::from(piece.store_secs) * 1000);
        let arrangement = Self {
            epoch: epochs.fold(marks.map_or(0, |marks| marks.epoch), u32::max),
            store_ms: times.fold(marks.map_or(0, |marks| marks.store_ms), u64::max),
            archived: marks.and_then(|marks| marks.archived.number()),
            void_frames,
            foreign_frames: u64::try_from(foreign_frames).unwrap_or(u64::MAX),
            end_is_known,
            is_whole: end_is_known && lost.is_empty() && !is_torn,
            pieces,
            lost,
        };
        (arrangement, places)
    }
}

/// Keeps only the links and marks of this store.
fn drop_foreign_marks(inventory: &mut Inventory, store_id: &[u8; 16]) {
    inventory.links.retain(|link| link.store_id == *store_id);
    let slots = inventory.marks.len();
    inventory.marks.retain(|marks| marks.store_id == *store_id);
    if inventory.marks.len() < slots {
        let what = "MARKS: they belong to another store".to_owned();
        inventory.places.add(what);
    }
}

/// One frame for each number, without those that a crash made void: a later run has used their numbers
/// again, with a higher epoch.
fn choose(mut pieces: Vec<Piece>, marks: Option<&Marks>) -> (Vec<Piece>, u64) {
    let before = marks.map_or(0, |marks| marks.low.before);
    // Frames below the low mark are dead: a crash came before their segment was removed.
    pieces.retain(|piece| piece.number > before);
    pieces.sort_unstable_by_key(|piece| (piece.number, piece.checksum, piece.segment));
    pieces.dedup_by_key(|piece| (piece.number, piece.checksum));
    let newest = newest_epochs(&pieces);
    let void_frames = u64::try_from(pieces.len() - newest.len()).unwrap_or(u64::MAX);
    let mut chosen: Vec<Piece> = Vec::with_capacity(newest.len());
    let mut at = 0;
    while at < newest.len() {
        let number = newest[at].number;
        let end = at + newest[at..].partition_point(|piece| piece.number == number);
        let after = &newest[end..];
        let after = &after[..after.partition_point(|piece| piece.number == number + 1)];
        // If two copies of one store are mixed: the frame that its neighbours link to.
        let known = |piece: &&Piece| {
            let below = chosen.last().is_some_and(|last| last.precedes(piece));
            let above = after.iter().any(|next| piece.precedes(next));
            usize::from(below) + usize::from(above)
        };
        let best = newest[at..end].iter().max_by_key(known).copied();
        chosen.extend(best);
        at = end;
    }
    (chosen, void_frames)
}

/// The frames of the highest epoch of their number, and of no lower epoch than the frames before.
fn newest_epochs(pieces: &[Piece]) -> Vec<Piece> {
    let mut epoch = 0;
    let mut newest = Vec::with_capacity(pieces.len());
    for group in pieces.chunk_by(|a, b| a.number == b.number) {
        epoch = group.iter().map(|piece| piece.epoch).fold(epoch, u32::max);
        newest.extend(group.iter().filter(|piece| piece.epoch == epoch));
    }
    newest
}

/// The frames that must have existed, by everything that is left, and are missing.
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
