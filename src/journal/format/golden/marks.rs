//! Marks and links.

use crate::journal::format::golden::samples::{entry, hex, link, marks};
use crate::journal::format::marks::{Archived, Link, Marks};

/// The bug: a slot that was written after the last generation counted as the older one.
#[test]
fn generations_of_marks_go_on_past_the_last() {
    let slot = |generation: u64, durable: u64| {
        let marks = Marks {
            generation,
            durable,
            ..marks()
        };
        marks.encode()
    };
    let newest = |slots: [Vec<u8>; 2]| {
        let (marks, next) = Marks::newest(&slots);
        (marks.unwrap().durable, next)
    };
    assert_eq!(newest([slot(u64::MAX, 1), slot(0, 2)]), (2, 0));
    assert_eq!(newest([slot(1, 2), slot(u64::MAX, 1)]), (2, 1));
    assert_eq!(newest([slot(7, 1), slot(8, 2)]), (2, 0));
    assert_eq!(newest([slot(8, 2), slot(8, 2)]), (2, 1));
}

#[test]
fn marks_and_links_are_these_bytes() {
    assert_eq!(
        hex(&marks().encode()),
        "68617061786d726b02000000090000007369787465656e2062797465732069640b000000000000000c000000000000000d000000000000000e000000000000000f000000000000001000000000000000d3afda769b01000000000000000000000000000000000000cc6f946869cd1801"
    );
    assert_eq!(Marks::decode(&marks().encode()), Some(marks()));
    let archived = Marks {
        archived: Archived::at(&entry().0),
        ..marks()
    };
    let (plain, bytes) = (marks().encode(), archived.encode());
    assert_eq!(bytes[..88], plain[..88]);
    assert_eq!(hex(&bytes[88..104]), "010000000000000012ba421bb1cd5fd4");
    assert_eq!(Marks::decode(&bytes), Some(archived));
    assert_eq!(
        hex(&link().encode()),
        concat!(
            "68617061786c6e6b7369787465656e2062797465732069640e000000000000000f000000000000001000000000000000",
            "1420fe2cd394349f"
        )
    );
    assert_eq!(Link::decode(&link().encode()), Some(link()));
}
