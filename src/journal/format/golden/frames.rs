//! Frames.

use crate::journal::format::frame::{HEADER_BYTES, open_frame};
use crate::journal::format::golden::samples::{STORE_ID, frame, hex, payload};

#[test]
fn a_frame_is_these_bytes() {
    let bytes = frame();
    assert_eq!(
        hex(&bytes[..HEADER_BYTES]),
        "686170617866726d02000000070000007369787465656e20627974657320696406050403020100000900000002b95569050504030201000088776655443322118801000000000000e59e0c0aefd85f92"
    );
    let view = open_frame(&bytes, &STORE_ID).unwrap();
    assert_eq!(
        (view.header.number, view.header.epoch),
        (0x0102_0304_0506, 9)
    );
    assert_eq!(view.payload, payload().0);
}
