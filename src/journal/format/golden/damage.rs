//! Bytes that are cut short, too long or changed.

use crate::journal::format::bad_record::BadRecord;
use crate::journal::format::codec;
use crate::journal::format::frame::{BadFrame, open_frame};
use crate::journal::format::golden::samples::{
    STEP, STORE_ID, frame, link, manifest, marks, record,
};
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{LINK_BYTES, Link, MARKS_BYTES, Marks};
use crate::value::record::RecordKind;

#[test]
fn nothing_that_is_cut_short_or_too_long_decodes() {
    let mut completed = Vec::new();
    codec::encode_record(&record(RecordKind::Completed).as_ref(), 0, &mut completed);
    for end in 0..completed.len() {
        assert_eq!(
            codec::decode_entry(&completed[..end]).unwrap_err(),
            BadRecord::Malformed
        );
    }
    let frame = frame();
    for end in (0..frame.len()).step_by(STEP) {
        assert_eq!(
            open_frame(&frame[..end], &STORE_ID).unwrap_err(),
            BadFrame::Corrupt
        );
    }
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert_eq!(
        open_frame(&longer(&frame), &STORE_ID).unwrap_err(),
        BadFrame::Corrupt
    );
    let (marks, link, manifest) = (
        marks().encode(),
        link().encode(),
        manifest_file::encode(&manifest()),
    );
    assert_eq!((marks.len(), link.len()), (MARKS_BYTES, LINK_BYTES));
    assert!(
        (0..marks.len())
            .step_by(STEP)
            .all(|end| Marks::decode(&marks[..end]).is_none())
    );
    assert!(
        (0..link.len())
            .step_by(STEP)
            .all(|end| Link::decode(&link[..end]).is_none())
    );
    assert!(
        (0..manifest.len())
            .step_by(STEP)
            .all(|end| manifest_file::decode(&manifest[..end]).is_err())
    );
    assert!(Marks::decode(&longer(&marks)).is_none() && Link::decode(&longer(&link)).is_none());
    assert!(manifest_file::decode(&longer(&manifest)).is_err());
}

#[test]
fn one_changed_bit_is_found_wherever_it_is() {
    let all = [
        frame(),
        marks().encode(),
        link().encode(),
        manifest_file::encode(&manifest()),
    ];
    for (which, bytes) in all.iter().enumerate() {
        for bit in (0..bytes.len() * 8).step_by(STEP) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = match which {
                0 => open_frame(&changed, &STORE_ID).is_err(),
                1 => Marks::decode(&changed).is_none(),
                2 => Link::decode(&changed).is_none(),
                _ => manifest_file::decode(&changed).is_err(),
            };
            assert!(refused, "bit {bit} of {which}");
        }
    }
}
