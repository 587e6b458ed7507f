//! Reading records back: from the open frame, from memory, or from the log.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::journal::Journal;
use crate::journal::format::codec;
use crate::journal::format::codec::{Entry, WireRecord};
use crate::journal::format::frame::{HEADER_BYTES, open_frame};
use crate::runtime::sync::assert_outside_shards;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::locator::Locator;
use crate::value::record::{Head, Record};

/// Frames of closed segments that were read lately.
const COLD_FRAMES_MAX: usize = 64;

/// A small cache of frames that were read from the log.
#[derive(Debug, Default)]
pub(super) struct ColdFrames {
    /// The latest at the back.
    frames: VecDeque<(u64, Arc<Vec<u8>>)>,
    /// Records that were read to answer a call, from these and from the medium.
    from_these: u64,
    from_medium: u64,
}

impl ColdFrames {
    fn get(&self, frame: u64) -> Option<Arc<Vec<u8>>> {
        self.frames
            .iter()
            .find(|(number, _)| *number == frame)
            .map(|(_, bytes)| Arc::clone(bytes))
    }

    /// Records that were read to answer a call: from these frames, and from the medium.
    pub(super) fn reads(&self) -> (u64, u64) {
        (self.from_these, self.from_medium)
    }

    fn put(&mut self, frame: u64, payload: Arc<Vec<u8>>) {
        if self.frames.len() == COLD_FRAMES_MAX {
            self.frames.pop_front();
        }
        self.frames.push_back((frame, payload));
    }
}

impl Journal {
    /// Reads a record; `None` when its segment is gone, so that the caller has to look again.
    ///
    /// May read from disk, so never under a lock.
    pub(crate) fn read(&self, locator: Locator) -> Result<Option<Record>> {
        assert_outside_shards("reading");
        if let Some(record) = self.read_in_memory(locator)? {
            return Ok(Some(record));
        }
        let known = self.cold.lock().get(locator.frame).is_some();
        let Some(payload) = self.payload(locator.frame)? else {
            return Ok(None);
        };
        {
            let mut cold = self.cold.lock();
            if known {
                cold.from_these += 1;
            } else {
                cold.from_medium += 1;
            }
        }
        let bytes = payload
            .get(usize::from(locator.offset)..)
            .ok_or_else(|| malformed(locator))?;
        self.decode(bytes, locator)
    }

    /// As [`read`](Self::read), where that takes no disk; `None` where it would.
    pub(crate) fn read_in_memory(&self, locator: Locator) -> Result<Option<Record>> {
        let (open, sealed) = {
            let mut tail = self.tail.lock();
            let open = tail.open_frame(locator.frame).and_then(|payload| {
                let bytes = payload.get(usize::from(locator.offset)..)?;
                let (_, taken) = codec::decode_entry(bytes).ok()?;
                bytes.get(..taken).map(<[u8]>::to_vec)
            });
            let sealed = tail.in_memory(locator.frame);
            tail.note_reads(usize::from(open.is_some() || sealed.is_some()));
            (open, sealed)
        };
        match (&open, &sealed) {
            (Some(bytes), _) => self.decode(bytes, locator),
            (None, Some(payload)) => {
                let bytes = payload.get(usize::from(locator.offset)..);
                self.decode(bytes.ok_or_else(|| malformed(locator))?, locator)
            }
            (None, None) => Ok(None),
        }
    }

    /// As [`read_in_memory`](Self::read_in_memory), many at once: their bytes are waited for together.
    pub(crate) fn read_many_in_memory(&self, locators: &[Locator]) -> Result<Vec<Option<Record>>> {
        let payloads: Vec<_> = {
            let mut tail = self.tail.lock();
            let payload = |locator: &Locator| tail.in_memory(locator.frame);
            let payloads: Vec<_> = locators.iter().map(payload).collect();
            tail.note_reads(payloads.iter().flatten().count());
            payloads
        };
        let placed = locators.iter().zip(&payloads);
        let first_byte = |(locator, payload): (&Locator, &Option<Arc<Vec<u8>>>)| {
            let payload = payload.as_ref()?;
            payload.get(usize::from(locator.offset)).copied()
        };
        let read = placed.fold(0, |read, one| read ^ first_byte(one).unwrap_or(0));
        std::hint::black_box(read);
        let record = |(locator, payload): (&Locator, Option<Arc<Vec<u8>>>)| {
            // The open frame, or one that is on disk only.
            let Some(payload) = payload else {
                return self.read_in_memory(*locator);
            };
            let bytes = payload.get(usize::from(locator.offset)..);
            self.decode(bytes.ok_or_else(|| malformed(*locator))?, *locator)
        };
        locators.iter().zip(payloads).map(record).collect()
    }

    fn decode(&self, bytes: &[u8], locator: Locator) -> Result<Option<Record>> {
        match codec::decode_entry(bytes) {
            Ok((Entry::Record(record), _)) => self.complete(&record, locator),
            _ => Err(malformed(locator)),
        }
    }

    /// Fetches the body of a record from its parts, where it has any.
    pub(crate) fn complete(
        &self,
        record: &WireRecord<'_>,
        locator: Locator,
    ) -> Result<Option<Record>> {
        if record.body_frames == 0 {
            return record
                .to_record(None)
                .map(Some)
                .map_err(|_| malformed(locator));
        }
        let mut body = Vec::new();
        let first = locator
            .frame
            .checked_sub(u64::from(record.body_frames))
            .ok_or_else(|| malformed(locator))?;
        for (expected, frame) in (0..record.body_frames).zip(first..) {
            let Some(payload) = self.payload(frame)? else {
                return Ok(None);
            };
            match codec::decode_entry(&payload) {
                Ok((Entry::Part(part), _)) if part.index == expected => {
                    body.extend_from_slice(part.bytes);
                }
                _ => return Err(malformed(locator)),
            }
        }
        record
            .to_record(Some(body))
            .map(Some)
            .map_err(|_| malformed(locator))
    }

    /// The bytes of a frame's records, the open frame's included; `None` when it is not there.
    pub(crate) fn frame_bytes(&self, frame: u64) -> Result<Option<Arc<Vec<u8>>>> {
        let open = self.tail.lock().open_frame(frame).map(<[u8]>::to_vec);
        match open {
            Some(bytes) => Ok(Some(Arc::new(bytes))),
            None => self.payload(frame),
        }
    }

    /// Whether reading a record takes no disk.
    pub(crate) fn is_at_hand(&self, locator: Locator) -> bool {
        let (open, in_memory) = {
            let tail = self.tail.lock();
            let open = tail.open_frame(locator.frame).is_some();
            (open, tail.in_memory(locator.frame).is_some())
        };
        open || in_memory || self.was_read_lately(locator)
    }

    /// Whether the frame of a record was read lately, and its body lies there too: the parts of a
    /// long one have frames of their own, which may be on disk only.
    fn was_read_lately(&self, locator: Locator) -> bool {
        let payload = self.cold.lock().get(locator.frame);
        let Some(bytes) = payload
            .as_ref()
            .and_then(|payload| payload.get(usize::from(locator.offset)..))
        else {
            return false;
        };
        matches!(codec::decode_entry(bytes), Ok((Entry::Record(record), _)) if record.body_frames == 0)
    }

    /// The payload of a complete frame; `None` when its segment is gone.
    pub(crate) fn payload(&self, frame: u64) -> Result<Option<Arc<Vec<u8>>>> {
        let (in_memory, segment) = {
            let tail = self.tail.lock();
            let place = tail
                .census
                .by_frame(frame)
                .map(|stats| (stats.number, stats.first_frame));
            (tail.in_memory(frame), place)
        };
        if in_memory.is_some() {
            return Ok(in_memory);
        }
        let Some((segment, first_frame)) = segment else {
            return Ok(None);
        };
        if let Some(payload) = self.cold.lock().get(frame) {
            return Ok(Some(payload));
        }
        let index = u32::try_from(frame - first_frame).map_err(|_| lost(frame))?;
        let began_ns = self.clock.mono_ns();
        let read = self.log.read(segment, index);
        let took_ns = self.clock.mono_ns().saturating_sub(began_ns);
        self.read_times.observe(0, took_ns);
        let bytes = match read {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return self.unless_gone(frame),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.unless_gone(frame);
            }
            Err(error) => return Err(Error::io(&format!("reading frame {frame}"), error)),
        };
        let view = open_frame(&bytes, &self.store_id).map_err(|_| lost(frame))?;
        if view.header.number != frame {
            return Err(lost(frame));
        }
        let payload = Arc::new(bytes[HEADER_BYTES..].to_vec());
        self.cold.lock().put(frame, Arc::clone(&payload));
        Ok(Some(payload))
    }

    /// `None` when the segment was dropped meanwhile, else the loss.
    fn unless_gone(&self, frame: u64) -> Result<Option<Arc<Vec<u8>>>> {
        let there = self.tail.lock().census.by_frame(frame).is_some();
        if there { Err(lost(frame)) } else { Ok(None) }
    }
}

/// The records of a frame's payload in order, parts of bodies left out.
pub(crate) fn records(
    frame: u64,
    payload: &[u8],
) -> impl Iterator<Item = Result<(Locator, Head, WireRecord<'_>)>> {
    codec::entries(payload).filter_map(move |entry| {
        let record = match entry {
            Ok((_, Entry::Part(_) | Entry::Audit(_) | Entry::Removal(_))) => return None,
            Ok((offset, Entry::Record(wire))) => u16::try_from(offset)
                .ok()
                .and_then(|offset| Some((Locator { frame, offset }, wire.head().ok()?, wire))),
            Err(_) => None,
        };
        Some(record.ok_or_else(|| lost(frame)))
    })
}

pub(crate) fn lost(frame: u64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "frame {frame} is missing or damaged: restore a backup, or close the store and save what is left with Store::salvage"
        ),
    )
}

fn malformed(locator: Locator) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "frame {} holds no readable record at {}: restore a backup, or close the store and save what is left with Store::salvage",
            locator.frame, locator.offset
        ),
    )
}
