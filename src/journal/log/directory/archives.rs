//! [`Archives`]: the audit archives of a store, a file for each segment that had entries.

use std::io;
use std::sync::OnceLock;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{
    FileResult, create_folder, names_if_there, remove_if_there, replace_file, sync_directory,
};
use crate::journal::log::directory::layout::AUDIT;
use crate::journal::log::directory::segment_name;

/// The name of an archive until it is whole.
const NEW: &str = "new";

/// The folder of the archives, which is made with the first of them.
#[derive(Debug)]
pub(crate) struct Archives {
    directory: AnchoredPath,
    /// The folder, held open from the first time that it exists.
    held: OnceLock<AnchoredPath>,
}

impl Archives {
    /// The archives of the store in a directory.
    pub(crate) fn of(directory: &AnchoredPath) -> Self {
        Self {
            directory: directory.clone(),
            held: OnceLock::new(),
        }
    }

    fn folder(&self) -> AnchoredPath {
        if self.held.get().is_none() {
            if let Ok(held) = self.directory.join(AUDIT).hold() {
                // A thread that comes second has opened the same folder.
                let _ = self.held.set(held);
            }
        }
        let held = self.held.get().cloned();
        held.unwrap_or_else(|| self.directory.join(AUDIT))
    }

    pub(crate) fn write(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        if self.held.get().is_none() {
            create_folder(&self.directory.join(AUDIT))?;
        }
        // Even if the folder existed: a crash may have come before it was durable.
        sync_directory(&self.directory)?;
        replace_file(&self.folder(), NEW, &segment_name::archive(segment), bytes)
    }

    pub(crate) fn remove(&self, segment: u64) -> io::Result<()> {
        let folder = self.folder();
        remove_if_there(&folder.join(segment_name::archive(segment)))?;
        sync_directory(&folder)
    }

    /// The numbers of the segments that have an archive in a folder, ascending.
    pub(crate) fn list(&self) -> io::Result<Vec<u64>> {
        let names = names_if_there(&self.folder())?;
        let number = |name: &std::ffi::OsString| segment_name::number_of_archive(name.to_str()?);
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// As [`list`](Self::list), with the bytes of each archive.
    pub(crate) fn sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut sizes = Vec::new();
        let folder = self.folder();
        for segment in self.list()? {
            let path = folder.join(segment_name::archive(segment));
            let bytes = path.bytes().if_there().naming("measure", &path)?;
            sizes.extend(bytes.map(|bytes| (segment, bytes)));
        }
        Ok(sizes)
    }

    pub(crate) fn read(&self, segment: u64) -> io::Result<Vec<u8>> {
        let path = self.folder().join(segment_name::archive(segment));
        path.read().naming("read", &path)
    }
}
