//! Any bytes, and any record.

use proptest::prelude::*;

use crate::journal::format::audit::archive::Archive;
use crate::journal::format::codec::{self, Entry};
use crate::journal::format::frame::open_frame;
use crate::journal::format::golden::samples::{KINDS, STEP, STORE_ID, record};
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{Link, Marks};
use crate::value::namespace_id::NamespaceId;
use crate::value::record::Head;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300 / STEP), kind in 0..9_u8) {
        for start in [bytes.clone(), [&[kind][..], &bytes].concat()] {
            match codec::decode_entry(&start) {
                Ok((Entry::Record(wire), taken)) => {
                    prop_assert!(taken <= start.len());
                    let _ = wire.head();
                    let _ = wire.to_record(None);
                }
                Ok((Entry::Audit(wire), taken)) => {
                    prop_assert!(taken <= start.len());
                    let _ = wire.facts();
                }
                _ => {}
            }
            let _ = Archive::decode(&start);
        }
        prop_assert!(open_frame(&bytes, &STORE_ID).is_err());
        prop_assert!(Marks::decode(&bytes).is_none() && Link::decode(&bytes).is_none());
        prop_assert!(manifest_file::decode(&bytes).is_err());
        let _ = codec::decode_manifest(&bytes, false);
        let _ = codec::decode_manifest(&bytes, true);
    }

    #[test]
    fn a_record_that_was_tampered_with_never_panics(at in 0..200_usize, value in any::<u8>(), which in 0..6_usize) {
        let mut bytes = Vec::new();
        codec::encode_record(&record(KINDS[which]).as_ref(), 0, &mut bytes);
        let end = bytes.len();
        bytes[at % end] = value;
        if let Ok((Entry::Record(wire), _)) = codec::decode_entry(&bytes) {
            let _ = wire.to_record(None);
            let _ = wire.to_record(Some(vec![0; 4]));
        }
    }

    #[test]
    fn what_is_encoded_comes_back(
        key in proptest::collection::vec(any::<u8>(), 1..1 + 1024 / STEP),
        metadata in proptest::collection::vec(any::<u8>(), 0..300 / STEP),
        body in proptest::collection::vec(any::<u8>(), 0..3000 / STEP),
        numbers in any::<(u32, u32, u32, u32, u32)>(),
        which in 0..6_usize,
    ) {
        let mut record = record(KINDS[which]);
        let (namespace, attempt, first, at, expires) = numbers;
        record.head = Head {
            namespace: NamespaceId(namespace),
            attempt,
            first_claimed_at: first,
            recorded_at: at,
            expires_at: expires,
            ..record.head
        };
        (record.key, record.metadata, record.body) = ((*key).into(), metadata.into(), body.into());
        let mut bytes = Vec::new();
        codec::encode_record(&record.as_ref(), 0, &mut bytes);
        prop_assert!(bytes.len() <= codec::record_bytes_max(&record.as_ref()));
        // On the stack or, beyond its room, off it: the same bytes.
        let mut encoded = codec::Encoded::empty();
        encoded.put(&record.as_ref(), 0);
        prop_assert_eq!(encoded.bytes(), &bytes[..]);
        let whole = bytes.len();
        bytes.extend_from_slice(b"the next one");
        let Ok((Entry::Record(wire), taken)) = codec::decode_entry(&bytes) else { panic!("a record") };
        prop_assert_eq!(taken, whole);
        prop_assert_eq!(wire.to_record(None).unwrap(), record);
    }
}
