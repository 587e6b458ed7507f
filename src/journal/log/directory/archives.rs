//! The audit archives of a store: a file for each segment that had entries.

use std::io::{self, ErrorKind};

use crate::journal::log::directory::{
    Directory, create_folder, named, parse_number, remove_if_there, replace_file, sync_directory,
};
use crate::journal::log::place::Place;

/// The folder of the archives; made with the first of them.
pub(crate) const AUDIT: &str = "audit";

/// What an archive is called until it is whole.
const NEW: &str = "new";

const SUFFIX: &str = ".aud";

fn file_name(segment: u64) -> String {
    format!("{segment:016x}{SUFFIX}")
}

pub(crate) fn list(folder: &Place) -> io::Result<Vec<u64>> {
    let names = match folder.names() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(|error| named(&error, "list", folder))?,
    };
    let number = |name: &std::ffi::OsString| parse_number(name.to_str()?.strip_suffix(SUFFIX)?);
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// As [`list`], with the bytes of each.
pub(crate) fn sizes(folder: &Place) -> io::Result<Vec<(u64, u64)>> {
    let mut sizes = Vec::new();
    for segment in list(folder)? {
        let path = folder.join(file_name(segment));
        match path.bytes() {
            Ok(bytes) => sizes.push((segment, bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(named(&error, "measure", &path)),
        }
    }
    Ok(sizes)
}

pub(crate) fn read(folder: &Place, segment: u64) -> io::Result<Vec<u8>> {
    let path = folder.join(file_name(segment));
    path.read().map_err(|error| named(&error, "read", &path))
}

impl Directory {
    fn audit(&self) -> Place {
        if self.audit.get().is_none() {
            if let Ok(held) = self.place.join(AUDIT).hold() {
                // The second one to come has opened the same folder.
                let _ = self.audit.set(held);
            }
        }
        let held = self.audit.get().cloned();
        held.unwrap_or_else(|| self.place.join(AUDIT))
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
        if self.audit.get().is_none() {
            create_folder(&self.place.join(AUDIT))?;
        }
        // Where it was there: perhaps its maker came to an end before that was durable.
        sync_directory(&self.place)?;
        replace_file(&self.audit(), NEW, &file_name(segment), bytes)
    }

    pub(crate) fn remove_archive(&self, segment: u64) -> io::Result<()> {
        self.check()?;
        let folder = self.audit();
        remove_if_there(&folder.join(file_name(segment)))?;
        sync_directory(&folder)
    }
}
