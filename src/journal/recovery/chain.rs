//! [`Chain`]: the segments of a journal, linked to each other.

use crate::journal::damage::damaged;
use crate::journal::format::marks::{Link, Marks, SEGMENT_NUMBER_MAX};
use crate::journal::log::contract::Log;
use crate::value::doing::Doing;
use crate::value::error::Result;

/// The segments of a log.
pub(super) struct Chain {
    /// Those that count, oldest first.
    pub(super) segments: Vec<Link>,
    /// Those below the low mark: a crash came before they were removed.
    pub(super) dead: Vec<u64>,
}

/// The links of the segments that count, checked against the marks and each other.
pub(super) fn chain(log: &dyn Log, marks: &Marks) -> Result<Chain> {
    let numbers = log.segments().while_doing("reading the segments")?;
    let (dead, counting): (Vec<u64>, Vec<u64>) = numbers
        .into_iter()
        .partition(|number| *number < marks.low.segment);
    let mut segments = Vec::new();
    for (number, expected) in counting.into_iter().zip(marks.low.segment..) {
        segments.push(read_link(log, marks, number, expected)?);
    }
    match segments.first() {
        Some(first) if (first.before, first.checksum) != (marks.low.before, marks.low.checksum) => {
            Err(damaged(
                "the oldest segment",
                "it does not begin where the marks say that the log begins",
            ))
        }
        None if marks.durable > marks.low.before => {
            Err(damaged("the log", "all of its segments are missing"))
        }
        _ => Ok(Chain { segments, dead }),
    }
}

/// The link of a segment, where the segment of the number `expected` should be.
fn read_link(log: &dyn Log, marks: &Marks, number: u64, expected: u64) -> Result<Link> {
    let place = format!("segment {number:016x}");
    let bytes = log.read_link(number).while_doing("reading the segments")?;
    let link =
        Link::decode(&bytes).ok_or_else(|| damaged(&place, "its ready marker is damaged"))?;
    if link.store_id != marks.store_id {
        return Err(damaged(&place, "it belongs to another store"));
    }
    if link.segment != number || number != expected || number > SEGMENT_NUMBER_MAX {
        let what = format!("segment {expected:016x} should be here");
        return Err(damaged(&place, &what));
    }
    Ok(link)
}
