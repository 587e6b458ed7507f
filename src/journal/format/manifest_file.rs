//! The file of the [`Manifest`], which is synced and replaced as a whole.

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::format::codec::{decode_manifest, encode_manifest};
use crate::journal::format::fields::Fields;
use crate::journal::format::manifest::Manifest;
use crate::value::error::{Error, ErrorKind, Result};

const MAGIC: [u8; 8] = *b"hapaxman";

/// The version that every version of hapax reads.
const VERSION_PLAIN: u32 = 1;

/// A salvaged store. A version of hapax that does not know salvage must not grant anything from it.
const VERSION_SALVAGED: u32 = 2;

/// A store with an audit log. A version of hapax that does not know audit logs must not write to it.
const VERSION_EXTENDED: u32 = 3;

const PREFIX_BYTES: usize = 20;

/// The bytes of the file.
pub(crate) fn encode(manifest: &Manifest) -> Vec<u8> {
    let body = encode_manifest(manifest);
    let mut out = Vec::with_capacity(PREFIX_BYTES + body.len());
    out.extend_from_slice(&MAGIC);
    let version = match manifest.salvaged {
        _ if manifest.is_extended() => VERSION_EXTENDED,
        true => VERSION_SALVAGED,
        false => VERSION_PLAIN,
    };
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    out.extend_from_slice(&body);
    out
}

/// The manifest in the bytes of a file.
pub(crate) fn decode(bytes: &[u8]) -> Result<Manifest> {
    let (prefix, body) = bytes.split_at_checked(PREFIX_BYTES).ok_or_else(damaged)?;
    let mut fields = Fields(prefix);
    let (magic, version): ([u8; 8], u32) = (fields.take(), u32::from_le_bytes(fields.take()));
    let checksum = u64::from_le_bytes(fields.take());
    if magic != MAGIC {
        // A directory that is no store is refused before its manifest is read.
        return Err(damaged());
    }
    if version > VERSION_EXTENDED {
        let text = format!(
            "the manifest has format {version}, this version of hapax reads up to {VERSION_EXTENDED}: use the version that wrote it, or a newer one"
        );
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    if version == 0 || checksum != xxh3_64(body) {
        return Err(damaged());
    }
    let extended = version == VERSION_EXTENDED;
    let manifest = decode_manifest(body, extended).map_err(|_| damaged())?;
    let is_stated = extended || manifest.salvaged == (version == VERSION_SALVAGED);
    if !is_stated || !manifest.is_plausible() {
        return Err(damaged());
    }
    Ok(manifest)
}

fn damaged() -> Error {
    Error::new(
        ErrorKind::Damaged,
        "the manifest is damaged: restore a backup, or save what is left with Store::salvage_with",
    )
}

/// Whether bytes begin as a manifest does, whole or not.
pub(crate) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The version of the format of bytes that decode.
pub(crate) fn version_of(bytes: &[u8]) -> u32 {
    let version = bytes.get(8..12).and_then(|bytes| bytes.try_into().ok());
    version.map_or(0, u32::from_le_bytes)
}
