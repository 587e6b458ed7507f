//! What is done to plain files and folders; each failure says what was done, and to which file.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::journal::log::directory::anchored_path::{AnchoredPath, type_of};

/// The same error, which also says what was being done, and to what.
pub(crate) fn named(error: &io::Error, doing: &str, to: impl Display) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {doing} {to}: {error}"))
}

/// The result of a call on a file, whose error names neither the call nor the file yet.
pub(crate) trait FileResult<T> {
    /// The same result, with an error that names both.
    fn naming(self, doing: &str, to: impl Display) -> io::Result<T>;

    /// `None` if the file does not exist.
    fn if_there(self) -> io::Result<Option<T>>;
}

impl<T> FileResult<T> for io::Result<T> {
    fn naming(self, doing: &str, to: impl Display) -> io::Result<T> {
        self.map_err(|error| named(&error, doing, to))
    }

    fn if_there(self) -> io::Result<Option<T>> {
        match self {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        }
    }
}

/// Whether a write failed because the disk, or a quota on it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// The bytes of a file; `None` if it does not exist.
pub(crate) fn read_if_there(file: &AnchoredPath) -> io::Result<Option<Vec<u8>>> {
    file.read().if_there().naming("read", file)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(folder: &AnchoredPath) -> io::Result<()> {
    sync_file(folder)
}

/// Makes a file durable, its length and times included.
pub(crate) fn sync_file(file: &AnchoredPath) -> io::Result<()> {
    file.sync().naming("sync", file)
}

/// Makes a folder, unless it exists.
pub(crate) fn create_folder(folder: &AnchoredPath) -> io::Result<()> {
    match folder.create_folder() {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(named(&error, "create", folder))
        }
        _ => Ok(()),
    }
}

/// Replaces `name` in `folder`, through a file called `new_name`: a power cut leaves the old or the
/// new file whole. Durable on return.
pub(crate) fn replace_file(
    folder: &AnchoredPath,
    new_name: &str,
    name: &str,
    bytes: &[u8],
) -> io::Result<()> {
    let (new, file) = (folder.join(new_name), folder.join(name));
    let write = || {
        let mut out = new.create()?;
        out.write_all(bytes)?;
        out.sync_all()?;
        new.rename(&file)
    };
    write().naming("write", &file)?;
    sync_directory(folder)
}

/// Removes a file, unless it is gone.
pub(crate) fn remove_if_there(file: &AnchoredPath) -> io::Result<()> {
    let removed = file.remove_file().if_there();
    removed.naming("remove", file).map(drop)
}

/// Removes a file, or a folder with all that is in it, unless it is gone.
pub(crate) fn remove_all_if_there(path: &AnchoredPath) -> io::Result<()> {
    path.remove_all()
        .if_there()
        .naming("remove", path)
        .map(drop)
}

/// The names of what is in a folder, in no order; none if the folder does not exist.
pub(crate) fn names_if_there(folder: &AnchoredPath) -> io::Result<Vec<std::ffi::OsString>> {
    let names = folder.names().if_there().naming("list", folder)?;
    Ok(names.unwrap_or_default())
}

/// Bytes that a path occupies on its medium, with all that is below it. Skips what is removed
/// meanwhile.
pub(crate) fn disk_bytes(path: &AnchoredPath) -> io::Result<u64> {
    let measure = || -> io::Result<u64> {
        let about = path.about_itself()?;
        let mut bytes = u64::try_from(about.st_blocks).unwrap_or(0) * 512;
        if type_of(&about).is_dir() {
            for name in path.names()? {
                bytes += disk_bytes(&path.join(name))?;
            }
        }
        Ok(bytes)
    };
    let bytes = measure().if_there().naming("measure", path)?;
    Ok(bytes.unwrap_or(0))
}
