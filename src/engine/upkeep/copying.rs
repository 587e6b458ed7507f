//! The segments of a log, copied into another one: each is durable before the next one begins.

use std::io;

use crate::engine::sizes::to_u64;
use crate::journal::log::contract::Log;
use crate::journal::recovery::{FoundLog, FoundSegment};

/// Bytes after which the copied frames are handed to the operating system.
const FLUSH_BYTES: u64 = 4 << 20;

/// Begins a segment that will have the frames up to `last`.
pub(in crate::engine) fn begin_segment(
    to: &dyn Log,
    segment: FoundSegment,
    last: u64,
    link: &[u8],
) -> io::Result<()> {
    to.prepare(segment.number, segment.frames_to(last))?;
    to.activate(segment.number, link)
}

/// Makes a segment with all of its frames durable, and closes it.
pub(in crate::engine) fn end_segment(to: &dyn Log, segment: FoundSegment) -> io::Result<()> {
    to.sync(segment.number)?;
    to.seal(segment.number)
}

/// Copies every frame that counts unchanged, without the bytes that a crash has left behind the last one of
/// a segment. Stops at a frame that `take` refuses.
pub(in crate::engine) fn copy_segments(
    from: &dyn Log,
    to: &dyn Log,
    found: &FoundLog,
    take: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    for (segment, last) in found.spans() {
        let number = segment.number;
        begin_segment(to, segment, last, &from.read_link(number)?)?;
        let (mut result, mut unflushed) = (Ok(()), 0);
        from.read_all(number, &mut |index, frame| {
            if segment.first_frame + u64::from(index) > last || !take(frame) {
                return false;
            }
            result = to.append(number, index, frame);
            unflushed += to_u64(frame.len());
            if unflushed > FLUSH_BYTES && result.is_ok() {
                result = to.flush(number);
                unflushed = 0;
            }
            result.is_ok()
        })?;
        result?;
        end_segment(to, segment)?;
    }
    Ok(())
}
