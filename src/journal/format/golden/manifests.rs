//! The manifest.

use crate::journal::format::golden::samples::{hex, manifest};
use crate::journal::format::manifest::Manifest;
use crate::journal::format::manifest_file;
use crate::value::audit::AuditLevel;
use crate::value::error::ErrorKind;

#[test]
fn a_manifest_is_these_bytes() {
    assert_eq!(
        hex(&manifest_file::encode(&manifest())),
        "68617061786d616e010000002c8090bce8aecfd37369787465656e206279746573206964ababababababababababababababababfc00b9556900020105706c61696e00fd005847f80d000000fd00004f91944e000000fd00004f91944e000000fc00001000000100000203616c6c01fc00ca9a3bfd00e876481700000001fd00743ba40b000000fd003c534c100000000104fbe80301000101fc80b2e60e"
    );
    assert_eq!(
        manifest_file::decode(&manifest_file::encode(&manifest())).unwrap(),
        manifest()
    );
}

#[test]
fn the_manifest_of_a_salvaged_store_is_one_byte_longer() {
    let plain = manifest_file::encode(&manifest());
    let salvaged = Manifest {
        salvaged: true,
        ..manifest()
    };
    let bytes = manifest_file::encode(&salvaged);
    assert_eq!(
        hex(&bytes[..20]),
        "68617061786d616e02000000bb57e308046971d1"
    );
    assert_eq!(bytes[20..bytes.len() - 1], plain[20..]);
    assert_eq!(bytes.last(), Some(&1));
    assert_eq!(manifest_file::decode(&bytes).unwrap(), salvaged);
    for (mut changed, version) in [(bytes, 1), (plain, 2)] {
        changed[8] = version;
        assert_eq!(
            manifest_file::decode(&changed).unwrap_err().kind(),
            ErrorKind::Damaged
        );
    }
}

/// A manifest with something that earlier versions of hapax do not know has a version that they refuse.
#[test]
fn the_manifest_of_namespaces_with_an_audit_log_is_longer() {
    let mut audited = manifest();
    audited.namespaces[1].policy = audited.namespaces[1].policy.clone().audit(AuditLevel::Keys);
    for salvaged in [false, true] {
        audited.salvaged = salvaged;
        let bytes = manifest_file::encode(&audited);
        let plain = manifest_file::encode(&manifest());
        assert_eq!(bytes[8..12], [3, 0, 0, 0]);
        assert_eq!(bytes[20..plain.len()], plain[20..]);
        let extension = format!(
            "{:02x}0200fd0000700b23c87a0002fd0000700b23c87a00",
            u8::from(salvaged)
        );
        assert_eq!(hex(&bytes[plain.len()..]), extension);
        assert_eq!(manifest_file::decode(&bytes).unwrap(), audited);
    }
}
