//! Names that contain the number of a segment, as 16 hexadecimal digits.

use crate::value::log_kind::LogKind;

/// Ends the name of a segment's file in the log on plain files.
const FILE_SUFFIX: &str = ".seg";

/// Ends the name of an audit archive.
const ARCHIVE_SUFFIX: &str = ".aud";

/// Begins the name of a segment's folder that is being deleted.
const DEAD_PREFIX: &str = "dead-";

/// The folder of a segment in sled.
pub(crate) fn folder(segment: u64) -> String {
    format!("{segment:016x}")
}

/// The number in the name of a segment's folder in sled.
pub(crate) fn number_of_folder(name: &str) -> Option<u64> {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if name.len() == 16 && name.bytes().all(is_digit) {
        u64::from_str_radix(name, 16).ok()
    } else {
        None
    }
}

/// The name that a folder has while it is being deleted.
pub(crate) fn dead(folder: &str) -> String {
    format!("{DEAD_PREFIX}{folder}")
}

/// Whether a folder of this name is being deleted.
pub(crate) fn is_dead(name: &str) -> bool {
    name.starts_with(DEAD_PREFIX)
}

/// The file of a segment on plain files.
pub(crate) fn file(segment: u64) -> String {
    folder(segment) + FILE_SUFFIX
}

/// The number in the name of a segment's file.
pub(crate) fn number_of_file(name: &str) -> Option<u64> {
    number_of_folder(name.strip_suffix(FILE_SUFFIX)?)
}

/// The audit archive of a segment.
pub(crate) fn archive(segment: u64) -> String {
    folder(segment) + ARCHIVE_SUFFIX
}

/// The number in the name of an audit archive.
pub(crate) fn number_of_archive(name: &str) -> Option<u64> {
    number_of_folder(name.strip_suffix(ARCHIVE_SUFFIX)?)
}

/// The number in the name of a segment of this kind of log.
pub(crate) fn number(kind: LogKind, name: &str) -> Option<u64> {
    match kind {
        LogKind::Sled => number_of_folder(name),
        LogKind::Files => number_of_file(name),
    }
}

/// Whether an entry of the folder of segments belongs to this kind of log, a dead one included.
pub(crate) fn is_of(kind: LogKind, name: &str) -> bool {
    match kind {
        LogKind::Sled => number_of_folder(name.strip_prefix(DEAD_PREFIX).unwrap_or(name)).is_some(),
        LogKind::Files => number_of_file(name).is_some(),
    }
}

/// Whether an entry of the folder of segments belongs to any log.
pub(crate) fn is_of_any(name: &str) -> bool {
    is_of(LogKind::Sled, name) || is_of(LogKind::Files, name)
}
