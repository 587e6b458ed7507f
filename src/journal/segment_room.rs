//! [`SegmentRoom`]: which segment the next frames go to, and how much it still takes.

use crate::journal::log::contract::{SEGMENT_BYTES_MAX, SEGMENT_FRAMES_FIRST};

/// The segment at the end of the log.
#[derive(Debug)]
pub(super) struct SegmentRoom {
    /// The segment that takes frames, or the last one of an earlier run.
    number: u64,
    /// Frames and bytes that were given to it, without the open frame.
    frames: u32,
    bytes: u64,
    /// Frames that it has room for; 0 before the first segment of a run.
    room: u32,
    /// The room of the next segment, once it is fixed: that segment may have been prepared.
    next_room: Option<u32>,
    /// Most frames of a segment.
    room_max: u32,
    /// It takes no further frame, even if it has room.
    is_ended: bool,
}

impl SegmentRoom {
    /// After a segment of an earlier run: writing goes on in a new one.
    pub(super) fn after(segment: u64, room_max: u32) -> Self {
        Self {
            number: segment,
            frames: 0,
            bytes: 0,
            room: 0,
            next_room: None,
            room_max,
            is_ended: false,
        }
    }

    #[inline]
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Frames that the segment has room for.
    #[inline]
    pub(super) fn room(&self) -> u32 {
        self.room
    }

    /// Lets the next frame go to a new segment.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    /// Whether this number of further frames, with this number of bytes in all, fits in.
    #[inline]
    pub(super) fn fits(&self, frames: u32, bytes: u64) -> bool {
        !self.is_ended
            && self.frames.saturating_add(frames) <= self.room
            && self.bytes + bytes <= SEGMENT_BYTES_MAX
    }

    /// Moves on to a new segment, with room for at least `frames` frames.
    pub(super) fn roll(&mut self, frames: u32) {
        // A body with more parts than a segment of a test has frames is written all the same.
        self.room = self.fix_next_room().max(frames);
        self.next_room = None;
        self.is_ended = false;
        self.number += 1;
        self.frames = 0;
        self.bytes = 0;
    }

    /// Counts a frame; returns whether that makes the segment half full.
    #[inline]
    pub(super) fn add_frame(&mut self, bytes: u64) -> bool {
        let was_half_full = self.is_half_full();
        self.frames += 1;
        self.bytes += bytes;
        !was_half_full && self.is_half_full()
    }

    fn is_half_full(&self) -> bool {
        self.frames >= self.room.div_ceil(2) || self.bytes >= SEGMENT_BYTES_MAX / 2
    }

    /// Frames that the next segment has room for: few at first, and twice as many if the last segment
    /// had enough of them to run out of frames well before its bytes.
    fn fix_next_room(&mut self) -> u32 {
        let grown = match self.room {
            0 => SEGMENT_FRAMES_FIRST,
            room if self.runs_out_of_frames() => room.saturating_mul(2),
            room => room,
        };
        *self.next_room.get_or_insert(grown.min(self.room_max))
    }

    /// Whether the frames of the segment go faster than its bytes, by a third or more.
    fn runs_out_of_frames(&self) -> bool {
        let (frames, room) = (u64::from(self.frames), u64::from(self.room));
        self.bytes * room * 4 < frames * SEGMENT_BYTES_MAX * 3
    }

    /// The segments that will be written to soon, and how many frames they need room for: the one
    /// that was begun in this run, and the next one once that is half full.
    pub(super) fn coming(&mut self) -> impl Iterator<Item = (u64, u32)> {
        let begun = self.begun();
        let next = begun.filter(|_| self.is_half_full());
        let next = next.map(|(segment, _)| (segment + 1, self.fix_next_room()));
        begun.into_iter().chain(next)
    }

    /// The segment that takes frames now, and its room; `None` before the first change of a run.
    pub(super) fn begun(&self) -> Option<(u64, u32)> {
        (self.room > 0).then_some((self.number, self.room))
    }

    /// The segment of the first frame of this run, and its room; `None` once it is begun.
    pub(super) fn first(&mut self) -> Option<(u64, u32)> {
        (self.room == 0).then(|| (self.number + 1, self.fix_next_room()))
    }

    /// Frames that the segment still takes, after `open` ones that are not given to it yet.
    pub(super) fn frames_left(&self, open: u32) -> u64 {
        u64::from(self.room.saturating_sub(self.frames + open))
    }

    /// Bytes of frames that the segment still takes, after `open` ones that are not given to it yet.
    pub(super) fn bytes_left(&self, open: u64) -> u64 {
        SEGMENT_BYTES_MAX.saturating_sub(self.bytes + open)
    }
}
