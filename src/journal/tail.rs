//! [`Tail`]: the end of the log, in memory: the open frame, and what the writer has not taken.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::census::Census;
use crate::journal::format::audit::entry::Draft;
use crate::journal::format::codec::{self, PART_BYTES_MAX, RECORD_OVERHEAD_MAX};
use crate::journal::format::frame::{
    FRAME_BYTES_MAX, FRAME_NUMBER_MAX, HEADER_BYTES, PAYLOAD_BYTES_MAX,
};
use crate::journal::frame_window::FrameWindow;
use crate::journal::log::contract::SEGMENT_FRAMES_FIRST;
use crate::journal::segment_room::SegmentRoom;
use crate::value::audit::AuditHead;
use crate::value::locator::Locator;
use crate::value::policy::RESPONSE_BYTES_MAX;
use crate::value::record::{RecordKind, RecordRef};

const _: () = assert!(
    codec::INLINE_BODY_MAX + 2 * 16 * 1024 + 1024 + 16 * 81 + 5 + RECORD_OVERHEAD_MAX
        <= PAYLOAD_BYTES_MAX,
    "a record with every small field at its limit fits a frame"
);

const _: () = assert!(
    RESPONSE_BYTES_MAX / PART_BYTES_MAX + 2 <= SEGMENT_FRAMES_FIRST as usize,
    "the parts of the largest body and its record fit the first segment of a run"
);

/// A frame that is complete and waits for the writer.
#[derive(Debug)]
pub(crate) struct SealedFrame {
    pub(crate) number: u64,
    pub(crate) segment: u64,
    /// How many frames its segment has room for.
    pub(crate) room: u32,
    pub(crate) records: u32,
    pub(crate) payload: Arc<Vec<u8>>,
}

/// The record that an appended one replaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    pub(crate) locator: Locator,
    pub(crate) expires_at: u32,
}

/// The end of the log. Plain data: its lock is the journal's.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The entries of the open frame.
    payload: Vec<u8>,
    records: u32,
    /// The number of the open frame.
    number: u64,
    /// The segment of the open frame, or of the last frame while the open one is empty.
    segment: SegmentRoom,
    /// There is a segment to prepare that the janitor has not heard of.
    calls_janitor: bool,
    /// Complete frames that the writer has not taken. Invariant: ascending and contiguous up to
    /// `number - 1`.
    sealed: VecDeque<SealedFrame>,
    window: FrameWindow,
    appended_bytes: u64,
    /// Records that were read from here to answer a call.
    reads: u64,
    /// The head of the audit log after the last entry that was appended.
    audit: AuditHead,
    pub(crate) census: Census,
}

impl Tail {
    /// A tail that goes on after frame `last` of segment `last_segment`.
    pub(crate) fn new(
        last: u64,
        last_segment: u64,
        segment_frames_max: u32,
        audit: AuditHead,
        census: Census,
    ) -> Self {
        Self {
            payload: Vec::new(),
            records: 0,
            number: last + 1,
            segment: SegmentRoom::after(last_segment, segment_frames_max),
            calls_janitor: false,
            sealed: VecDeque::new(),
            window: FrameWindow::before(last + 1),
            appended_bytes: 0,
            reads: 0,
            audit,
            census,
        }
    }

    /// Appends an encoded record after the parts of its body, and moves the live counts from the record
    /// that it replaces. Its audit entry follows in the same frame.
    #[inline]
    pub(crate) fn append(
        &mut self,
        record: &RecordRef<'_>,
        encoded: &[u8],
        parts: Vec<Vec<u8>>,
        replaced: Option<Replaced>,
        audit: Option<&Draft>,
    ) -> Locator {
        let mut bytes = encoded.len();
        if parts.is_empty() {
            self.make_room(encoded.len() + audit.map_or(0, Draft::bytes));
        } else {
            self.append_parts(parts);
            self.begin(1, FRAME_BYTES_MAX);
            bytes += record.body.len();
        }
        let offset = u16::try_from(self.payload.len()).expect("a payload is under 64 KiB");
        let locator = Locator {
            frame: self.number,
            offset,
        };
        self.payload.extend_from_slice(encoded);
        self.records += 1;
        self.count(record, bytes, replaced);
        if let Some(draft) = audit {
            self.write_audit(draft);
        }
        locator
    }

    /// Seals the open frame if the bytes do not fit in, and makes sure that the open frame has a segment.
    #[inline]
    fn make_room(&mut self, bytes: usize) {
        if self.payload.len() + bytes > PAYLOAD_BYTES_MAX {
            self.seal();
        }
        if self.records == 0 {
            self.begin(1, FRAME_BYTES_MAX);
        }
    }

    /// Counts a record that was appended; `bytes` is its size with its body.
    #[inline]
    fn count(&mut self, record: &RecordRef<'_>, bytes: usize, replaced: Option<Replaced>) {
        let bytes = u64::try_from(bytes).expect("a record is at most 16 MiB");
        self.appended_bytes += bytes;
        let segment = self.segment.number();
        if record.head.kind == RecordKind::Forgotten {
            self.census.removal(segment, &record.head, bytes);
        } else {
            self.census.written(segment, &record.head, bytes);
            self.census.born(segment, record.head.expires_at);
        }
        if let Some(replaced) = replaced {
            self.census
                .died(replaced.locator.frame, replaced.expires_at);
        }
    }

    /// Appends the audit entry of a transition that has no record. Returns its frame.
    pub(crate) fn append_audit(&mut self, draft: &Draft) -> u64 {
        self.make_room(draft.bytes());
        self.write_audit(draft);
        self.number
    }

    fn write_audit(&mut self, draft: &Draft) {
        draft.write(&mut self.audit, &mut self.payload);
        self.records += 1;
        let bytes = u64::try_from(draft.bytes()).expect("an entry is under 64 KiB");
        self.appended_bytes += bytes;
        self.census
            .audited(self.segment.number(), 1, bytes, draft.expires_at);
    }

    /// The head of the audit log after the last entry that was appended.
    pub(crate) fn audit(&self) -> AuditHead {
        self.audit
    }

    /// Gives each part a frame of its own, all of them and the next record in one segment.
    fn append_parts(&mut self, parts: Vec<Vec<u8>>) {
        self.seal();
        let frames = u32::try_from(parts.len() + 1).expect("a body has few parts");
        self.begin(frames, FRAME_BYTES_MAX * (parts.len() + 1));
        for payload in parts {
            self.push(payload, 1);
        }
    }

    /// Lets what is appended from now on go to the next segment.
    pub(crate) fn end_segment(&mut self) {
        self.seal();
        self.segment.end();
    }

    /// Rolls to a new segment, unless this number of frames with this number of bytes in all fits into
    /// the current one.
    fn begin(&mut self, frames: u32, bytes: usize) {
        let bytes = u64::try_from(bytes).expect("a body is at most 16 MiB");
        if !self.segment.fits(frames, bytes) {
            self.segment.roll(frames);
            self.calls_janitor = true;
            self.census.open_segment(self.segment.number(), self.number);
        }
    }

    /// The segments that will be written to soon, and how many frames they need room for: the one
    /// that was begun in this run, and the next one once that is half full.
    pub(crate) fn coming_segments(&mut self) -> impl Iterator<Item = (u64, u32)> {
        self.segment.coming()
    }

    /// The segment that takes frames now, and how many it has room for; `None` before the first change
    /// of a run.
    pub(crate) fn begun_segment(&self) -> Option<(u64, u32)> {
        self.segment.begun()
    }

    /// The segment of the first frame of this run, and how many it has room for; `None` once it is
    /// begun.
    pub(crate) fn first_segment(&mut self) -> Option<(u64, u32)> {
        self.segment.first()
    }

    /// Whether the janitor must hear of a segment to prepare, since the last call.
    pub(crate) fn take_call(&mut self) -> bool {
        std::mem::take(&mut self.calls_janitor)
    }

    /// Completes the open frame, if it holds anything.
    pub(crate) fn seal(&mut self) {
        if self.records == 0 {
            return;
        }
        let next = self.window.memory_like(self.payload.len());
        let payload = std::mem::replace(&mut self.payload, next);
        let records = std::mem::take(&mut self.records);
        self.push(payload, records);
    }

    fn push(&mut self, payload: Vec<u8>, records: u32) {
        assert!(
            self.number < FRAME_NUMBER_MAX,
            "2^44 frames last longer than any medium"
        );
        let payload = Arc::new(payload);
        let bytes = u64::try_from(payload.len() + HEADER_BYTES).expect("a frame is under 64 KiB");
        self.calls_janitor |= self.segment.add_frame(bytes);
        self.census.frame(payload.len());
        self.window.push(Arc::clone(&payload));
        self.sealed.push_back(SealedFrame {
            number: self.number,
            segment: self.segment.number(),
            room: self.segment.room(),
            records,
            payload,
        });
        self.number += 1;
    }

    /// Takes what waits for the writer.
    pub(crate) fn take_sealed(&mut self) -> VecDeque<SealedFrame> {
        std::mem::take(&mut self.sealed)
    }

    /// Notes that frames below `frame` are in closed segments, and lets those over `keep_bytes` go. They are
    /// given to be dropped without the lock.
    #[must_use = "they are dropped without the lock"]
    pub(crate) fn close_below(&mut self, frame: u64, keep_bytes: usize) -> Vec<Arc<Vec<u8>>> {
        self.window.close_below(frame, keep_bytes)
    }

    /// How many frames' memory is to be made ahead, without the lock.
    pub(super) fn take_missing(&mut self) -> usize {
        self.window.take_missing()
    }

    /// Takes memory that was made ahead.
    pub(super) fn add_spare(&mut self, memory: Vec<Vec<u8>>) {
        self.window.add_spare(memory);
    }

    /// A complete frame that is in memory.
    pub(crate) fn in_memory(&self, frame: u64) -> Option<Arc<Vec<u8>>> {
        self.window.get(frame)
    }

    /// The open frame, if it is this one.
    pub(crate) fn open_frame(&self, frame: u64) -> Option<&[u8]> {
        (frame == self.number).then_some(&self.payload)
    }

    /// The last frame that holds anything.
    pub(crate) fn last_used(&self) -> u64 {
        if self.records == 0 {
            self.number - 1
        } else {
            self.number
        }
    }

    /// The segment that takes frames now, or took the last one.
    pub(crate) fn newest_segment(&self) -> u64 {
        self.segment.number()
    }

    /// Frames that the segment still takes after the open one.
    pub(crate) fn frames_left(&self) -> u64 {
        self.segment.frames_left(u32::from(self.records > 0))
    }

    /// Bytes of frames that the segment still takes.
    pub(crate) fn bytes_left(&self) -> u64 {
        let open = u64::try_from(self.payload.len()).expect("a payload is under 64 KiB");
        self.segment.bytes_left(open)
    }

    /// Bytes of the records that were appended in this run.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Counts records that were read from memory to answer a call.
    pub(crate) fn note_reads(&mut self, records: usize) {
        self.reads += u64::try_from(records).expect("a batch is in memory");
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads
    }

    pub(crate) fn window_bytes(&self) -> usize {
        self.window.bytes()
    }
}

/// The parts of a body that does not fit its record, each as the payload of a frame.
///
/// Made before any lock is taken; the tail only moves them.
pub(crate) fn split_body(body: &[u8]) -> Vec<Vec<u8>> {
    if body.len() <= codec::INLINE_BODY_MAX {
        return Vec::new();
    }
    let part = |(index, bytes): (usize, &[u8])| {
        let mut payload = Vec::with_capacity(bytes.len() + 32);
        codec::encode_part(
            u32::try_from(index).expect("a body has few parts"),
            bytes,
            &mut payload,
        );
        payload
    };
    body.chunks(PART_BYTES_MAX).enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::Tail;
    use crate::journal::census::Census;
    use crate::journal::format::audit::chain::genesis;
    use crate::journal::log::contract::{
        SEGMENT_BYTES_MAX, SEGMENT_FRAMES_FIRST, SEGMENT_FRAMES_MAX,
    };

    fn tail(frames_max: u32) -> Tail {
        Tail::new(0, 0, frames_max, genesis(&[0; 16]), Census::new(0))
    }

    /// Writes a frame of this size; returns its segment and how many frames that has room for.
    fn write(tail: &mut Tail, bytes: usize) -> (u64, u32) {
        tail.begin(1, bytes);
        tail.push(vec![0; bytes], 1);
        let frame = tail.take_sealed().pop_back().unwrap();
        (frame.segment, frame.room)
    }

    /// The rooms of the first segments of a run with frames of one size.
    fn rooms(frames_max: u32, bytes: usize) -> Vec<u32> {
        let mut tail = tail(frames_max);
        let mut rooms = Vec::new();
        while rooms.len() < 7 {
            let (segment, room) = write(&mut tail, bytes);
            if segment > rooms.len() as u64 {
                rooms.push(room);
            }
        }
        rooms
    }

    #[test]
    fn segments_grow_with_what_is_written_in_a_run() {
        let tiny = rooms(SEGMENT_FRAMES_MAX, 100);
        assert_eq!(tiny, [512, 1024, 2048, 4096, 8192, 8192, 8192]);
        // Such a segment runs out of bytes first, so it has frames enough.
        assert_eq!(rooms(SEGMENT_FRAMES_MAX, 65_000), [512; 7]);
        let between = rooms(SEGMENT_FRAMES_MAX, 20_000);
        assert_eq!(between, [512, 1024, 2048, 2048, 2048, 2048, 2048]);
        assert_eq!(rooms(16, 100), [16; 7]);
    }

    /// A segment is prepared with the room that it is written with, whenever it is prepared.
    #[test]
    fn a_segment_is_prepared_when_the_one_before_it_is_half_full() {
        let mut tail = tail(SEGMENT_FRAMES_MAX);
        assert_eq!(tail.coming_segments().count(), 0, "nothing was written");
        assert!(!tail.take_call());
        write(&mut tail, 100);
        assert!(tail.take_call(), "a segment was begun");
        for _ in 1..SEGMENT_FRAMES_FIRST / 2 {
            let coming: Vec<_> = tail.coming_segments().collect();
            assert_eq!(coming, [(1, SEGMENT_FRAMES_FIRST)]);
            assert!(!tail.take_call());
            write(&mut tail, 100);
        }
        assert!(tail.take_call(), "it is half full");
        let coming: Vec<_> = tail.coming_segments().collect();
        assert_eq!(coming, [(1, 512), (2, 1024)]);
        // From here on its bytes run out first, but the next segment was prepared already.
        let mut last = (1, 512);
        while last.0 == 1 {
            last = write(&mut tail, 65_000);
        }
        assert_eq!(last, (2, 1024));
    }

    #[test]
    fn bytes_make_a_segment_half_full_too() {
        let mut tail = tail(SEGMENT_FRAMES_MAX);
        for _ in 0..SEGMENT_FRAMES_FIRST {
            write(&mut tail, 100);
        }
        let mut written = 0;
        while written < SEGMENT_BYTES_MAX / 2 {
            assert!(tail.coming_segments().all(|(segment, _)| segment <= 2));
            assert_eq!(write(&mut tail, 65_360), (2, 1024));
            written += 65_440;
        }
        let coming: Vec<_> = tail.coming_segments().collect();
        assert_eq!(coming, [(2, 1024), (3, 1024)]);
    }

    #[test]
    fn a_body_of_more_parts_than_a_segment_of_a_test_has_frames_is_written_to_one() {
        let mut tail = tail(2);
        tail.append_parts(vec![vec![0; 10]; 5]);
        let segments: Vec<_> = tail
            .take_sealed()
            .iter()
            .map(|frame| (frame.segment, frame.room))
            .collect();
        assert_eq!(segments, [(1, 6); 5]);
    }
}
