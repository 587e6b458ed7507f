//! [`SegmentScan`]: reads one segment, frame by frame, and checks the chain through it.

use crate::journal::damage::damaged;
use crate::journal::format::audit::entry::WireAudit;
use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec::{self, Entry, WireRecord, WireRemoval};
use crate::journal::format::frame::{BadFrame, FRAME_NUMBER_MAX, FrameView, open_frame};
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::contract::Log;
use crate::journal::recovery::found::{FoundLog, FoundRemoval, FoundSegment};
use crate::journal::recovery::visitor::Visitor;
use crate::value::doing::Doing;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::EPOCH_END;
use crate::value::locator::Locator;

/// The next segment, which the medium reads while this one is taken in. It is told so in small steps and
/// twice as fast as this one is taken in: a medium that is asked for everything at once lets its caller
/// wait, and a sync behind that too.
struct Ahead {
    segment: u64,
    /// Bytes of this segment that were taken in.
    taken: u64,
    /// Where the next step begins in the next one.
    from: u64,
}

/// Bytes of a step.
const STEP: u64 = 1 << 20;

impl Ahead {
    fn of(segment: u64) -> Self {
        Self {
            segment,
            taken: 0,
            from: 0,
        }
    }

    fn taken(&mut self, bytes: usize, log: &dyn Log) {
        self.taken += u64::try_from(bytes).unwrap_or(0);
        while self.from < self.taken * 2 {
            log.read_ahead(self.segment, self.from, STEP);
            self.from += STEP;
        }
    }
}

/// Reads one segment.
pub(super) struct SegmentScan<'a, V> {
    marks: &'a Marks,
    link: Link,
    /// The last frame that the next segment follows; what comes after it is void.
    until: Option<u64>,
    ahead: Option<Ahead>,
    found: &'a mut FoundLog,
    visitor: &'a mut V,
    error: Option<Error>,
    /// A frame was missing or bad; later frames are only evidence of what was durable.
    ended: bool,
    /// How many frames directly before the next one hold parts of one body.
    parts: u32,
}

impl<'a, V: Visitor> SegmentScan<'a, V> {
    pub(super) fn new(
        marks: &'a Marks,
        link: Link,
        next: Option<&Link>,
        found: &'a mut FoundLog,
        visitor: &'a mut V,
    ) -> Self {
        Self {
            marks,
            link,
            until: next.map(|next| next.before),
            ahead: next.map(|next| Ahead::of(next.segment)),
            found,
            visitor,
            error: None,
            ended: false,
            parts: 0,
        }
    }

    pub(super) fn run(mut self, log: &dyn Log) -> Result<()> {
        self.begin()?;
        let read = log.read_all(self.link.segment, &mut |index, bytes| {
            if let Some(ahead) = &mut self.ahead {
                ahead.taken(bytes.len(), log);
            }
            let result = self.frame(index, bytes);
            self.error = result.err();
            self.error.is_none()
        });
        read.while_doing(&self.place())?;
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.until {
            Some(until) if self.found.last < until => {
                let what = format!(
                    "frame {} is missing or damaged, but the next segment follows frame {until}",
                    self.found.last + 1
                );
                Err(self.damaged(&what))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the segment follows the frame before it.
    fn begin(&mut self) -> Result<()> {
        if (self.link.before, self.link.checksum) != (self.found.last, self.found.checksum) {
            let what = format!(
                "it follows frame {}, but the frame before it is {}",
                self.link.before, self.found.last
            );
            return Err(self.damaged(&what));
        }
        let segment = FoundSegment {
            number: self.link.segment,
            first_frame: self.link.before + 1,
        };
        self.found.segments.push(segment);
        self.visitor.segment(segment);
        Ok(())
    }

    fn damaged(&self, what: &str) -> Error {
        damaged(&self.place(), what)
    }

    fn place(&self) -> String {
        format!("segment {:016x}", self.link.segment)
    }

    fn frame(&mut self, index: u32, bytes: &[u8]) -> Result<()> {
        let number = self.link.before + 1 + u64::from(index);
        if self.until.is_some_and(|until| number > until) {
            return Ok(());
        }
        if number != self.found.last + 1 {
            self.ended = true;
        }
        let frame = match open_frame(bytes, &self.marks.store_id) {
            Ok(frame) if frame.header.number == number => frame,
            Ok(_) | Err(BadFrame::Corrupt | BadFrame::ForeignStore) => {
                self.ended = true;
                self.found.torn_frames += 1;
                return Ok(());
            }
            Err(BadFrame::NewerFormat) => return Err(self.newer(number)),
        };
        if self.ended || frame.header.previous != self.found.checksum {
            self.ended = true;
            return self.after_the_end(&frame);
        }
        self.take(&frame)
    }

    fn newer(&self, number: u64) -> Error {
        let text = format!(
            "{}: frame {number} was written by a newer version of hapax: use that version",
            self.place()
        );
        Error::new(ErrorKind::Unsupported, text)
    }

    /// A valid frame after a missing or bad one: a part of the torn tail, unless it says that an earlier
    /// frame was durable.
    fn after_the_end(&mut self, frame: &FrameView<'_>) -> Result<()> {
        self.found.torn_frames += 1;
        if frame.header.durable > self.found.last {
            let what = format!(
                "frame {} is missing or damaged, but frame {} says that frame {} was durable",
                self.found.last + 1,
                frame.header.number,
                frame.header.durable,
            );
            return Err(self.damaged(&what));
        }
        Ok(())
    }

    fn take(&mut self, frame: &FrameView<'_>) -> Result<()> {
        self.check_header(frame)?;
        let number = frame.header.number;
        self.visitor.frame(frame.payload.len());
        let (mut offset, mut records) = (0, 0);
        let mut is_part = false;
        while offset < frame.payload.len() {
            let bytes = &frame.payload[offset..];
            let at = place(number, offset);
            // Nearly all are records, which are not copied on the way.
            offset += if codec::is_record(bytes) {
                let (record, taken) =
                    codec::decode_record(bytes).map_err(|bad| self.bad(number, bad))?;
                self.record(&record, at)?;
                taken
            } else {
                self.other(bytes, at, &mut is_part)?
            };
            records += 1;
        }
        if records != frame.header.records {
            let what = format!("frame {number} does not hold the records that its header counts");
            return Err(self.damaged(&what));
        }
        self.parts = if is_part { self.parts + 1 } else { 0 };
        self.found.last = number;
        self.found.checksum = frame.checksum;
        self.found.epoch = self.found.epoch.max(frame.header.epoch);
        self.found.store_secs = self.found.store_secs.max(frame.header.store_secs);
        Ok(())
    }

    /// Takes an entry of any kind at the front of `bytes`, and returns how many bytes it has.
    #[inline(never)]
    fn other(&mut self, bytes: &[u8], at: Locator, is_part: &mut bool) -> Result<usize> {
        let decoded = codec::decode_entry(bytes);
        let (entry, taken) = decoded.map_err(|bad| self.bad(at.frame, bad))?;
        match entry {
            Entry::Part(part) => {
                *is_part = part.index == 0 || part.index == self.parts;
                if part.index == 0 {
                    self.parts = 0;
                }
            }
            Entry::Record(record) => self.record(&record, at)?,
            Entry::Removal(removal) => self.removal(&removal, at)?,
            Entry::Audit(wire) => self.audit(&wire, at.frame)?,
        }
        Ok(taken)
    }

    /// Refuses a frame that is whole, but cannot be one of this store.
    fn check_header(&self, frame: &FrameView<'_>) -> Result<()> {
        let number = frame.header.number;
        if number > FRAME_NUMBER_MAX || frame.header.epoch >= EPOCH_END {
            let what = format!("frame {number} contains numbers that no store can reach");
            return Err(self.damaged(&what));
        }
        if number == self.marks.durable && frame.checksum != self.marks.durable_checksum {
            let what = format!("frame {number} is not the one that the marks call durable");
            return Err(self.damaged(&what));
        }
        Ok(())
    }

    #[inline]
    fn record(&mut self, record: &WireRecord<'_>, at: Locator) -> Result<()> {
        if record.body_frames > self.parts {
            let what = format!("frame {} ends a body whose parts are missing", at.frame);
            return Err(self.damaged(&what));
        }
        let head = record
            .check()
            .and_then(|()| record.head())
            .map_err(|bad| self.bad(at.frame, bad))?;
        // So that no token is granted again, even if the headers name a lower epoch.
        self.found.epoch = self.found.epoch.max(head.token.epoch());
        self.visitor.record(self.link.segment, &head, record, at)
    }

    fn removal(&mut self, removal: &WireRemoval, at: Locator) -> Result<()> {
        let head = removal.head().map_err(|bad| self.bad(at.frame, bad))?;
        let removed = removal.removed();
        if removed.is_some_and(|removed| removed >= at) {
            return Err(self.bad(at.frame, BadRecord::Malformed));
        }
        self.found.epoch = self.found.epoch.max(head.token.epoch());
        self.visitor.removal(FoundRemoval {
            segment: self.link.segment,
            head,
            removed,
            at,
            bytes: removal.bytes(),
        });
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
            BadRecord::Malformed => {
                self.damaged(&format!("frame {frame} holds a malformed record"))
            }
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

fn place(frame: u64, offset: usize) -> Locator {
    Locator {
        frame,
        offset: u16::try_from(offset).expect("a payload is under 64 KiB"),
    }
}
