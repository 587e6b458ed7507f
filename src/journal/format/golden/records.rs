//! Records, removals and parts.

use crate::journal::format::codec::{self, Entry};
use crate::journal::format::golden::samples::{KINDS, hex, record};
use crate::value::locator::Locator;
use crate::value::record::RecordKind;

#[test]
fn records_of_every_kind_are_these_bytes() {
    let golden = [
        "010003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "020003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b65792f070000000206616d6f756e740100000000000000000000000000000002746ffeffffffffffffffffffffffffffffff046d65746103776879000404626f6479",
        "030103fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "040003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "050003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
        "060003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900036b657900046d65746103776879000404626f6479",
    ];
    for (kind, golden) in KINDS.into_iter().zip(golden) {
        let mut bytes = Vec::new();
        codec::encode_record(&record(kind).as_ref(), 0, &mut bytes);
        assert_eq!(hex(&bytes), golden, "{kind:?}");
        let Ok((Entry::Record(wire), taken)) = codec::decode_entry(&bytes) else {
            panic!("a record")
        };
        assert_eq!(taken, bytes.len());
        assert_eq!(wire.to_record(None).unwrap(), record(kind));
    }
}

/// A removal names a place, and holds no byte of the key that it removes.
#[test]
fn a_removal_is_these_bytes() {
    let at = Locator {
        frame: 300,
        offset: 70,
    };
    let head = record(RecordKind::Forgotten).head;
    for (removed, golden) in [
        (
            Some(at),
            "090003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a0900fb2c0146",
        ),
        (
            None,
            "090003fd0500000000020000fb2c01fc00b95569fc01b95569fcfffffffffc803a09000000",
        ),
    ] {
        let mut encoded = codec::Encoded::empty();
        encoded.put_removal(&head, removed);
        assert_eq!(hex(encoded.bytes()), golden);
        let Ok((Entry::Removal(removal), taken)) = codec::decode_entry(encoded.bytes()) else {
            panic!("a removal")
        };
        assert_eq!((taken, removal.bytes()), (golden.len() / 2, taken));
        assert_eq!((removal.head(), removal.removed()), (Ok(head), removed));
    }
}

#[test]
fn a_part_is_these_bytes() {
    let mut bytes = Vec::new();
    codec::encode_part(300, b"bytes", &mut bytes);
    assert_eq!(hex(&bytes), "07fb2c01056279746573");
    let Ok((Entry::Part(part), taken)) = codec::decode_entry(&bytes) else {
        panic!("a part")
    };
    assert_eq!(
        (part.index, part.bytes, taken),
        (300, &b"bytes"[..], bytes.len())
    );
}
