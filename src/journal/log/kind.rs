//! Which kind of log a store has: the small file `LOGKIND`, and how the log is opened by it.
//!
//! A store without the file lies in sled. While a store is moved, and until what is left of its old
//! log has been removed, segments of both kinds lie side by side: the file then says that those of
//! the other kind are void. It is replaced as a whole, so that a store never has two logs or none.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::format::frame::Fields;
use crate::journal::log::contract::Log;
use crate::journal::log::directory::{
    Directory, DirectoryOptions, OpenFailure, named, sync_directory,
};
use crate::journal::log::file_log;
use crate::journal::log::file_log::FileLog;
use crate::journal::log::place::Place;
use crate::journal::log::sled_log;
use crate::journal::log::sled_log::SledLog;
use crate::journal::log::untouched::Untouched;
use crate::value::log_kind::LogKind;

const MAGIC: [u8; 8] = *b"hapaxlog";
const VERSION: u32 = 1;
const NOTE_BYTES: usize = 24;

/// What `LOGKIND` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Note {
    pub(crate) kind: LogKind,
    /// Segments of the other kind may lie there, and do not count.
    pub(crate) has_void: bool,
}

/// Why bytes are no note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadNote {
    Corrupt,
    /// Its checksum holds, and it says something that is not known here.
    Newer,
}

impl Note {
    pub(crate) fn encode(self) -> Vec<u8> {
        let number: u16 = match self.kind {
            LogKind::Sled => 0,
            LogKind::Files => 1,
        };
        let mut out = Vec::with_capacity(NOTE_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&u16::from(self.has_void).to_le_bytes());
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadNote> {
        let bytes: &[u8; NOTE_BYTES] = bytes.try_into().map_err(|_| BadNote::Corrupt)?;
        let (covered, stored) = bytes.split_at(NOTE_BYTES - 8);
        let mut fields = Fields(covered);
        let magic: [u8; 8] = fields.take();
        if magic != MAGIC || stored != xxh3_64(covered).to_le_bytes() {
            return Err(BadNote::Corrupt);
        }
        let version = u32::from_le_bytes(fields.take());
        let kind = match u16::from_le_bytes(fields.take()) {
            0 => LogKind::Sled,
            1 => LogKind::Files,
            _ => return Err(BadNote::Newer),
        };
        match u16::from_le_bytes(fields.take()) {
            flag @ (0 | 1) if version == VERSION => Ok(Self {
                kind,
                has_void: flag == 1,
            }),
            _ => Err(BadNote::Newer),
        }
    }
}

/// The log of a store.
#[derive(Debug)]
pub(crate) struct OpenLog {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) kind: LogKind,
    has_void: bool,
    directory: Arc<Directory>,
}

/// Opens the log of the store at `path`. A new store gets the kind `new`; without one, sled.
pub(crate) fn open(
    path: &Path,
    options: DirectoryOptions,
    new: Option<LogKind>,
) -> Result<OpenLog, OpenFailure> {
    let directory = Arc::new(Directory::open(path, options)?);
    let note = choose(&directory, new)?;
    Ok(OpenLog {
        log: log_over(&directory, note.kind),
        kind: note.kind,
        has_void: note.has_void,
        directory,
    })
}

fn log_over(directory: &Arc<Directory>, kind: LogKind) -> Arc<dyn Log> {
    let directory = Arc::clone(directory);
    match kind {
        LogKind::Sled => Arc::new(SledLog::over(directory)),
        LogKind::Files => Arc::new(FileLog::over(directory)),
    }
}

/// Says which kind of log the store has; where there is no store yet, decides it durably.
fn choose(directory: &Directory, new: Option<LogKind>) -> io::Result<Note> {
    let noted = read_note(directory.read_log_kind()?)?;
    let segments = directory.segments();
    let found = |kind| Ok::<_, io::Error>(!entries(segments, kind)?.is_empty());
    let is_new =
        directory.read_manifest()?.is_none() && !found(LogKind::Sled)? && !found(LogKind::Files)?;
    if is_new {
        // A crash may have cut an earlier creation short, of another kind.
        let kind = new.unwrap_or(noted.kind);
        let note = Note {
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

/// As [`choose`], of a store that is there and of which nothing is changed.
pub(in crate::journal) fn find(directory: &Untouched) -> io::Result<LogKind> {
    let noted = read_note(directory.read_log_kind()?)?;
    check_segments(noted, directory.segments())?;
    Ok(noted.kind)
}

fn read_note(bytes: Option<Vec<u8>>) -> io::Result<Note> {
    let by_default = Note {
        kind: LogKind::Sled,
        has_void: false,
    };
    bytes.map_or(Ok(by_default), |bytes| {
        Note::decode(&bytes).map_err(explain)
    })
}

/// Refuses segments of the other kind that are not void.
fn check_segments(noted: Note, segments: &Place) -> io::Result<()> {
    if noted.has_void || entries(segments, noted.kind.other())?.is_empty() {
        return Ok(());
    }
    let what = format!(
        "{segments} holds segments of the other kind of log than LOGKIND says, which is missing or damaged; nothing was changed: restore a backup, or save what is left with Store::salvage"
    );
    Err(io::Error::new(ErrorKind::InvalidData, what))
}

fn explain(bad: BadNote) -> io::Error {
    match bad {
        BadNote::Corrupt => io::Error::new(
            ErrorKind::InvalidData,
            "LOGKIND, which says in which kind of log the store lies, is damaged; nothing was changed: restore a backup, or save what is left with Store::salvage",
        ),
        BadNote::Newer => io::Error::new(
            ErrorKind::Unsupported,
            "LOGKIND names a kind of log that this version of hapax does not know: use the version that wrote it, or a newer one",
        ),
    }
}

/// The kind of log of what is left of a store: as it says, or as it looks.
pub(crate) fn recognise(remains: &Untouched) -> LogKind {
    let noted = remains.read_log_kind().ok().flatten();
    let noted = noted.and_then(|bytes| Note::decode(&bytes).ok());
    let looks_like_files =
        || entries(remains.segments(), LogKind::Files).is_ok_and(|all| !all.is_empty());
    match noted {
        Some(note) => note.kind,
        None if looks_like_files() => LogKind::Files,
        None => LogKind::Sled,
    }
}

#[cfg(test)]
impl OpenLog {
    /// Makes this look like the copy of a handle in a forked child.
    fn pretend_forked(&self) {
        self.directory.pretend_forked();
    }
}

impl OpenLog {
    /// Another log over the same directory, of any kind: to read what was written through one that
    /// knows nothing of it.
    pub(crate) fn another(&self, kind: LogKind) -> Arc<dyn Log> {
        log_over(&self.directory, kind)
    }

    /// Says durably which log counts, and whether the other one's segments are void.
    pub(crate) fn note(&self, note: Note) -> io::Result<()> {
        self.directory.write_log_kind(&note.encode())
    }

    /// Removes all that there is of one kind of log. It must not be the one that counts.
    pub(crate) fn discard(&self, kind: LogKind) -> io::Result<()> {
        let segments = self.directory.segments();
        for name in entries(segments, kind)? {
            let path = segments.join(name);
            match path.remove_all() {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(named(&error, "remove", &path));
                }
                _ => {}
            }
        }
        sync_directory(segments)
    }

    /// Removes what a move has left of the other log, if there was one. Not before the log that
    /// counts has been read and found whole.
    pub(crate) fn discard_void(&self) -> io::Result<()> {
        if !self.has_void {
            return Ok(());
        }
        self.discard(self.kind.other())?;
        self.note(Note {
            kind: self.kind,
            has_void: false,
        })
    }
}

/// The names of everything that is of one kind of log.
fn entries(segments: &Place, kind: LogKind) -> io::Result<Vec<String>> {
    let names = match segments.names() {
        // Which an open to write makes, and one to read cannot.
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        result => result.map_err(|error| named(&error, "list", segments))?,
    };
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    Ok(names.filter(|name| is_name_of(kind, name)).collect())
}

fn is_name_of(kind: LogKind, name: &str) -> bool {
    match kind {
        LogKind::Sled => sled_log::is_name(name),
        LogKind::Files => file_log::parse_name(name).is_some(),
    }
}

/// Whether an entry of the folder of segments is of any log.
pub(in crate::journal) fn is_segment_name(name: &str) -> bool {
    is_name_of(LogKind::Sled, name) || is_name_of(LogKind::Files, name)
}

#[cfg(test)]
mod tests;
