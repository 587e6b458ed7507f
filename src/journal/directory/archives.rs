//! The audit archives of a store: a file for each segment that had entries.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Directory, named, parse_number, remove_if_there, replace_file, sync_directory};

/// The folder of the archives; made with the first of them.
pub(crate) const AUDIT: &str = "audit";

/// What an archive is called until it is whole.
const NEW: &str = "new";

const SUFFIX: &str = ".aud";

fn file_name(segment: u64) -> String {
    format!("{segment:016x}{SUFFIX}")
}

pub(crate) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| named(&error, "list", folder))?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| named(&error, "list", folder))?;
        let name = name.file_name().into_string();
        let number = name.ok().and_then(|name| {
            let number = name.strip_suffix(SUFFIX)?;
            parse_number(number)
        });
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// As [`list`], with the bytes of each.
pub(crate) fn sizes(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut sizes = Vec::new();
    for segment in list(folder)? {
        let path = folder.join(file_name(segment));
        match fs::metadata(&path) {
            Ok(metadata) => sizes.push((segment, metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(named(&error, "measure", &path)),
        }
    }
    Ok(sizes)
}

pub(crate) fn read(folder: &Path, segment: u64) -> io::Result<Vec<u8>> {
    let path = folder.join(file_name(segment));
    fs::read(&path).map_err(|error| named(&error, "read", &path))
}

impl Directory {
    fn audit(&self) -> PathBuf {
        self.path.join(AUDIT)
    }

    pub(crate) fn archives(&self) -> io::Result<Vec<u64>> {
        list(&self.audit())
    }

    pub(crate) fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        sizes(&self.audit())
    }

    pub(crate) fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        read(&self.audit(), segment)
    }

    pub(crate) fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let folder = self.audit();
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(named(&error, "create", &folder));
            }
            _ => {}
        }
        // Where it was there: perhaps its maker came to an end before that was durable.
        sync_directory(&self.path)?;
        replace_file(&folder, NEW, &file_name(segment), bytes)
    }

    pub(crate) fn remove_archive(&self, segment: u64) -> io::Result<()> {
        self.check()?;
        let folder = self.audit();
        remove_if_there(&folder.join(file_name(segment)))?;
        sync_directory(&folder)
    }
}
