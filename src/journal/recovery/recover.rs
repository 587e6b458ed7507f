//! Reads every valid frame of a journal.

use crate::journal::damage::damaged;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::contract::Log;
use crate::journal::recovery::chain::{Chain, chain};
use crate::journal::recovery::found::FoundLog;
use crate::journal::recovery::segment_scan::SegmentScan;
use crate::journal::recovery::visitor::Visitor;
use crate::value::doing::Doing;
use crate::value::error::Result;

/// Reads every valid frame, oldest first.
pub(crate) fn recover(log: &dyn Log, marks: &Marks, visitor: &mut dyn Visitor) -> Result<FoundLog> {
    if !marks.is_plausible() {
        return Err(damaged(
            "the marks",
            "they contain numbers that no store can reach",
        ));
    }
    let Chain { segments, dead } = chain(log, marks)?;
    let found = read_segments(log, marks, &segments, visitor)?;
    if found.last < marks.durable {
        let what = format!(
            "the log ends at frame {}, but frame {} was durable",
            found.last, marks.durable
        );
        return Err(damaged("the end of the log", &what));
    }
    // Only now: in a damaged store a dead segment may hold what is missing elsewhere.
    for number in dead {
        log.remove(number).while_doing("removing a dead segment")?;
    }
    Ok(found)
}

fn read_segments(
    log: &dyn Log,
    marks: &Marks,
    segments: &[Link],
    visitor: &mut dyn Visitor,
) -> Result<FoundLog> {
    let mut found = FoundLog {
        segments: Vec::new(),
        last: marks.low.before,
        checksum: marks.low.checksum,
        epoch: marks.epoch,
        store_secs: 0,
        torn_frames: 0,
        audit: None,
    };
    for (at, link) in segments.iter().enumerate() {
        let until = segments.get(at + 1).map(|next| next.before);
        SegmentScan::new(marks, *link, until, &mut found, visitor).run(log)?;
    }
    Ok(found)
}
