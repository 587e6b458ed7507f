//! Audit entries and archives.

use crate::journal::format::audit::archive::Archive;
use crate::journal::format::audit::chain::genesis;
use crate::journal::format::codec::{self, Entry};
use crate::journal::format::golden::samples::{STEP, STORE_ID, entry, facts, hex};

#[test]
fn an_audit_entry_is_these_bytes() {
    let (head, bytes) = entry();
    assert_eq!(
        hex(&bytes),
        "08010000000000000012ba421bb1cd5fd4aebfdadd011866960475a9afec197f5b83e5a7c7ba46a92f5b00038f00b9556901b95569030000002c010000d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1050000000002000000000000000000000000000000000001000000000000000000000000000000020500616c696365030077687903006b6579"
    );
    let Ok((Entry::Audit(wire), taken)) = codec::decode_entry(&bytes) else {
        panic!("an audit entry")
    };
    assert_eq!(
        (taken, wire.bytes(), wire.head),
        (bytes.len(), bytes.len(), head)
    );
    assert!(wire.follows(&genesis(&STORE_ID)) && !wire.follows(&head));
    assert_eq!(wire.facts().unwrap(), facts());
    for end in (0..bytes.len()).step_by(STEP) {
        assert!(codec::decode_entry(&bytes[..end]).is_err());
    }
}

#[test]
fn an_audit_archive_is_these_bytes() {
    let (after, entries) = entry();
    let archive = Archive {
        store_id: STORE_ID,
        segment: 14,
        before: genesis(&STORE_ID),
        after,
        greatest_expiry: 1_767_225_601,
        entries,
    };
    let bytes = archive.encode();
    assert_eq!(
        hex(&bytes[..136]),
        "68617061786175640100000001b955697369787465656e2062797465732069640e0000000000000000000000000000000253d94dee29d9df19a439ed5116a50a05e6c421e5ec3ec45b06c7fee65fddf4010000000000000012ba421bb1cd5fd4aebfdadd011866960475a9afec197f5b83e5a7c7ba46a92f860000000000000008a4b186f1b94548"
    );
    assert_eq!(bytes[136..], archive.entries);
    assert_eq!(Archive::decode(&bytes).as_ref(), Ok(&archive));
    for end in (0..bytes.len()).step_by(STEP) {
        assert!(Archive::decode(&bytes[..end]).is_err());
    }
    let mut newer = bytes;
    newer[8] = 2;
    assert!(Archive::decode(&newer).is_err());
}
