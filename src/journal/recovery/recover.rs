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
pub(crate) fn recover<V: Visitor>(
    log: &dyn Log,
    marks: &Marks,
    visitor: &mut V,
) -> Result<FoundLog> {
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

fn read_segments<V: Visitor>(
    log: &dyn Log,
    marks: &Marks,
    segments: &[Link],
    visitor: &mut V,
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
    if let Some(first) = segments.first() {
        log.read_ahead(first.segment, 0, u64::MAX);
    }
    for (at, link) in segments.iter().enumerate() {
        let next = segments.get(at + 1);
        SegmentScan::new(marks, *link, next, &mut found, visitor).run(log)?;
    }
    Ok(found)
}
