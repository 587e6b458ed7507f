//! [`OpenLog`]: the log of a store on disk, opened by its kind.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::journal::format::log_kind_note::LogKindNote;
use crate::journal::log::contract::Log;
use crate::journal::log::directory::directory::Directory;
use crate::journal::log::directory::directory_options::DirectoryOptions;
use crate::journal::log::directory::files::{remove_all_if_there, sync_directory};
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::journal::log::file_log::file_log::FileLog;
use crate::journal::log::kind;
use crate::journal::log::sled_log::sled_log::SledLog;
use crate::value::log_kind::LogKind;

/// The log of a store.
#[derive(Debug)]
pub(crate) struct OpenLog {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) kind: LogKind,
    has_void: bool,
    directory: Arc<Directory>,
}

impl OpenLog {
    /// Opens the log of the store at `path`. A new store gets the kind `new`, or sled by default.
    pub(crate) fn open(
        path: &Path,
        options: DirectoryOptions,
        new: Option<LogKind>,
    ) -> Result<Self, OpenFailure> {
        let directory = Arc::new(Directory::open(path, options)?);
        let note = kind::choose(&directory, new)?;
        Ok(Self {
            log: log_over(&directory, note.kind),
            kind: note.kind,
            has_void: note.has_void,
            directory,
        })
    }

    /// Another log over the same directory, of either kind. It does not know what was written through
    /// this one, and reads it from the medium.
    pub(crate) fn another(&self, kind: LogKind) -> Arc<dyn Log> {
        log_over(&self.directory, kind)
    }

    /// Notes durably which log counts, and whether the other one's segments are void.
    pub(crate) fn note(&self, note: LogKindNote) -> io::Result<()> {
        self.directory.write_log_kind(&note.encode())
    }

    /// Removes everything of one kind of log, which must not be the one that counts.
    pub(crate) fn discard(&self, kind: LogKind) -> io::Result<()> {
        let segments = self.directory.segments();
        for name in kind::entries(segments, kind)? {
            remove_all_if_there(&segments.join(name))?;
        }
        sync_directory(segments)
    }

    /// Removes what a move has left of the other log. Called only once the log that counts has been
    /// read and found whole.
    pub(crate) fn discard_void(&self) -> io::Result<()> {
        if !self.has_void {
            return Ok(());
        }
        self.discard(self.kind.other())?;
        self.note(LogKindNote {
            kind: self.kind,
            has_void: false,
        })
    }

    /// Makes this look like the copy of a handle in a forked child.
    #[cfg(test)]
    fn pretend_forked(&self) {
        self.directory.pretend_forked();
    }
}

fn log_over(directory: &Arc<Directory>, kind: LogKind) -> Arc<dyn Log> {
    let directory = Arc::clone(directory);
    match kind {
        LogKind::Sled => Arc::new(SledLog::over(directory)),
        LogKind::Files => Arc::new(FileLog::over(directory)),
    }
}

#[cfg(test)]
mod tests;
