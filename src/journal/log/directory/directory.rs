//! [`Directory`]: the small files of a store, and the lock on it.

use std::io;
use std::path::Path;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::archives::Archives;
use crate::journal::log::directory::contents;
use crate::journal::log::directory::directory_options::DirectoryOptions;
use crate::journal::log::directory::files::{
    FileResult, create_folder, read_if_there, replace_file, sync_directory,
};
use crate::journal::log::directory::layout::{
    LOGKIND, LOGKIND_NEW, MANIFEST, MANIFEST_NEW, MARKS, SEGMENTS,
};
use crate::journal::log::directory::lock::Lock;
use crate::journal::log::directory::marks_file::MarksFile;
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::journal::log::directory::reserve::Reserve;
use crate::journal::log::directory::{standard_streams, unfinished};
use crate::runtime::sync::{AtomicBool, AtomicU32, Mutex, Ordering};

/// A store's directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: AnchoredPath,
    /// Held open as well: looked up once, wherever its name leads later.
    segments: AnchoredPath,
    pub(crate) archives: Archives,
    lock: Lock,
    marks: MarksFile,
    reserve: Reserve,
    /// Held while the manifest is replaced.
    manifest: Mutex<()>,
    /// It holds a copy whose manifest, the last part, is not written yet.
    is_unfinished: AtomicBool,
    /// The process that opened the store; changed only by tests.
    owner: AtomicU32,
    released: AtomicBool,
}

impl Directory {
    /// Locks the store at `path`, and creates what is missing of it.
    pub(crate) fn open(path: &Path, options: DirectoryOptions) -> Result<Self, OpenFailure> {
        standard_streams::occupy()?;
        let found = options.find_or_create(path)?;
        let path = found.path;
        let lock = Lock::take(&path, options.wait_for_lock)?;
        if let Some(what) = options.making.filter(|_| !found.is_marked) {
            // Checked again, now that no other process can change it.
            options.check_contents(&path)?;
            unfinished::mark(&path, what)?;
            contents::clear(&path)?;
        }
        let marks = MarksFile::open(path.join(MARKS))?;
        let segments = path.join(SEGMENTS);
        create_folder(&segments)?;
        sync_directory(&path)?;
        let segments = segments.hold().naming("open", &segments)?;
        Ok(Self {
            archives: Archives::of(&path),
            reserve: Reserve::of(&path),
            path,
            segments,
            lock,
            marks,
            manifest: Mutex::new(()),
            is_unfinished: AtomicBool::new(options.making.is_some()),
            owner: AtomicU32::new(std::process::id()),
            released: AtomicBool::new(false),
        })
    }

    /// The folder that belongs to the log.
    pub(crate) fn segments(&self) -> &AnchoredPath {
        &self.segments
    }

    /// Refuses a forked child, whose threads are gone and whose files are its parent's, and any
    /// use after [`release`](Self::release).
    pub(crate) fn check(&self) -> io::Result<()> {
        let owner = self.owner.load(Ordering::Relaxed);
        if owner != std::process::id() {
            let path = &self.path;
            return Err(io::Error::other(format!(
                "{path} was opened by process {owner}: a forked child must open a store of its own",
            )));
        }
        if self.released.load(Ordering::Relaxed) {
            return Err(io::Error::other(format!("{} is closed", self.path)));
        }
        Ok(())
    }

    pub(crate) fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(MANIFEST))
    }

    pub(crate) fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let _guard = self.manifest.lock();
        replace_file(&self.path, MANIFEST_NEW, MANIFEST, bytes)?;
        if self.is_unfinished.load(Ordering::Relaxed) {
            unfinished::unmark(&self.path)?;
            self.is_unfinished.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(crate) fn read_log_kind(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(LOGKIND))
    }

    /// Replaces the note of the log's kind, as the manifest is replaced.
    pub(crate) fn write_log_kind(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        replace_file(&self.path, LOGKIND_NEW, LOGKIND, bytes)
    }

    pub(crate) fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        self.marks.read()
    }

    pub(crate) fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.marks.write(slot, bytes)
    }

    pub(crate) fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.archives.write(segment, bytes)
    }

    pub(crate) fn remove_archive(&self, segment: u64) -> io::Result<()> {
        self.check()?;
        self.archives.remove(segment)
    }

    /// Bytes that an ordinary user of the file system may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        self.path.free_bytes().naming("ask", &self.path)
    }

    /// Files that can still be created; `None` if the file system has no fixed number of them.
    pub(crate) fn free_files(&self) -> io::Result<Option<u64>> {
        self.path.free_files().naming("ask", &self.path)
    }

    /// Holds at least this many bytes in reserve, or as many as before if the disk is full; 0 gives all back.
    pub(crate) fn hold_reserve(&self, bytes: u64) -> io::Result<()> {
        self.check()?;
        self.reserve.hold(bytes)
    }

    /// Releases the lock; everything is refused afterwards.
    pub(crate) fn release(&self) -> io::Result<()> {
        self.check()?;
        self.released.store(true, Ordering::Relaxed);
        self.lock.release()
    }

    /// Makes this look like the copy of a handle in a forked child.
    #[cfg(test)]
    pub(crate) fn pretend_forked(&self) {
        self.owner.store(0, Ordering::Relaxed);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A caller that wants to hear of an error calls `release`.
        let _ = self.release();
    }
}

/// The manifest of the store or backup in a directory.
pub(crate) fn read_manifest_of(directory: &Path) -> io::Result<Vec<u8>> {
    let manifest = AnchoredPath::at(directory)
        .naming("open", directory.display())?
        .join(MANIFEST);
    manifest.read().naming("read", &manifest)
}
