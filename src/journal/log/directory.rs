//! [`Directory`]: the plain files of a store and the lock on it.
//!
//! ```text
//! store/
//!   LOCK       flock, held for life; the holder's process id as text
//!   MANIFEST   replaced as a whole
//!   MARKS      two slots of 4096 bytes: u16 length, bytes
//!   RESERVE    space for recovery on a full disk
//!   LOGKIND    which kind of log it has; absent: sled
//!   UNFINISHED what is being copied into it; gone once that is all there
//!   audit/     archives of audit entries; not there before the first of them
//!   segments/  the log's own
//! ```

pub(crate) mod archives;
pub(in crate::journal) mod contents;

use std::ffi::OsStr;
use std::fmt::{self, Display};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use crate::journal::log::directory::contents::Contents;
use crate::journal::log::lock::{Holder, Lock};
use crate::journal::log::place;
use crate::journal::log::place::Place;
use crate::runtime::sync::{AtomicBool, AtomicU32, Mutex, Ordering};

pub(in crate::journal) const MANIFEST: &str = "MANIFEST";
const MANIFEST_NEW: &str = "MANIFEST.new";
pub(in crate::journal) const MARKS: &str = "MARKS";
const RESERVE: &str = "RESERVE";
pub(in crate::journal) const LOGKIND: &str = "LOGKIND";
const LOGKIND_NEW: &str = "LOGKIND.new";
pub(in crate::journal) const SEGMENTS: &str = "segments";

/// Says that what is copied into a directory is not all there yet, and what it is to become.
pub(in crate::journal) const UNFINISHED: &str = "UNFINISHED";

/// Bytes of one slot of the marks: no write of one touches a block of the other.
const SLOT_BYTES: usize = 4096;

/// Most bytes that a slot holds.
const MARKS_BYTES_MAX: usize = 512;

/// Bytes written to the reserve at once.
const RESERVE_CHUNK: usize = 1 << 18;

/// How to open a [`Directory`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectoryOptions {
    /// Whether to make a store where there is none.
    pub(crate) create: bool,
    /// How long to wait for another holder of the lock to go, in rounds of 10 ms.
    pub(crate) wait_for_lock: Duration,
    /// What is to be made in a directory that holds nothing yet, and is no store before its manifest
    /// is written: "a restore", for example.
    pub(crate) making: Option<&'static str>,
}

/// Why a store could not be opened.
#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// Another handle, of this or another process, has it open.
    Locked(Holder),
    /// Somebody has it open to read it, and a writer would change it under them.
    BeingRead,
    /// The path is something else; nothing in it was changed.
    NotAStore(String),
    /// It holds a copy that is not whole; nothing in it was changed.
    CutShort(String),
    /// Anything else.
    Io(io::Error),
}

/// A store's directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    place: Place,
    /// Held as well: it is looked up once, whatever its name leads to later.
    segments: Place,
    /// Held from the first time that it is there.
    audit: OnceLock<Place>,
    lock: Lock,
    /// Lifelong, so that no error of an earlier write can be missed.
    marks: File,
    /// Held while the manifest is replaced.
    manifest: Mutex<()>,
    /// Held while the reserve is taken or given back.
    reserve: Mutex<()>,
    /// It holds a copy that is not all there: the manifest comes last.
    is_unfinished: AtomicBool,
    /// The process that opened the store; changed only by tests.
    owner: AtomicU32,
    released: AtomicBool,
}

impl Directory {
    /// Locks the store at `path`, and creates what is missing of it.
    pub(crate) fn open(path: &Path, options: DirectoryOptions) -> Result<Self, OpenFailure> {
        place::take_standard_streams()?;
        let (place, is_marked) = find_or_create(path, options)?;
        let lock = Lock::take(&place, options.wait_for_lock)?;
        if let Some(what) = options.making.filter(|_| !is_marked) {
            // Looked at again, now that nobody else can change it.
            check_contents(&place, options)?;
            mark_unfinished(&place, what)?;
            contents::clear(&place)?;
        }
        let marks = open_marks(&place.join(MARKS))?;
        let segments = place.join(SEGMENTS);
        create_folder(&segments)?;
        sync_directory(&place)?;
        let segments = segments
            .hold()
            .map_err(|error| named(&error, "open", &segments))?;
        Ok(Self {
            place,
            segments,
            audit: OnceLock::new(),
            lock,
            marks,
            manifest: Mutex::new(()),
            reserve: Mutex::new(()),
            is_unfinished: AtomicBool::new(options.making.is_some()),
            owner: AtomicU32::new(std::process::id()),
            released: AtomicBool::new(false),
        })
    }

    /// The folder that belongs to the log.
    pub(crate) fn segments(&self) -> &Place {
        &self.segments
    }

    /// Refuses a forked child, whose threads are gone and whose files are its parent's, and any
    /// use after [`release`](Self::release).
    pub(crate) fn check(&self) -> io::Result<()> {
        let owner = self.owner.load(Ordering::Relaxed);
        if owner != std::process::id() {
            let path = &self.place;
            return Err(io::Error::other(format!(
                "{path} was opened by process {owner}: a forked child must open a store of its own",
            )));
        }
        if self.released.load(Ordering::Relaxed) {
            return Err(io::Error::other(format!("{} is closed", self.place)));
        }
        Ok(())
    }

    pub(crate) fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.place.join(MANIFEST))
    }

    pub(crate) fn read_log_kind(&self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.place.join(LOGKIND))
    }

    /// Replaces what says which kind of log the store has, as the manifest is replaced.
    pub(crate) fn write_log_kind(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        replace_file(&self.place, LOGKIND_NEW, LOGKIND, bytes)
    }

    pub(crate) fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        let _guard = self.manifest.lock();
        replace_file(&self.place, MANIFEST_NEW, MANIFEST, bytes)?;
        if self.is_unfinished.load(Ordering::Relaxed) {
            // The manifest is the last part of a copy.
            remove_if_there(&self.place.join(UNFINISHED))?;
            sync_directory(&self.place)?;
            self.is_unfinished.store(false, Ordering::Relaxed);
        }
        Ok(())
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
        // After a failure nobody knows what the slot holds, so a later try writes all of it again.
        self.marks
            .write_all_at(&block, (slot * SLOT_BYTES) as u64)
            .and_then(|()| self.marks.sync_data())
            .map_err(|error| named(&error, "write", self.place.join(MARKS)))
    }

    /// Bytes that an ordinary user of the file system may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let free = self.place.free_bytes();
        free.map_err(|error| named(&error, "ask", &self.place))
    }

    /// Files that can still be made; `None` where the file system makes room for them as it needs it.
    pub(crate) fn free_files(&self) -> io::Result<Option<u64>> {
        let free = self.place.free_files();
        free.map_err(|error| named(&error, "ask", &self.place))
    }

    /// Holds so many bytes at least in reserve, or what it held if the disk is full; 0 gives all back.
    pub(crate) fn hold_reserve(&self, bytes: u64) -> io::Result<()> {
        self.check()?;
        let _guard = self.reserve.lock();
        let path = self.place.join(RESERVE);
        if bytes > 0 {
            match take_reserve(&path, bytes) {
                Err(error) if is_full(&error) => {}
                result => result.map_err(|error| named(&error, "reserve", &path))?,
            }
        } else {
            remove_if_there(&path)?;
        }
        sync_directory(&self.place)
    }

    /// Gives up the lock; everything is refused afterwards.
    pub(crate) fn release(&self) -> io::Result<()> {
        self.check()?;
        self.released.store(true, Ordering::Relaxed);
        self.lock.release()
    }

    fn read_slot(&self, slot: usize) -> io::Result<Vec<u8>> {
        read_slot(&self.marks, slot).map_err(|error| named(&error, "read", self.place.join(MARKS)))
    }

    /// Makes this look like the copy of a handle in a forked child.
    #[cfg(test)]
    pub(crate) fn pretend_forked(&self) {
        self.owner.store(0, Ordering::Relaxed);
    }
}

pub(in crate::journal) fn read_if_there(file: &Place) -> io::Result<Option<Vec<u8>>> {
    file.read_if_there()
        .map_err(|error| named(&error, "read", file))
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
    let place = Place::at(directory)
        .map_err(|error| named(&error, "open", directory.display()))?
        .join(MANIFEST);
    place.read().map_err(|error| named(&error, "read", &place))
}

/// One slot of the marks, as long as it says that it is. Where the file is too short for a slot, the
/// rest of it was never written, and is zero.
pub(in crate::journal) fn read_slot(marks: &File, slot: usize) -> io::Result<Vec<u8>> {
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

impl OpenFailure {
    /// What was to be made at a place is not all there.
    pub(in crate::journal) fn cut_short(place: &Place, what: &str) -> Self {
        Self::CutShort(format!(
            "{place} holds {what} that was cut short, and is not whole: run that again, or remove the directory"
        ))
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
            Self::Locked(holder) => f.write_str(&holder.explain("the store")),
            Self::BeingRead => write!(f, "the store is open elsewhere, to be read"),
            Self::NotAStore(reason) | Self::CutShort(reason) => f.write_str(reason),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// The error, with what was being done to what before it.
pub(crate) fn named(error: &io::Error, what: &str, to: impl Display) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {what} {to}: {error}"))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(folder: &Place) -> io::Result<()> {
    sync_file(folder)
}

/// Makes a file durable, its length and times included.
pub(crate) fn sync_file(file: &Place) -> io::Result<()> {
    file.sync().map_err(|error| named(&error, "sync", file))
}

/// Makes a folder, if it is not there.
pub(crate) fn create_folder(folder: &Place) -> io::Result<()> {
    match folder.create_folder() {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(named(&error, "create", folder))
        }
        _ => Ok(()),
    }
}

/// Writes `name` in `folder` so that a power cut leaves the old or the new one, through a file
/// called `new_name`. Durable on return.
pub(crate) fn replace_file(
    folder: &Place,
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
    write().map_err(|error| named(&error, "write", &file))?;
    sync_directory(folder)
}

/// Bytes of the medium beneath a place; what vanishes meanwhile counts nothing.
pub(crate) fn disk_bytes(place: &Place) -> io::Result<u64> {
    let measure = || -> io::Result<u64> {
        let about = place.about_itself()?;
        let mut bytes = u64::try_from(about.st_blocks).unwrap_or(0) * 512;
        if place::type_of(&about).is_dir() {
            for name in place.names()? {
                bytes += disk_bytes(&place.join(name))?;
            }
        }
        Ok(bytes)
    };
    match measure() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        result => result.map_err(|error| named(&error, "measure", place)),
    }
}

/// Finds the store, or makes an empty directory for it; says no to anything else. Also whether the
/// directory was made with the note of what is to be made in it.
fn find_or_create(path: &Path, options: DirectoryOptions) -> Result<(Place, bool), OpenFailure> {
    let mut is_marked = false;
    let canonical = match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound && options.create => {
            is_marked = create(&std::path::absolute(path)?, options.making)?;
            path.canonicalize()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let reason = format!("{} is not there", path.display());
            return Err(OpenFailure::NotAStore(reason));
        }
        result => result,
    };
    // Without links, as people are told it; it is looked up this once.
    let canonical = canonical.map_err(|error| named(&error, "open", path.display()))?;
    if !canonical.is_dir() {
        return Err(OpenFailure::NotAStore(format!(
            "{} is not a directory",
            path.display()
        )));
    }
    let place =
        Place::at(&canonical).map_err(|error| named(&error, "open", canonical.display()))?;
    if !is_marked {
        check_contents(&place, options)?;
    }
    Ok((place, is_marked))
}

/// Refuses a directory that has something else in it than a store, or than what is to become one.
fn check_contents(place: &Place, options: DirectoryOptions) -> Result<(), OpenFailure> {
    let reason = match contents::look_at(place)? {
        Contents::Store if options.making.is_some() => {
            format!("{place} holds a store already: name a new directory")
        }
        Contents::Store => return Ok(()),
        // What is made now takes its place.
        Contents::Unfinished(_) if options.making.is_some() => return Ok(()),
        Contents::Unfinished(what) => return Err(OpenFailure::cut_short(place, &what)),
        Contents::Nothing | Contents::Begun if options.create => return Ok(()),
        Contents::Other(_) if !options.create => format!("{place} holds no store"),
        Contents::Other(what) => format!("{place} is no store: {what}"),
        Contents::Nothing | Contents::Begun => format!("{place} holds no store"),
    };
    Err(OpenFailure::NotAStore(reason))
}

/// Makes a directory and those above it, each durable in its parent. One in which something is to be
/// made comes into being with the note that says so: at no moment does it look like an empty one.
/// Gives whether it has that note.
fn create(path: &Path, making: Option<&str>) -> io::Result<bool> {
    let (Some(what), Some(parent), Some(name)) = (making, path.parent(), path.file_name()) else {
        create_directories(path)?;
        return Ok(false);
    };
    create_directories(parent)?;
    let parent = Place::at(parent).map_err(|error| named(&error, "open", parent.display()))?;
    let mut new_name = OsStr::new(".").to_owned();
    new_name.push(name);
    new_name.push(".new");
    let (new, place) = (parent.join(new_name), parent.join(name));
    create_folder(&new)?;
    mark_unfinished(&new, what)?;
    new.rename(&place)
        .map_err(|error| named(&error, "create", &place))?;
    sync_directory(&parent)?;
    Ok(true)
}

fn create_directories(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(named(&error, "create", path.display()));
            }
            _ => {}
        }
        if let Some(parent) = path.parent() {
            let synced = Place::at(parent).and_then(|parent| parent.sync());
            synced.map_err(|error| named(&error, "sync", parent.display()))?;
        }
    }
    Ok(())
}

/// Says durably what is being copied into a directory.
fn mark_unfinished(place: &Place, what: &str) -> io::Result<()> {
    let note = place.join(UNFINISHED);
    let write = || {
        let mut file = note.create()?;
        file.write_all(what.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| named(&error, "write", &note))?;
    sync_directory(place)
}

/// Opens the marks, with both slots already allocated. Writing one makes that durable too.
fn open_marks(path: &Place) -> io::Result<File> {
    let open = || {
        let file = path.open_or_create()?;
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
fn take_reserve(path: &Place, bytes: u64) -> io::Result<()> {
    let mut file = path.open_to_append()?;
    let there = file.metadata()?.len();
    if there >= bytes {
        return Ok(());
    }
    let chunk = vec![0xA5; RESERVE_CHUNK];
    let mut write = || {
        let mut left = bytes - there;
        while left > 0 {
            let next = left.min(RESERVE_CHUNK as u64);
            file.write_all(&chunk[..usize::try_from(next).unwrap_or(RESERVE_CHUNK)])?;
            left -= next;
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

fn remove_if_there(path: &Place) -> io::Result<()> {
    match path.remove_file() {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(named(&error, "remove", path)),
        _ => Ok(()),
    }
}
