//! The whole log read back, and compared with what is in memory.

use crate::engine::engine::Engine;
use crate::journal::damage::lost;
use crate::journal::format::frame::open_frame;
use crate::journal::read::records;
use crate::value::error::{Error, Result};
use crate::value::meter::Meter;

/// What `verify` looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) segments: u64,
    pub(crate) frames: u64,
    pub(crate) records: u64,
    pub(crate) live_records: u64,
}

impl Engine {
    /// Reads the whole log back and compares it with what is in memory.
    pub(crate) fn verify(&self, meter: &mut Meter<'_>) -> Result<Verified> {
        self.check_alive()?;
        let segments: Vec<_> = self
            .journal
            .with_tail(|tail| tail.census.segments().copied().collect());
        let mut verified = Verified::default();
        let durable = self.journal.durable();
        let frames = segments.iter().map(|segment| u64::from(segment.frames));
        meter.expect(frames.sum());
        for segment in &segments {
            verified.segments += 1;
            let next = segment.first_frame + u64::from(segment.frames);
            // Frames that the writer has not reached yet are read from memory below.
            self.verify_segment(segment.number, segment.first_frame, next.min(durable + 1))?;
            verified.frames += next - segment.first_frame;
            for frame in segment.first_frame..next {
                self.verify_frame(frame, &mut verified)?;
                meter.add(1);
            }
        }
        Ok(verified)
    }

    /// The bytes of a closed segment on its medium: each frame before `end_frame` whole, and none missing.
    /// Bytes after that are the remains of a crash.
    fn verify_segment(&self, number: u64, first_frame: u64, end_frame: u64) -> Result<()> {
        if self.journal.open_segment() == Some(number) {
            // The open one is only ever read from memory.
            return Ok(());
        }
        let mut next = first_frame;
        let mut bad = None;
        let store_id = *self.journal.store_id();
        let read = self.journal.log().read_all(number, &mut |_, bytes| {
            match open_frame(bytes, &store_id) {
                Ok(view) if view.header.number == next => next += 1,
                _ => bad = Some(next),
            }
            bad.is_none()
        });
        match (read, bad) {
            (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            (Err(error), _) => Err(Error::io(&format!("reading segment {number:016x}"), error)),
            (Ok(()), bad) => match bad.unwrap_or(next) {
                frame if frame < end_frame => Err(lost(frame)),
                _ => Ok(()),
            },
        }
    }

    fn verify_frame(&self, frame: u64, verified: &mut Verified) -> Result<()> {
        let Some(payload) = self.journal.frame_bytes(frame)? else {
            return Ok(());
        };
        for record in records(frame, &payload) {
            let (locator, head, wire) = record?;
            verified.records += 1;
            verified.live_records += u64::from(self.is_newest(head.namespace, wire.key, locator));
            self.journal.complete(&wire, locator)?;
        }
        Ok(())
    }
}
