//! Reads records back: from the open frame, from memory, or from the log.

use std::io;
use std::sync::Arc;

use crate::journal::damage::{lost, malformed};
use crate::journal::format::codec::{self, Entry, WireRecord};
use crate::journal::format::frame::{HEADER_BYTES, open_frame};
use crate::journal::journal::Journal;
use crate::runtime::sync::assert_outside_shards;
use crate::value::error::{Error, Result};
use crate::value::locator::Locator;
use crate::value::record::{Head, Record};

impl Journal {
    /// Reads a record; `None` if its segment is gone, so that the caller must look its place up again.
    ///
    /// May read from disk, so never call it under a lock.
    pub(crate) fn read(&self, locator: Locator) -> Result<Option<Record>> {
        assert_outside_shards("reading");
        if let Some(record) = self.read_in_memory(locator)? {
            return Ok(Some(record));
        }
        let known = self.cold.lock().get(locator.frame).is_some();
        let Some(payload) = self.payload(locator.frame)? else {
            return Ok(None);
        };
        self.cold.lock().note_read(known);
        self.decode_in(&payload, locator)
    }

    /// As [`read`](Self::read), without reading from disk; `None` if the record is only there.
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
            (None, Some(payload)) => self.decode_in(payload, locator),
            (None, None) => Ok(None),
        }
    }

    /// A record whose frame is complete and in memory, body included. It neither waits nor copies, so it
    /// may be called under the lock of a shard.
    #[inline]
    pub(crate) fn read_at_hand(&self, locator: Locator) -> Result<Option<Arc<Record>>> {
        let payload = {
            let mut tail = self.tail.lock();
            let payload = tail.in_memory(locator.frame);
            tail.note_reads(usize::from(payload.is_some()));
            payload
        };
        match payload {
            Some(payload) => self.record_in(&payload, locator),
            None => Ok(None),
        }
    }

    /// The record at a place in the payload of its frame, which keeps its body; `None` where the body is in
    /// parts.
    #[inline]
    pub(crate) fn record_in(
        &self,
        payload: &Arc<Vec<u8>>,
        locator: Locator,
    ) -> Result<Option<Arc<Record>>> {
        let offset = usize::from(locator.offset);
        let bytes = payload.get(offset..).ok_or_else(|| malformed(locator))?;
        codec::decode_record(bytes)
            .and_then(|(record, taken)| record.to_record_in(payload, offset + taken))
            .map_err(|_| malformed(locator))
    }

    /// Fills `payloads` with those of complete frames that are in memory, each with the first byte of its record
    /// near.
    pub(crate) fn payloads_in_memory(
        &self,
        locators: impl Iterator<Item = Locator> + Clone,
        payloads: &mut Vec<Option<Arc<Vec<u8>>>>,
    ) {
        payloads.clear();
        {
            let mut tail = self.tail.lock();
            payloads.extend(
                locators
                    .clone()
                    .map(|locator| tail.in_memory(locator.frame)),
            );
            tail.note_reads(payloads.iter().flatten().count());
        }
        touch(locators, payloads);
    }

    /// As [`read_in_memory`](Self::read_in_memory), for many records at once.
    pub(crate) fn read_many_in_memory(&self, locators: &[Locator]) -> Result<Vec<Option<Record>>> {
        let mut payloads = Vec::new();
        self.payloads_in_memory(locators.iter().copied(), &mut payloads);
        let record = |(locator, payload): (&Locator, Option<Arc<Vec<u8>>>)| match payload {
            Some(payload) => self.decode_in(&payload, *locator),
            // In the open frame, or only on disk.
            None => self.read_in_memory(*locator),
        };
        locators.iter().zip(payloads).map(record).collect()
    }

    /// Decodes the record at a place in the payload of its frame.
    fn decode_in(&self, payload: &[u8], locator: Locator) -> Result<Option<Record>> {
        let bytes = payload.get(usize::from(locator.offset)..);
        self.decode(bytes.ok_or_else(|| malformed(locator))?, locator)
    }

    fn decode(&self, bytes: &[u8], locator: Locator) -> Result<Option<Record>> {
        match codec::decode_entry(bytes) {
            Ok((Entry::Record(record), _)) => self.complete(&record, locator),
            _ => Err(malformed(locator)),
        }
    }

    /// The whole record, with its body from other frames if it has parts; `None` if one of them is gone.
    pub(crate) fn complete(
        &self,
        record: &WireRecord<'_>,
        locator: Locator,
    ) -> Result<Option<Record>> {
        let body = match record.body_frames {
            0 => None,
            _ => match self.body_of(record, locator)? {
                Some(body) => Some(body),
                None => return Ok(None),
            },
        };
        let complete = record.to_record(body).map(Some);
        complete.map_err(|_| malformed(locator))
    }

    /// The body of a record from its parts, in the frames directly before; `None` if one is gone.
    fn body_of(&self, record: &WireRecord<'_>, locator: Locator) -> Result<Option<Vec<u8>>> {
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
        Ok(Some(body))
    }

    /// The payload of a frame, also of the open one; `None` if the frame does not exist.
    pub(crate) fn frame_bytes(&self, frame: u64) -> Result<Option<Arc<Vec<u8>>>> {
        let open = self.tail.lock().open_frame(frame).map(<[u8]>::to_vec);
        match open {
            Some(bytes) => Ok(Some(Arc::new(bytes))),
            None => self.payload(frame),
        }
    }

    /// Whether a record can be read without the disk.
    pub(crate) fn is_at_hand(&self, locator: Locator) -> bool {
        let (open, in_memory) = {
            let tail = self.tail.lock();
            let open = tail.open_frame(locator.frame).is_some();
            (open, tail.in_memory(locator.frame).is_some())
        };
        open || in_memory || self.was_read_lately(locator)
    }

    /// Whether the frame of a record was read lately and holds its body too: the parts of a long body
    /// have frames of their own, which may be only on disk.
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

    /// The payload of a complete frame; `None` if its segment is gone.
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
        let read = || self.log.read(segment, index);
        match self.meters.time_read(read) {
            Ok(Some(bytes)) => self.check_frame(frame, &bytes).map(Some),
            Ok(None) => self.unless_gone(frame),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.unless_gone(frame),
            Err(error) => Err(Error::io(&format!("reading frame {frame}"), error)),
        }
    }

    /// The payload of a frame that was read from the log, which is kept for later reads.
    fn check_frame(&self, frame: u64, bytes: &[u8]) -> Result<Arc<Vec<u8>>> {
        let view = open_frame(bytes, &self.store_id).map_err(|_| lost(frame))?;
        if view.header.number != frame {
            return Err(lost(frame));
        }
        let payload = Arc::new(bytes[HEADER_BYTES..].to_vec());
        self.cold.lock().put(frame, Arc::clone(&payload));
        Ok(payload)
    }

    /// `None` if the segment was dropped meanwhile, else an error.
    fn unless_gone(&self, frame: u64) -> Result<Option<Arc<Vec<u8>>>> {
        let there = self.tail.lock().census.by_frame(frame).is_some();
        if there { Err(lost(frame)) } else { Ok(None) }
    }
}

/// Reads a byte of each record, so that the processor waits for their memory only once.
fn touch(locators: impl Iterator<Item = Locator>, payloads: &[Option<Arc<Vec<u8>>>]) {
    let first_byte = |(locator, payload): (Locator, &Option<Arc<Vec<u8>>>)| {
        let payload = payload.as_ref()?;
        payload.get(usize::from(locator.offset)).copied()
    };
    let placed = locators.zip(payloads);
    let read = placed.fold(0, |read, one| read ^ first_byte(one).unwrap_or(0));
    std::hint::black_box(read);
}

/// The records in the payload of a frame, in order.
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
