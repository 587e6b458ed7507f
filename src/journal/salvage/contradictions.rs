//! Where the frames that are left, the marks and the links contradict each other.

use crate::journal::format::marks::{Link, Marks};
use crate::journal::salvage::piece::Piece;
use crate::value::salvage_report::Places;

/// Adds a place of damage for each contradiction; returns whether there is one.
pub(super) fn contradictions(
    pieces: &[Piece],
    marks: Option<&Marks>,
    links: &[Link],
    places: &mut Places,
) -> bool {
    let mut found = between_frames(pieces);
    if let Some(marks) = marks {
        found.extend(of_marks(pieces, marks));
    }
    found.extend(links.iter().filter_map(|link| of_link(pieces, link)));
    let is_torn = !found.is_empty();
    found.into_iter().for_each(|what| places.add(what));
    is_torn
}

fn between_frames(pieces: &[Piece]) -> Vec<String> {
    let contradict =
        |pair: &&[Piece]| pair[0].number + 1 == pair[1].number && !pair[0].precedes(&pair[1]);
    let pairs = pieces.windows(2).filter(contradict);
    let told = pairs.map(|pair| {
        format!(
            "{} at {}: frame {} does not follow the frame {} that is left",
            pair[1].segment, pair[1].offset, pair[1].number, pair[0].number
        )
    });
    told.collect()
}

fn of_marks(pieces: &[Piece], marks: &Marks) -> Vec<String> {
    let mut found = Vec::new();
    if checksum_of(pieces, marks.durable).is_some_and(|there| there != marks.durable_checksum) {
        let number = marks.durable;
        found.push(format!(
            "MARKS: frame {number} is not the one that they call durable"
        ));
    }
    let first = pieces
        .first()
        .filter(|first| first.number == marks.low.before + 1);
    if first.is_some_and(|first| first.previous != marks.low.checksum) {
        found.push("MARKS: the first frame does not follow the low mark".to_owned());
    }
    found
}

fn of_link(pieces: &[Piece], link: &Link) -> Option<String> {
    let is_other = checksum_of(pieces, link.before).is_some_and(|there| there != link.checksum);
    is_other.then(|| {
        format!(
            "segment {:016x}: it does not follow the frame {} that is left",
            link.segment, link.before
        )
    })
}

fn checksum_of(pieces: &[Piece], number: u64) -> Option<u64> {
    let at = pieces.binary_search_by_key(&number, |piece| piece.number);
    at.ok().map(|at| pieces[at].checksum)
}
