//! Reading the journal at open: the chain is checked link by link, and damage is never skipped.

use crate::journal::format::audit::entry::{Facts, WireAudit};
use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec;
use crate::journal::format::codec::{Entry, WireRecord, WireRemoval};
use crate::journal::format::frame::{BadFrame, FRAME_NUMBER_MAX, FrameView, open_frame};
use crate::journal::format::marks::{Link, Marks, SEGMENT_NUMBER_MAX};
use crate::journal::log::contract::Log;
use crate::value::audit::AuditHead;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::EPOCH_END;
use crate::value::locator::Locator;
use crate::value::record::Head;

/// A segment as it was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundSegment {
    pub(crate) number: u64,
    pub(crate) first_frame: u64,
}

/// Where the journal ends, and what it says of the store's past.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) segments: Vec<FoundSegment>,
    /// The last valid frame and its checksum.
    pub(crate) last: u64,
    pub(crate) checksum: u64,
    pub(crate) epoch: u32,
    pub(crate) store_secs: u32,
    /// Frames after the last valid one, which nobody was told were durable.
    pub(crate) torn_frames: u64,
    /// The last audit entry that was met.
    pub(crate) audit: Option<AuditHead>,
}

impl Found {
    /// Each segment, with the last of its frames that counts; it has none where that is before its
    /// first one.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (FoundSegment, u64)> {
        self.segments.iter().enumerate().map(|(at, segment)| {
            let next = self.segments.get(at + 1);
            let last = next.map_or(self.last, |next| next.first_frame - 1);
            (*segment, last)
        })
    }
}

impl FoundSegment {
    /// How many frames it has up to this one.
    pub(crate) fn frames_to(&self, last: u64) -> u32 {
        u32::try_from((last + 1).saturating_sub(self.first_frame)).unwrap_or(u32::MAX)
    }
}

/// What recovery meets, in log order.
pub(crate) trait Visitor {
    /// A segment begins.
    fn segment(&mut self, segment: FoundSegment);
    /// A frame of the newest segment, with the bytes of its records.
    fn frame(&mut self, payload_bytes: usize);
    /// A record of the newest segment.
    fn record(
        &mut self,
        segment: u64,
        head: Head,
        record: &WireRecord<'_>,
        locator: Locator,
    ) -> Result<()>;
    /// A removal in the newest segment, the place of the record that it removes, and the bytes that it
    /// takes.
    fn removal(
        &mut self,
        segment: u64,
        head: Head,
        removed: Option<Locator>,
        at: Locator,
        bytes: usize,
    );
    /// An audit entry of the newest segment, and the bytes that it takes.
    fn audit(&mut self, segment: u64, number: u64, facts: &Facts<'_>, bytes: usize);
}

/// The place of a fault, for the error.
fn damaged(place: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "{place}: {what}; nothing was changed: restore a backup, or save what is left with Store::salvage"
        ),
    )
}

fn place(frame: u64, offset: usize) -> Locator {
    Locator {
        frame,
        offset: u16::try_from(offset).expect("a payload is under 64 KiB"),
    }
}

/// Reads every valid frame, oldest first.
pub(crate) fn recover(log: &dyn Log, marks: &Marks, visitor: &mut dyn Visitor) -> Result<Found> {
    if !marks.is_plausible() {
        return Err(damaged(
            "the marks",
            "they name places where no store can have come",
        ));
    }
    let Chain { segments, dead } = chain(log, marks)?;
    let mut found = Found {
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
        let scan = Scan {
            marks,
            link: *link,
            until,
            found: &mut found,
            visitor,
            error: None,
            ended: false,
            parts: 0,
        };
        scan.run(log)?;
    }
    if found.last < marks.durable {
        let what = format!(
            "the log ends at frame {}, but frame {} was durable",
            found.last, marks.durable
        );
        return Err(damaged("the end of the log", &what));
    }
    // Only now: in a damaged store, what lies in a dead segment may be what is missing elsewhere.
    for number in dead {
        log.remove(number)
            .map_err(|error| Error::io("removing a dead segment", error))?;
    }
    Ok(found)
}

/// The segments that there are.
struct Chain {
    /// Those that count, oldest first.
    segments: Vec<Link>,
    /// Those below the low mark: a crash came before they were removed.
    dead: Vec<u64>,
}

/// The links of the segments that count, checked against the marks and each other.
fn chain(log: &dyn Log, marks: &Marks) -> Result<Chain> {
    let doing = "reading the segments";
    let numbers = log.segments().map_err(|error| Error::io(doing, error))?;
    let (mut links, mut dead) = (Vec::new(), Vec::new());
    for number in numbers {
        if number < marks.low.segment {
            dead.push(number);
            continue;
        }
        let place = format!("segment {number:016x}");
        let bytes = log
            .read_link(number)
            .map_err(|error| Error::io(doing, error))?;
        let link =
            Link::decode(&bytes).ok_or_else(|| damaged(&place, "its ready marker is damaged"))?;
        if link.store_id != marks.store_id {
            return Err(damaged(&place, "it belongs to another store"));
        }
        let expected = marks.low.segment + u64::try_from(links.len()).expect("segments are few");
        if link.segment != number || number != expected || number > SEGMENT_NUMBER_MAX {
            return Err(damaged(
                &place,
                &format!("segment {expected:016x} should stand here"),
            ));
        }
        links.push(link);
    }
    match links.first() {
        Some(first) if (first.before, first.checksum) != (marks.low.before, marks.low.checksum) => {
            Err(damaged(
                "the oldest segment",
                "it does not begin where the marks say that the log begins",
            ))
        }
        None if marks.durable > marks.low.before => {
            Err(damaged("the log", "all of its segments are missing"))
        }
        _ => Ok(Chain {
            segments: links,
            dead,
        }),
    }
}

/// Reads one segment.
struct Scan<'a> {
    marks: &'a Marks,
    link: Link,
    /// The last frame that the next segment vouches for; what follows it is void.
    until: Option<u64>,
    found: &'a mut Found,
    visitor: &'a mut dyn Visitor,
    error: Option<Error>,
    /// A frame was missing or bad; whatever still comes is only looked at as evidence.
    ended: bool,
    /// Frames directly before this one that hold a part of a body.
    parts: u32,
}

impl Scan<'_> {
    fn run(mut self, log: &dyn Log) -> Result<()> {
        let number = self.link.segment;
        if (self.link.before, self.link.checksum) != (self.found.last, self.found.checksum) {
            let what = format!(
                "it follows frame {}, but the frame before it is {}",
                self.link.before, self.found.last
            );
            return Err(damaged(&self.place(), &what));
        }
        let segment = FoundSegment {
            number,
            first_frame: self.link.before + 1,
        };
        self.found.segments.push(segment);
        self.visitor.segment(segment);
        let read = log.read_all(number, &mut |index, bytes| {
            let result = self.frame(index, bytes);
            self.error = result.err();
            self.error.is_none()
        });
        read.map_err(|error| Error::io(&self.place(), error))?;
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.until {
            Some(until) if self.found.last < until => {
                let what = format!(
                    "frame {} is missing or damaged, but the next segment follows frame {until}",
                    self.found.last + 1
                );
                Err(damaged(&self.place(), &what))
            }
            _ => Ok(()),
        }
    }

    fn place(&self) -> String {
        format!("segment {:016x}", self.link.segment)
    }

    fn frame(&mut self, index: u32, bytes: &[u8]) -> Result<()> {
        let number = self.link.before + 1 + u64::from(index);
        if self.until.is_some_and(|until| number > until) {
            return Ok(());
        }
        if !self.ended && number != self.found.last + 1 {
            self.ended = true;
        }
        let frame = match open_frame(bytes, &self.marks.store_id) {
            Ok(frame) if frame.header.number == number => frame,
            Ok(_) | Err(BadFrame::Corrupt | BadFrame::ForeignStore) => {
                self.ended = true;
                self.found.torn_frames += 1;
                return Ok(());
            }
            Err(BadFrame::NewerFormat) => {
                let text = format!(
                    "{}: frame {number} was written by a newer version of hapax: use that version",
                    self.place()
                );
                return Err(Error::new(ErrorKind::Unsupported, text));
            }
        };
        if self.ended || frame.header.previous != self.found.checksum {
            self.ended = true;
            return self.after_the_end(&frame);
        }
        self.take(&frame)
    }

    /// A valid frame after a missing or bad one: the torn tail, unless it knows better.
    fn after_the_end(&mut self, frame: &FrameView<'_>) -> Result<()> {
        self.found.torn_frames += 1;
        if frame.header.durable > self.found.last {
            let what = format!(
                "frame {} is missing or damaged, but frame {} says that frame {} was durable",
                self.found.last + 1,
                frame.header.number,
                frame.header.durable,
            );
            return Err(damaged(&self.place(), &what));
        }
        Ok(())
    }

    fn take(&mut self, frame: &FrameView<'_>) -> Result<()> {
        let number = frame.header.number;
        if number > FRAME_NUMBER_MAX || frame.header.epoch >= EPOCH_END {
            let what = format!("frame {number} names a place where no store can have come");
            return Err(damaged(&self.place(), &what));
        }
        if number == self.marks.durable && frame.checksum != self.marks.durable_checksum {
            return Err(damaged(
                &self.place(),
                &format!("frame {number} is not the one that the marks call durable"),
            ));
        }
        self.visitor.frame(frame.payload.len());
        let mut records = 0;
        let mut only_part = false;
        for entry in codec::entries(frame.payload) {
            let (offset, entry) = entry.map_err(|bad| self.bad(number, bad))?;
            match entry {
                Entry::Part(part) => {
                    only_part = part.index == 0 || part.index == self.parts;
                    if part.index == 0 {
                        self.parts = 0;
                    }
                }
                Entry::Record(record) => self.record(&record, number, offset)?,
                Entry::Removal(removal) => {
                    let at = place(number, offset);
                    self.removal(&removal, at)?;
                }
                Entry::Audit(wire) => self.audit(&wire, number)?,
            }
            records += 1;
        }
        if records != frame.header.records {
            return Err(damaged(
                &self.place(),
                &format!("frame {number} does not hold the records that its header counts"),
            ));
        }
        self.parts = if only_part { self.parts + 1 } else { 0 };
        self.found.last = number;
        self.found.checksum = frame.checksum;
        self.found.epoch = self.found.epoch.max(frame.header.epoch);
        self.found.store_secs = self.found.store_secs.max(frame.header.store_secs);
        Ok(())
    }

    fn record(&mut self, record: &WireRecord<'_>, frame: u64, offset: usize) -> Result<()> {
        if record.body_frames > self.parts {
            return Err(damaged(
                &self.place(),
                &format!("frame {frame} closes a body whose parts are not there"),
            ));
        }
        let head = record
            .check()
            .and_then(|()| record.head())
            .map_err(|bad| self.bad(frame, bad))?;
        // No token is granted again, whatever the headers say.
        self.found.epoch = self.found.epoch.max(head.token.epoch());
        let at = place(frame, offset);
        self.visitor.record(self.link.segment, head, record, at)
    }

    fn removal(&mut self, removal: &WireRemoval, at: Locator) -> Result<()> {
        let head = removal.head().map_err(|bad| self.bad(at.frame, bad))?;
        let removed = removal.removed();
        if removed.is_some_and(|removed| removed >= at) {
            return Err(self.bad(at.frame, BadRecord::Malformed));
        }
        self.found.epoch = self.found.epoch.max(head.token.epoch());
        let bytes = removal.bytes();
        self.visitor
            .removal(self.link.segment, head, removed, at, bytes);
        Ok(())
    }

    fn audit(&mut self, wire: &WireAudit<'_>, frame: u64) -> Result<()> {
        let facts = wire.facts().map_err(|bad| self.bad(frame, bad))?;
        self.found.audit = Some(wire.head);
        let number = wire.head.number;
        self.visitor
            .audit(self.link.segment, number, &facts, wire.bytes());
        Ok(())
    }

    fn bad(&self, frame: u64, bad: BadRecord) -> Error {
        match bad {
            BadRecord::Malformed => damaged(
                &self.place(),
                &format!("frame {frame} holds a malformed record"),
            ),
            BadRecord::UnknownKind(kind) => Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{}: frame {frame} holds a record of the unknown kind {kind}: use the newer version of hapax that wrote it",
                    self.place()
                ),
            ),
        }
    }
}
