//! Which kind of log a store has, by its file `LOGKIND` and its segments.
//!
//! A store without the file is in sled. While a store moves to the other kind, and until the rest
//! of its old log has been removed, it has segments of both kinds: the file then says that those of
//! the other kind are void. It is replaced as a whole, so that a store always has exactly one log.

use std::io::{self, ErrorKind};

use crate::journal::format::log_kind_note::{BadNote, LogKindNote};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::directory::Directory;
use crate::journal::log::directory::files::names_if_there;
use crate::journal::log::directory::read_only_directory::ReadOnlyDirectory;
use crate::journal::log::directory::segment_name;
use crate::value::log_kind::LogKind;

/// Says which kind of log the store has. If there is no store yet, decides it durably: `new`, or as an
/// earlier creation began.
pub(crate) fn choose(directory: &Directory, new: Option<LogKind>) -> io::Result<LogKindNote> {
    let noted = read_note(directory.read_log_kind()?)?;
    let segments = directory.segments();
    let found = |kind| Ok::<_, io::Error>(!entries(segments, kind)?.is_empty());
    let is_new =
        directory.read_manifest()?.is_none() && !found(LogKind::Sled)? && !found(LogKind::Files)?;
    if is_new {
        // A crash may have cut an earlier creation short, of the other kind.
        let kind = new.unwrap_or(noted.kind);
        let note = LogKindNote {
            kind,
            has_void: false,
        };
        if note != noted {
            directory.write_log_kind(&note.encode())?;
        }
        return Ok(note);
    }
    check_segments(noted, segments)?;
    Ok(noted)
}

/// As [`choose`], for a store that exists and is only read.
pub(crate) fn find(directory: &ReadOnlyDirectory) -> io::Result<LogKind> {
    let noted = read_note(directory.read_log_kind()?)?;
    check_segments(noted, directory.segments())?;
    Ok(noted.kind)
}

fn read_note(bytes: Option<Vec<u8>>) -> io::Result<LogKindNote> {
    let by_default = LogKindNote {
        kind: LogKind::Sled,
        has_void: false,
    };
    bytes.map_or(Ok(by_default), |bytes| {
        LogKindNote::decode(&bytes).map_err(explain)
    })
}

/// Refuses segments of the other kind that are not void.
fn check_segments(noted: LogKindNote, segments: &AnchoredPath) -> io::Result<()> {
    if noted.has_void || entries(segments, noted.kind.other())?.is_empty() {
        return Ok(());
    }
    let what = format!(
        "{segments} holds segments of another kind of log than LOGKIND says: LOGKIND is missing or damaged; nothing was changed: restore a backup, or save what is left with Store::salvage"
    );
    Err(io::Error::new(ErrorKind::InvalidData, what))
}

fn explain(bad: BadNote) -> io::Error {
    match bad {
        BadNote::Corrupt => io::Error::new(
            ErrorKind::InvalidData,
            "LOGKIND, which says which kind of log the store has, is damaged; nothing was changed: restore a backup, or save what is left with Store::salvage",
        ),
        BadNote::Newer => io::Error::new(
            ErrorKind::Unsupported,
            "LOGKIND names a kind of log that this version of hapax does not know: use the version that wrote it, or a newer one",
        ),
    }
}

/// The kind of log of a store that may be damaged: as its note says, else as its segments look.
pub(crate) fn recognise(store: &ReadOnlyDirectory) -> LogKind {
    let noted = store.read_log_kind().ok().flatten();
    let noted = noted.and_then(|bytes| LogKindNote::decode(&bytes).ok());
    let looks_like_files =
        || entries(store.segments(), LogKind::Files).is_ok_and(|all| !all.is_empty());
    match noted {
        Some(note) => note.kind,
        None if looks_like_files() => LogKind::Files,
        None => LogKind::Sled,
    }
}

/// The names of everything that belongs to one kind of log; none if the folder is missing, which an
/// open for writing creates, and one for reading cannot.
pub(crate) fn entries(segments: &AnchoredPath, kind: LogKind) -> io::Result<Vec<String>> {
    let names = names_if_there(segments)?.into_iter();
    let names = names.filter_map(|name| name.into_string().ok());
    Ok(names
        .filter(|name| segment_name::is_of(kind, name))
        .collect())
}
