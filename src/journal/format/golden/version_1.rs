//! What version 1 wrote.

use crate::journal::format::frame::open_frame;
use crate::journal::format::golden::samples::{STORE_ID, marks, payload};
use crate::journal::format::marks::Marks;
use crate::value::fencing_token::{EPOCH_END, FencingToken};

/// In version 1 the epoch had 23 bits of a token. Such an epoch is read as the highest of today's epochs
/// that one of its tokens can belong to, so that every later token is higher.
#[test]
fn frames_and_marks_of_version_1_are_read() {
    let mut bytes = bytes_of(
        "686170617866726d01000000070000007369787465656e20627974657320696406050403020100000900000002b95569050504030201000088776655443322118801000000000000902deca13622d610",
    );
    bytes.extend(payload().0);
    let view = open_frame(&bytes, &STORE_ID).unwrap();
    assert_eq!(view.header.epoch, 0x9ff);
    assert!(FencingToken::new(0xa00, 0).as_u64() > (9 << 40) + COUNTER_1_MAX);
    assert!(FencingToken::new(0x9ff, 0).as_u64() < (9 << 40) + COUNTER_1_MAX);
    let bytes = bytes_of(
        "68617061786d726b01000000090000007369787465656e2062797465732069640b000000000000000c000000000000000d000000000000000e000000000000000f000000000000001000000000000000d3afda769b01000000000000000000000000000000000000fbfa24558cdfc140",
    );
    let widened = Marks {
        epoch: 0x9ff,
        ..marks()
    };
    assert_eq!(Marks::decode(&bytes), Some(widened));
    let beyond = resealed_marks(bytes, 12, &(1_u32 << 23).to_le_bytes());
    assert!(Marks::decode(&beyond).unwrap().epoch >= EPOCH_END);
}

/// The highest counter of a token of version 1.
const COUNTER_1_MAX: u64 = (1 << 40) - 1;

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn resealed_marks(mut bytes: Vec<u8>, at: usize, field: &[u8]) -> Vec<u8> {
    bytes[at..at + field.len()].copy_from_slice(field);
    let end = bytes.len() - 8;
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
