//! [`Tail`]: the end of the log that is still in memory, and the frames kept there for retries.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::census::Census;
use crate::journal::format::audit::entry::Draft;
use crate::journal::format::codec;
use crate::journal::format::codec::{PART_BYTES_MAX, RECORD_OVERHEAD_MAX};
use crate::journal::format::frame::{FRAME_NUMBER_MAX, HEADER_BYTES, PAYLOAD_BYTES_MAX};
use crate::journal::log::contract::{FRAME_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_FRAMES_FIRST};
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

/// Frames whose memory is kept for later ones, at most.
const SPARE_MAX: usize = 64;

/// A frame that is complete and waits for the writer.
#[derive(Debug)]
pub(crate) struct SealedFrame {
    pub(crate) number: u64,
    pub(crate) segment: u64,
    /// Frames that its segment has room for.
    pub(crate) room: u32,
    pub(crate) records: u32,
    pub(crate) payload: Arc<Vec<u8>>,
}

/// What a record that is appended takes the place of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    pub(crate) locator: Locator,
    pub(crate) expires_at: u32,
}

/// The end of the log. Plain data: its lock is the journal's.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The records of the open frame.
    payload: Vec<u8>,
    records: u32,
    /// The number of the open frame.
    number: u64,
    /// The segment of the open frame, or of the last one while it is empty.
    segment: u64,
    /// Frames and bytes that were given to `segment`, without the open frame.
    segment_frames: u32,
    segment_bytes: u64,
    /// Frames that `segment` has room for; 0 before the first segment of a run.
    room: u32,
    /// What the next segment has room for, once that is settled: it may have been prepared.
    next_room: Option<u32>,
    /// Most frames of a segment.
    room_max: u32,
    /// The segment takes no further frame, however much room it has.
    is_ended: bool,
    /// There is a segment to prepare that the janitor has not heard of.
    calls_janitor: bool,
    /// Invariant: ascending and contiguous; the last is `number - 1`, unless it is empty.
    sealed: VecDeque<SealedFrame>,
    /// Payloads in memory. Invariant: contiguous, the last is that of `number - 1`.
    window: VecDeque<Arc<Vec<u8>>>,
    window_bytes: usize,
    /// Memory of full frames that have left the window.
    spare: Vec<Vec<u8>>,
    /// Frames below this one lie in closed segments, so they may leave the window.
    closed_below: u64,
    appended_bytes: u64,
    /// Records that were read from here to answer a call.
    reads: u64,
    /// The audit log as it is after the last entry that was appended.
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
            segment: last_segment,
            // After a restart writing goes to a new segment.
            segment_frames: 0,
            segment_bytes: 0,
            room: 0,
            next_room: None,
            is_ended: false,
            room_max: segment_frames_max,
            calls_janitor: false,
            sealed: VecDeque::new(),
            window: VecDeque::new(),
            window_bytes: 0,
            spare: Vec::new(),
            closed_below: last + 1,
            appended_bytes: 0,
            reads: 0,
            audit,
            census,
        }
    }

    /// Appends a record in its encoded form, after the parts of its body, and moves the live counts
    /// from the record that it replaces. Its audit entry follows in the same frame.
    pub(crate) fn append(
        &mut self,
        record: &RecordRef<'_>,
        encoded: &[u8],
        parts: Vec<Vec<u8>>,
        replaced: Option<Replaced>,
        audit: Option<&Draft>,
    ) -> Locator {
        let has_parts = !parts.is_empty();
        let audit_bytes = audit.map_or(0, Draft::bytes);
        if has_parts {
            self.append_parts(parts);
        } else if self.payload.len() + encoded.len() + audit_bytes > PAYLOAD_BYTES_MAX {
            self.seal();
        }
        if self.records == 0 {
            self.begin(1, FRAME_BYTES_MAX);
        }
        let offset = u16::try_from(self.payload.len()).expect("a payload is under 64 KiB");
        let locator = Locator {
            frame: self.number,
            offset,
        };
        self.payload.extend_from_slice(encoded);
        self.records += 1;
        let bytes = if has_parts {
            encoded.len() + record.body.len()
        } else {
            encoded.len()
        };
        let bytes = u64::try_from(bytes).expect("a record is at most 16 MiB");
        self.appended_bytes += bytes;
        if record.head.kind == RecordKind::Forgotten {
            self.census.removal(self.segment, &record.head, bytes);
        } else {
            self.census.written(self.segment, &record.head, bytes);
            self.census.born(self.segment, record.head.expires_at);
        }
        if let Some(replaced) = replaced {
            self.census
                .died(replaced.locator.frame, replaced.expires_at);
        }
        if let Some(draft) = audit {
            self.write_audit(draft);
        }
        locator
    }

    /// Appends an audit entry alone: of a transition that has no record. Gives its frame.
    pub(crate) fn append_audit(&mut self, draft: &Draft) -> u64 {
        if self.payload.len() + draft.bytes() > PAYLOAD_BYTES_MAX {
            self.seal();
        }
        if self.records == 0 {
            self.begin(1, FRAME_BYTES_MAX);
        }
        self.write_audit(draft);
        self.number
    }

    fn write_audit(&mut self, draft: &Draft) {
        draft.write(&mut self.audit, &mut self.payload);
        self.records += 1;
        let bytes = u64::try_from(draft.bytes()).expect("an entry is under 64 KiB");
        self.appended_bytes += bytes;
        self.census
            .audited(self.segment, 1, bytes, draft.expires_at);
    }

    /// The audit log as it is after the last entry that was appended.
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
        self.is_ended = true;
    }

    /// Rolls to a new segment unless the current one has room.
    fn begin(&mut self, frames: u32, bytes: usize) {
        let bytes = u64::try_from(bytes).expect("a body is at most 16 MiB");
        let full = self.is_ended
            || self.segment_frames.saturating_add(frames) > self.room
            || self.segment_bytes + bytes > SEGMENT_BYTES_MAX;
        if full {
            // A body with more parts than segments of a test have frames is written all the same.
            self.room = self.settle_next_room().max(frames);
            self.next_room = None;
            self.calls_janitor = true;
            self.is_ended = false;
            self.segment += 1;
            self.segment_frames = 0;
            self.segment_bytes = 0;
            self.census.open_segment(self.segment, self.number);
        }
    }

    /// Frames that the next segment has room for: few at first, and twice as many where the last
    /// one had frames enough to run out of them well before its bytes.
    fn settle_next_room(&mut self) -> u32 {
        let grown = match self.room {
            0 => SEGMENT_FRAMES_FIRST,
            room if self.runs_out_of_frames() => room.saturating_mul(2),
            room => room,
        };
        *self.next_room.get_or_insert(grown.min(self.room_max))
    }

    /// Whether the frames of the segment go faster than its bytes, by a third or more.
    fn runs_out_of_frames(&self) -> bool {
        let (frames, room) = (u64::from(self.segment_frames), u64::from(self.room));
        self.segment_bytes * room * 4 < frames * SEGMENT_BYTES_MAX * 3
    }

    fn is_half_full(&self) -> bool {
        self.segment_frames >= self.room.div_ceil(2) || self.segment_bytes >= SEGMENT_BYTES_MAX / 2
    }

    /// The segments that will be written to soon, and how many frames they need room for: the one
    /// that was begun in this run, and the next one once that is half full.
    pub(crate) fn coming_segments(&mut self) -> impl Iterator<Item = (u64, u32)> {
        let begun = self.begun_segment();
        let next = begun.filter(|_| self.is_half_full());
        let next = next.map(|(segment, _)| (segment + 1, self.settle_next_room()));
        begun.into_iter().chain(next)
    }

    /// The segment that takes frames now, and how many it has room for; `None` before the first change
    /// of a run.
    pub(crate) fn begun_segment(&self) -> Option<(u64, u32)> {
        (self.room > 0).then_some((self.segment, self.room))
    }

    /// The segment that the first frame of this run will go to, while there is none.
    pub(crate) fn first_segment(&mut self) -> Option<(u64, u32)> {
        (self.room == 0).then(|| (self.segment + 1, self.settle_next_room()))
    }

    /// Whether the janitor has to hear of a segment to prepare, since this was last asked.
    pub(crate) fn take_call(&mut self) -> bool {
        std::mem::take(&mut self.calls_janitor)
    }

    /// Completes the open frame, if it holds anything.
    pub(crate) fn seal(&mut self) {
        if self.records == 0 {
            return;
        }
        let next = self.next_payload();
        let payload = std::mem::replace(&mut self.payload, next);
        let records = std::mem::take(&mut self.records);
        self.push(payload, records);
    }

    /// Room for the next frame: frames under one load are of one size, and the memory of full ones
    /// is used again.
    fn next_payload(&mut self) -> Vec<u8> {
        let bytes = self.payload.len();
        let spare = (bytes > PAYLOAD_BYTES_MAX / 2).then(|| self.spare.pop());
        spare.flatten().unwrap_or_else(|| Vec::with_capacity(bytes))
    }

    fn push(&mut self, payload: Vec<u8>, records: u32) {
        assert!(
            self.number < FRAME_NUMBER_MAX,
            "2^44 frames last longer than any medium"
        );
        let payload = Arc::new(payload);
        let was_half_full = self.is_half_full();
        self.segment_frames += 1;
        self.segment_bytes +=
            u64::try_from(payload.len() + HEADER_BYTES).expect("a frame is under 64 KiB");
        self.calls_janitor |= !was_half_full && self.is_half_full();
        self.census.frame(payload.len());
        self.window_bytes += payload.len();
        self.window.push_back(Arc::clone(&payload));
        self.sealed.push_back(SealedFrame {
            number: self.number,
            segment: self.segment,
            room: self.room,
            records,
            payload,
        });
        self.number += 1;
    }

    /// Takes what waits for the writer.
    pub(crate) fn take_sealed(&mut self) -> VecDeque<SealedFrame> {
        std::mem::take(&mut self.sealed)
    }

    /// Frames below `frame` lie in closed segments; lets go of what is over `keep_bytes`.
    pub(crate) fn close_below(&mut self, frame: u64, keep_bytes: usize) {
        self.closed_below = self.closed_below.max(frame);
        while self.window_bytes > keep_bytes && self.window_first() < self.closed_below {
            let Some(payload) = self.window.pop_front() else {
                return;
            };
            self.window_bytes -= payload.len();
            if payload.len() > PAYLOAD_BYTES_MAX / 2 && self.spare.len() < SPARE_MAX {
                // Whoever still reads it keeps it.
                self.spare.extend(Arc::into_inner(payload).map(|mut bytes| {
                    bytes.clear();
                    bytes
                }));
            }
        }
    }

    fn window_first(&self) -> u64 {
        self.number - u64::try_from(self.window.len()).expect("a window is in memory")
    }

    /// A complete frame that is in memory.
    pub(crate) fn in_memory(&self, frame: u64) -> Option<Arc<Vec<u8>>> {
        let at = usize::try_from(frame.checked_sub(self.window_first())?).ok()?;
        self.window.get(at).cloned()
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
        self.segment
    }

    /// Frames that the segment still takes, the open one left out.
    pub(crate) fn frames_left(&self) -> u64 {
        let taken = self.segment_frames + u32::from(self.records > 0);
        u64::from(self.room.saturating_sub(taken))
    }

    /// Bytes of frames that the segment still takes.
    pub(crate) fn bytes_left(&self) -> u64 {
        let open = u64::try_from(self.payload.len()).expect("a payload is under 64 KiB");
        SEGMENT_BYTES_MAX.saturating_sub(self.segment_bytes + open)
    }

    /// Bytes of the records that were appended to this tail.
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
        self.window_bytes
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
    use super::{SEGMENT_BYTES_MAX, SEGMENT_FRAMES_FIRST, Tail};
    use crate::journal::census::Census;
    use crate::journal::format::audit::chain::genesis;
    use crate::journal::log::contract::SEGMENT_FRAMES_MAX;

    fn tail(frames_max: u32) -> Tail {
        Tail::new(0, 0, frames_max, genesis(&[0; 16]), Census::new(0))
    }

    /// Writes a frame of so many bytes, and gives its segment with the room that it has.
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
        // Whose bytes run out as soon as its frames has room enough.
        assert_eq!(rooms(SEGMENT_FRAMES_MAX, 65_000), [512; 7]);
        let between = rooms(SEGMENT_FRAMES_MAX, 20_000);
        assert_eq!(between, [512, 1024, 2048, 2048, 2048, 2048, 2048]);
        assert_eq!(rooms(16, 100), [16; 7]);
    }

    /// What is prepared has the room that the segment is written with, whenever it is prepared.
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
        // From here on its bytes run out first, but what was prepared stays as it is.
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
