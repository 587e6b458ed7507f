//! [`Directory`]: the plain files of a store and the lock on it.
//!
//! ```text
//! store/
//!   LOCK       flock, held for life; the holder's process id as text
//!   MANIFEST   replaced as a whole
//!   MARKS      two slots of 4096 bytes: u16 length, bytes
//!   RESERVE    space for recovery on a full disk
//!   LOGKIND    which kind of log it has; absent: sled
//!   audit/     archives of audit entries; not there before the first of them
//!   segments/  the log's own
//! ```

pub(crate) mod archives;

use std::fmt::{self, Display};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::io::Errno;

use super::first_failure::FirstFailure;
use crate::sync::{AtomicBool, AtomicU32, Mutex, Ordering};

pub(super) const LOCK: &str = "LOCK";
pub(super) const MANIFEST: &str = "MANIFEST";
const MANIFEST_NEW: &str = "MANIFEST.new";
pub(super) const MARKS: &str = "MARKS";
const RESERVE: &str = "RESERVE";
pub(super) const LOGKIND: &str = "LOGKIND";
const LOGKIND_NEW: &str = "LOGKIND.new";
pub(super) const SEGMENTS: &str = "segments";

/// What a file system puts into an empty directory by itself.
const LOST_AND_FOUND: &str = "lost+found";

/// Bytes of one slot of the marks: no write of one touches a block of the other.
const SLOT_BYTES: usize = 4096;

/// Most bytes that a slot holds.
const MARKS_BYTES_MAX: usize = 512;

/// What is written to the reserve at once.
static RESERVE_CHUNK: [u8; 1 << 16] = [0xA5; 1 << 16];

/// How long one round of waiting for a lock takes.
pub(crate) const LOCK_ROUND: Duration = Duration::from_millis(10);

/// How to open a [`Directory`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectoryOptions {
    /// Whether to make a store where there is none.
    pub(crate) create: bool,
    /// How long to wait for another holder of the lock to go, in rounds of 10 ms.
    pub(crate) wait_for_lock: Duration,
}

/// Why a store could not be opened.
#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// Another handle, of this or another process, has it open.
    Locked {
        /// Who says that it holds the lock.
        pid: Option<u32>,
    },
    /// Somebody has it open to read it, and a writer would change it under them.
    BeingRead,
    /// The path is something else; nothing in it was changed.
    NotAStore(String),
    /// Anything else.
    Io(io::Error),
}

/// A store's directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    lock: File,
    /// Lifelong, so that no error of an earlier write can be missed.
    marks: File,
    marks_failure: FirstFailure,
    /// Held while the manifest is replaced.
    manifest: Mutex<()>,
    /// Held while the reserve is taken or given back.
    reserve: Mutex<()>,
    /// The process that opened the store; changed only by tests.
    owner: AtomicU32,
    released: AtomicBool,
}

impl Directory {
    /// Locks the store at `path`, and creates what is missing of it.
    pub(crate) fn open(path: &Path, options: DirectoryOptions) -> Result<Self, OpenFailure> {
        let path = find_or_create(path, options.create)?;
        let lock = lock(&path, options.wait_for_lock)?;
        let marks = open_marks(&path.join(MARKS))?;
        let segments = path.join(SEGMENTS);
        match fs::create_dir(&segments) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(named(&error, "create", &segments).into());
            }
            _ => {}
        }
        sync_directory(&path)?;
        Ok(Self {
            path,
            lock,
            marks,
            marks_failure: FirstFailure::default(),
            manifest: Mutex::new(()),
            reserve: Mutex::new(()),
            owner: AtomicU32::new(std::process::id()),
            released: AtomicBool::new(false),
        })
    }

    /// The folder that belongs to the log.
    pub(crate) fn segments(&self) -> PathBuf {
        self.path.join(SEGMENTS)
    }

    /// Refuses a forked child, whose threads are gone and whose files are its parent's, and any
    /// use after [`release`](Self::release).
    pub(crate) fn check(&self) -> io::Result<()> {
        let owner = self.owner.load(Ordering::Relaxed);
        if owner != std::process::id() {
            let path = self.path.display();
            return Err(io::Error::other(format!(
                "{path} was opened by process {owner}: a forked child must open a store of its own",
            )));
        }
        if self.released.load(Ordering::Relaxed) {
            return Err(io::Error::other(format!(
                "{} is closed",
                self.path.display()
            )));
        }
        Ok(())
    }

    pub(crate) fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(MANIFEST))
    }

    pub(crate) fn read_log_kind(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.path.join(LOGKIND))
    }

    /// Replaces what says which kind of log the store has, as the manifest is replaced.
    pub(crate) fn write_log_kind(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        replace_file(&self.path, LOGKIND_NEW, LOGKIND, bytes)
    }

    pub(crate) fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let _guard = self.manifest.lock();
        replace_file(&self.path, MANIFEST_NEW, MANIFEST, bytes)
    }

    pub(crate) fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        Ok([self.read_slot(0)?, self.read_slot(1)?])
    }

    pub(crate) fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        if slot > 1 || bytes.len() > MARKS_BYTES_MAX {
            let what = format!("slot {slot} of the marks cannot take {} bytes", bytes.len());
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        // The whole slot is written, so that no block has to be read first.
        let mut block = vec![0; SLOT_BYTES];
        block[..2].copy_from_slice(&u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
        block[2..2 + bytes.len()].copy_from_slice(bytes);
        self.marks_failure.guard(|| {
            self.marks
                .write_all_at(&block, (slot * SLOT_BYTES) as u64)
                .and_then(|()| self.marks.sync_data())
                .map_err(|error| named(&error, "write", &self.path.join(MARKS)))
        })
    }

    /// Bytes that an ordinary user of the file system may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let stat = statvfs(&self.path).map_err(|error| named(&error.into(), "ask", &self.path))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Holds so many bytes at least in reserve, or what it held if the disk is full; 0 gives all back.
    pub(crate) fn hold_reserve(&self, bytes: u64) -> io::Result<()> {
        self.check()?;
        let _guard = self.reserve.lock();
        let path = self.path.join(RESERVE);
        if bytes > 0 {
            match take_reserve(&path, bytes) {
                Err(error) if is_full(&error) => {}
                result => result.map_err(|error| named(&error, "reserve", &path))?,
            }
        } else {
            remove_if_there(&path)?;
        }
        sync_directory(&self.path)
    }

    /// Gives up the lock; everything is refused afterwards.
    pub(crate) fn release(&self) -> io::Result<()> {
        self.check()?;
        self.released.store(true, Ordering::Relaxed);
        // Closing is not enough: a child that is just being forked may hold a copy of the handle.
        flock(&self.lock, FlockOperation::Unlock)
            .map_err(|error| named(&error.into(), "unlock", &self.path))
    }

    fn read_slot(&self, slot: usize) -> io::Result<Vec<u8>> {
        read_slot(&self.marks, slot).map_err(|error| named(&error, "read", &self.path.join(MARKS)))
    }

    /// Makes this look like the copy of a handle in a forked child.
    #[cfg(test)]
    pub(crate) fn pretend_forked(&self) {
        self.owner.store(0, Ordering::Relaxed);
    }
}

pub(super) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(&error, "read", path)),
    }
}

/// The number in the name of a segment.
pub(crate) fn parse_number(name: &str) -> Option<u64> {
    let plain = name
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if name.len() == 16 && plain {
        u64::from_str_radix(name, 16).ok()
    } else {
        None
    }
}

/// The manifest of the store or backup in a directory.
pub(crate) fn read_manifest_of(directory: &Path) -> io::Result<Vec<u8>> {
    let path = directory.join(MANIFEST);
    fs::read(&path).map_err(|error| named(&error, "read", &path))
}

/// One slot of the marks, as long as it says that it is. Where the file is too short for a slot, the
/// rest of it was never written, and is zero.
pub(super) fn read_slot(marks: &File, slot: usize) -> io::Result<Vec<u8>> {
    let mut bytes = [0; 2 + MARKS_BYTES_MAX];
    let from = (slot * SLOT_BYTES) as u64;
    let there = marks.metadata()?.len().saturating_sub(from);
    let there = usize::try_from(there).map_or(bytes.len(), |there| there.min(bytes.len()));
    marks.read_exact_at(&mut bytes[..there], from)?;
    let length = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    // A length that nobody wrote leaves all of it, for the journal's checksum to refuse.
    let written = &bytes[2..];
    Ok(written[..length.min(written.len())].to_vec())
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Whoever wants to hear of an error calls `release`.
        let _ = self.release();
    }
}

impl From<io::Error> for OpenFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { pid: Some(pid) } => write!(f, "the store is open in process {pid}"),
            Self::Locked { pid: None } => write!(f, "the store is open elsewhere"),
            Self::BeingRead => write!(f, "the store is open elsewhere, to be read"),
            Self::NotAStore(reason) => f.write_str(reason),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// The error, with what was being done to which path before it.
pub(crate) fn named(error: &io::Error, what: &str, path: &Path) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot {what} {}: {error}", path.display()),
    )
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    sync_file(path)
}

/// Makes a file durable, its length and times included.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| named(&error, "sync", path))
}

/// Writes `name` in `folder` so that a power cut leaves the old or the new one, through a file
/// called `new_name`. Durable on return.
pub(crate) fn replace_file(
    folder: &Path,
    new_name: &str,
    name: &str,
    bytes: &[u8],
) -> io::Result<()> {
    let (new, path) = (folder.join(new_name), folder.join(name));
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().map_err(|error| named(&error, "write", &path))?;
    sync_directory(folder)
}

/// Bytes of the medium beneath `path`; what vanishes meanwhile counts nothing.
pub(crate) fn disk_bytes(path: &Path) -> io::Result<u64> {
    let measure = || -> io::Result<u64> {
        let metadata = fs::symlink_metadata(path)?;
        let mut bytes = metadata.blocks() * 512;
        if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                bytes += disk_bytes(&entry?.path())?;
            }
        }
        Ok(bytes)
    };
    match measure() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        result => result.map_err(|error| named(&error, "measure", path)),
    }
}

/// Finds the store, or makes an empty directory for it; says no to anything else.
fn find_or_create(path: &Path, create: bool) -> Result<PathBuf, OpenFailure> {
    let canonical = match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound && create => {
            create_directories(&std::path::absolute(path)?)?;
            path.canonicalize()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let reason = format!("{} is not there", path.display());
            return Err(OpenFailure::NotAStore(reason));
        }
        result => result,
    };
    // sled compares names of files with the path that it was given: it must be absolute and plain.
    let canonical = canonical.map_err(|error| named(&error, "open", path))?;
    if !canonical.is_dir() {
        return Err(OpenFailure::NotAStore(format!(
            "{} is not a directory",
            path.display()
        )));
    }
    check_entries(&canonical, create)?;
    Ok(canonical)
}

/// Refuses a directory that has something else in it.
fn check_entries(path: &Path, create: bool) -> Result<(), OpenFailure> {
    let ours = [
        LOCK,
        MANIFEST,
        MANIFEST_NEW,
        MARKS,
        RESERVE,
        LOGKIND,
        LOGKIND_NEW,
        SEGMENTS,
        archives::AUDIT,
    ];
    if path.join(MANIFEST).is_file() && path.join(SEGMENTS).is_dir() {
        return Ok(());
    }
    if !create {
        let reason = format!("{} holds no store", path.display());
        return Err(OpenFailure::NotAStore(reason));
    }
    for entry in fs::read_dir(path).map_err(|error| named(&error, "list", path))? {
        let name = entry
            .map_err(|error| named(&error, "list", path))?
            .file_name();
        let name = name.to_string_lossy();
        if !ours.contains(&&*name) && name != LOST_AND_FOUND {
            let reason = format!("{} is no store: it holds {name}", path.display());
            return Err(OpenFailure::NotAStore(reason));
        }
    }
    Ok(())
}

/// Makes a directory and those above it, each durable in its parent.
fn create_directories(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev() {
        match fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(named(&error, "create", path));
            }
            _ => {}
        }
        if let Some(parent) = path.parent() {
            sync_directory(parent)?;
        }
    }
    Ok(())
}

/// Takes the lock, and writes our process id into it.
fn lock(store: &Path, wait: Duration) -> Result<File, OpenFailure> {
    let path = store.join(LOCK);
    let mut rounds = wait.as_millis().div_ceil(LOCK_ROUND.as_millis());
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| named(&error, "open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Someone may have deleted the file between the two calls: that lock guards nothing.
            Ok(()) if is_at(&file, &path) => {
                write_pid(&file).map_err(|error| named(&error, "write", &path))?;
                return Ok(file);
            }
            Ok(()) | Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if rounds == 0 => return Err(locked(&file, &path)),
            Err(Errno::WOULDBLOCK) => {
                rounds -= 1;
                std::thread::park_timeout(LOCK_ROUND);
            }
            Err(error) => return Err(named(&error.into(), "lock", &path).into()),
        }
    }
}

/// Why the lock is not to be had. The process that the file names is the last one that wrote:
/// where only readers hold the lock, it has gone.
pub(super) fn locked(file: &File, path: &Path) -> OpenFailure {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => OpenFailure::BeingRead,
        Err(_) => OpenFailure::Locked {
            pid: read_pid(path),
        },
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn write_pid(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
}

pub(super) fn read_pid(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Opens the marks, with both slots already allocated. Writing one makes that durable too.
fn open_marks(path: &Path) -> io::Result<File> {
    let open = || {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let there = file.metadata()?.len();
        let zeros = [0; 2 * SLOT_BYTES];
        // Only what is missing: a crash may have come after the first slot.
        if let Some(missing) = zeros.get(usize::try_from(there).unwrap_or(usize::MAX)..) {
            if !missing.is_empty() {
                file.write_all_at(missing, there)?;
            }
        }
        Ok(file)
    };
    open().map_err(|error: io::Error| named(&error, "open", path))
}

/// Really writes the reserve, as far as it is missing: a length alone would hold no space.
fn take_reserve(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let there = file.metadata()?.len();
    if there >= bytes {
        return Ok(());
    }
    let mut write = || {
        let mut left = bytes - there;
        while left > 0 {
            let next = usize::try_from(left)
                .map_or(RESERVE_CHUNK.len(), |left| left.min(RESERVE_CHUNK.len()));
            file.write_all(&RESERVE_CHUNK[..next])?;
            left -= next as u64;
        }
        file.sync_all()
    };
    write().inspect_err(|_| {
        // A part of it is of no use, and on a full disk in the way.
        let _ = file.set_len(there);
    })
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(named(&error, "remove", path)),
        _ => Ok(()),
    }
}
