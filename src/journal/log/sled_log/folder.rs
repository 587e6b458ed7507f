//! [`Folder`]: one sled database, open.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use crate::journal::log::contract::{SEGMENT_FRAMES_FIRST, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::{named, replace_file, sync_directory, sync_file};
use crate::journal::log::lock::LOCK_ROUND;
use crate::journal::log::place::{Place, take_standard_streams};

use crate::journal::log::sled_log::messages;
use crate::journal::log::sled_log::messages::Layout;

/// sled's log.
pub(crate) const DB: &str = "db";

const CONF: &str = "conf";
const BLOBS: &str = "blobs";
const READY: &str = "ready";
const READY_NEW: &str = "ready.new";

/// All that sled may write into `conf`, its checksum included: another block size, version or
/// compression would change what every byte of `db` means, and sled takes an empty one as new.
pub(super) const CONF_BYTES: &[u8] =
    b"segment_size: 524288\nuse_compression: false\nversion: 0.34\nv\x19\x51\xC1";

/// Keys beyond the last frame, so that the last leaf that holds one is as short as the others.
const SPARE_KEYS: u32 = 32;

/// Most bytes of a segment's marker.
const LINK_BYTES_MAX: usize = 512;

/// What sled may keep of what it has written; it takes no notice below some tens of MiB.
const CACHE_BYTES: u64 = 8 << 20;

/// Rounds of waiting for sled's own lock, held a moment longer by a thread that is just ending.
const OPEN_ROUNDS: u32 = 100;

/// A sled database with a key for each frame, written at most once.
#[derive(Debug)]
pub(super) struct Folder {
    path: Place,
    /// Keys that frames may have; the spare ones follow.
    frames: u32,
    /// `None` once closed.
    database: Option<sled::Db>,
    /// The folder itself, through which sled finds its files for as long as it is open.
    _held: Place,
    /// Another handle on sled's file, older than the first write through sled's own: what makes
    /// things durable, since sled does not, and what hears of every lost write.
    db: File,
    /// What becomes the marker, while the folder is no segment.
    marker: Option<Marker>,
    /// A forked child must leave the database alone, even on dropping it.
    process: u32,
}

/// A file that only has to be filled in and renamed, and the folder that it lies in: beginning a
/// segment takes no descriptor, no file and no room that was not there when it was prepared.
#[derive(Debug)]
struct Marker {
    file: File,
    folder: File,
}

impl Folder {
    /// Makes the database with all its keys, durably, for so many frames at least. Whatever was
    /// there and had not become ready is discarded.
    ///
    /// The keys come first because sled splits its leaves by their number of keys: when they are
    /// all there, a frame is one change of one leaf, and nothing is ever written twice.
    pub(super) fn create(path: &Place, frames: u32) -> io::Result<Self> {
        if path.join(READY).exists() {
            let what = format!("{} is in use", path);
            return Err(io::Error::new(ErrorKind::AlreadyExists, what));
        }
        discard(path)?;
        path.create_folder()
            .map_err(|error| named(&error, "create", path))?;
        let db_path = path.join(DB);
        let db = db_path
            .create()
            .map_err(|error| named(&error, "create", &db_path))?;
        let mut folder = Self::start(path, db)?;
        folder.frames = room_for(frames);
        folder.attempt("fill", ErrorKind::Other, |database| {
            for key in 0..u64::from(folder.frames + SPARE_KEYS) {
                database.insert(key.to_be_bytes(), &[] as &[u8])?;
            }
            Ok(())
        })?;
        folder.flush()?;
        folder.sync_all()?;
        folder.marker = Some(Marker::prepare(path)?);
        Ok(folder)
    }

    /// Writes the marker that makes the folder a segment; durable on return. Where that fails, it can
    /// be tried again.
    pub(super) fn begin(&mut self, link: &[u8]) -> io::Result<()> {
        match &self.marker {
            Some(marker) => marker.begin(&self.path, link)?,
            None => write_link(&self.path, link)?,
        }
        self.marker = None;
        Ok(())
    }

    /// Opens a database that was closed, or left by a process that died.
    pub(super) fn open(path: &Place) -> io::Result<Self> {
        let db = open_db(path)?;
        remove_unfinished_snapshots(path)?;
        let mut folder = Self::start(path, db)?;
        folder.frames = folder.count_frames()?;
        // Opening writes: nothing may rest on it before it is as durable as what was read.
        folder.flush()?;
        folder.sync()?;
        Ok(folder)
    }

    /// Frames that it has room for.
    pub(super) fn frames(&self) -> u32 {
        self.frames
    }

    /// How many frames the keys are for. All keys were durable before the folder became ready, so
    /// their number says it, and a number that no folder is made with says that some are lost.
    fn count_frames(&self) -> io::Result<u32> {
        let last = self.attempt("read", ErrorKind::InvalidData, |database| database.last())?;
        let last =
            last.and_then(|(last, _)| Some(u64::from_be_bytes(last.as_ref().try_into().ok()?)));
        let keys = last.map_or(0, |last| last.saturating_add(1));
        let frames = keys.checked_sub(u64::from(SPARE_KEYS));
        let frames = frames.and_then(|frames| u32::try_from(frames).ok());
        frames
            .filter(|frames| room_for(*frames) == *frames)
            .ok_or_else(|| {
                let what = format!("{} has lost keys: {keys} are left", self.path);
                io::Error::new(ErrorKind::InvalidData, what)
            })
    }

    /// Writes a frame under its key, which must be empty.
    pub(super) fn insert(&self, index: u32, frame: &[u8]) -> io::Result<()> {
        let before = self.attempt("write", ErrorKind::Other, |database| {
            database.insert(key(index), frame)
        })?;
        if before.is_some_and(|before| before.is_empty()) {
            return Ok(());
        }
        let what = format!("frame {index} of {} was there already", self.path);
        Err(io::Error::new(ErrorKind::InvalidData, what))
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.attempt("flush", ErrorKind::Other, |database| database.flush())
            .map(|_| ())
    }

    /// Makes what was flushed durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.db
            .sync_data()
            .map_err(|error| named(&error, "sync", self.path.join(DB)))
    }

    /// Reads a frame; `None` when its key is empty.
    pub(super) fn get(&self, index: u32) -> io::Result<Option<Vec<u8>>> {
        let value = self.attempt("read", ErrorKind::InvalidData, |database| {
            database.get(key(index))
        })?;
        let Some(value) = value else {
            // All keys were durable before the folder became ready.
            let what = format!("{} has lost key {index}", self.path);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        };
        Ok((!value.is_empty()).then(|| value.to_vec()))
    }

    /// Closes the database; everything is durable on return.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.flush()?;
        self.sync()?;
        self.shut()
    }

    /// Starts sled on the folder.
    fn start(path: &Place, db: File) -> io::Result<Self> {
        check_clock()?;
        check_threads()?;
        take_standard_streams()?;
        let held = path.hold().map_err(|error| named(&error, "open", path))?;
        let place = held.path_for_others()?;
        let open = || {
            let config = sled::Config::default();
            // No `flush_every_ms`: its thread swallows errors. The block size is the default one.
            config
                .path(&place)
                .flush_every_ms(None)
                .cache_capacity(CACHE_BYTES)
                .open()
        };
        for _ in 0..OPEN_ROUNDS {
            let opened = guarded("open", path, ErrorKind::InvalidData, open);
            if !opened.as_ref().is_err_and(is_locked) {
                let database = Some(opened?);
                make_private(&held)?;
                return Ok(Self {
                    path: path.clone(),
                    frames: 0,
                    database,
                    _held: held,
                    db,
                    marker: None,
                    process: std::process::id(),
                });
            }
            std::thread::park_timeout(LOCK_ROUND);
        }
        let what = format!("{} is still locked", path);
        Err(io::Error::new(ErrorKind::WouldBlock, what))
    }

    /// Makes all of a new folder durable, and its name.
    fn sync_all(&self) -> io::Result<()> {
        self.db
            .sync_all()
            .map_err(|error| named(&error, "sync", self.path.join(DB)))?;
        sync_file(&self.path.join(CONF))?;
        sync_directory(&self.path.join(BLOBS))?;
        sync_directory(&self.path)?;
        let folder = self.path.folder();
        folder.map_or(Ok(()), |folder| sync_directory(&folder))
    }

    fn attempt<T>(
        &self,
        what: &str,
        panicked: ErrorKind,
        act: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> io::Result<T> {
        match &self.database {
            Some(database) => guarded(what, &self.path, panicked, || act(database)),
            None => Err(io::Error::other(format!("{} is closed", self.path))),
        }
    }

    /// Drops the database, which syncs and panics when that fails.
    fn shut(&mut self) -> io::Result<()> {
        let Some(database) = self.database.take() else {
            return Ok(());
        };
        if self.process != std::process::id() {
            // sled would wait for threads that only the parent has.
            Box::leak(Box::new(database));
            return Ok(());
        }
        // Closing may write files of its own.
        let _ = take_standard_streams();
        guarded("close", &self.path, ErrorKind::Other, || {
            drop(database);
            Ok(())
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whoever wants to hear of an error calls `close`.
        let _ = self.shut();
    }
}

/// Refuses to start sled where it would panic: it counts nanoseconds since 1970.
pub(super) fn check_clock() -> io::Result<()> {
    if crate::runtime::clock::is_before_1970() {
        let what = "the wall clock of this machine stands before 1970, where sled cannot run: set the clock, or move the store to plain files with Store::move_log";
        return Err(io::Error::other(what));
    }
    Ok(())
}

/// Refuses to start sled where it would wait for ever: it starts threads with its first write, for
/// all databases of the process, and goes on where the system gives it none.
fn check_threads() -> io::Result<()> {
    static PROBED: OnceLock<()> = OnceLock::new();
    if PROBED.get().is_none() {
        let probe = crate::runtime::sync::spawn("hapax-probe", || {}).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot start a thread for sled: {error}"),
            )
        })?;
        let _ = probe.join();
        let _ = PROBED.set(());
    }
    Ok(())
}

/// Opens sled's file, once `conf` is known to be as expected, and makes it durable: what a killed
/// process has written may still be on its way.
pub(super) fn open_db(path: &Place) -> io::Result<File> {
    let conf = path.join(CONF);
    let bytes = conf.read().map_err(|error| named(&error, "read", &conf))?;
    if bytes != CONF_BYTES {
        let what = format!("{} is not as it was written", conf);
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    let db = path.join(DB);
    let file = db.open().map_err(|error| named(&error, "open", &db))?;
    file.sync_data()
        .map_err(|error| named(&error, "sync", &db))?;
    Ok(file)
}

/// Checks what makes this use of sled safe: no values in files of their own, which nobody syncs,
/// and no block written twice.
pub(super) fn check_layout(path: &Place, db: &File) -> io::Result<()> {
    let blobs = path.join(BLOBS);
    let names = blobs.names();
    let names = names.map_err(|error| named(&error, "list", &blobs))?;
    let broken = match messages::layout(db)? {
        _ if !names.is_empty() => "values in files of their own".to_owned(),
        Layout::Recycled(offset) => format!("the block at {offset} written twice"),
        Layout::Torn(offset) => format!("no header in the block at {offset}"),
        Layout::WriteOnce => return Ok(()),
    };
    let what = format!("{} has {broken}", path);
    Err(io::Error::new(ErrorKind::InvalidData, what))
}

impl Marker {
    fn prepare(path: &Place) -> io::Result<Self> {
        let new = path.join(READY_NEW);
        let make = || {
            let file = new.create()?;
            file.write_all_at(&[0; LINK_BYTES_MAX], 0)?;
            file.sync_all()?;
            let folder = path.open()?;
            Ok(Self { file, folder })
        };
        make().map_err(|error: io::Error| named(&error, "create", &new))
    }

    fn begin(&self, path: &Place, link: &[u8]) -> io::Result<()> {
        check_link(link)?;
        let (new, ready) = (path.join(READY_NEW), path.join(READY));
        let begin = || {
            self.file.write_all_at(link, 0)?;
            self.file.set_len(link.len() as u64)?;
            self.file.sync_all()?;
            match new.rename(&ready) {
                // An earlier try came this far.
                Err(error) if error.kind() == ErrorKind::NotFound && is_ready(path) => {}
                renamed => renamed?,
            }
            self.folder.sync_all()
        };
        begin().map_err(|error| named(&error, "write", &ready))
    }
}

fn check_link(link: &[u8]) -> io::Result<()> {
    if link.len() > LINK_BYTES_MAX {
        let what = format!("a marker of {} bytes is too long", link.len());
        return Err(io::Error::new(ErrorKind::InvalidInput, what));
    }
    Ok(())
}

/// Writes the marker that makes a folder a segment.
pub(super) fn write_link(path: &Place, link: &[u8]) -> io::Result<()> {
    check_link(link)?;
    replace_file(path, READY_NEW, READY, link)
}

/// Reads the marker.
pub(crate) fn read_link(path: &Place) -> io::Result<Vec<u8>> {
    let ready = path.join(READY);
    ready.read().map_err(|error| named(&error, "read", &ready))
}

/// Whether the folder is a segment.
pub(super) fn is_ready(path: &Place) -> bool {
    path.join(READY).is_file()
}

/// Whether anything was ever written to the folder; the marker comes before the first frame.
pub(super) fn holds_values(path: &Place) -> io::Result<bool> {
    let db = path.join(DB);
    let file = match db.open() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        result => result.map_err(|error| named(&error, "open", &db))?,
    };
    let mut holds = false;
    messages::each(&file, &mut |found| {
        holds |= found.is_intact();
        Ok(!holds)
    })
    .map_err(|error| named(&error, "read", &db))?;
    Ok(holds)
}

/// Deletes a folder that is no segment, or no longer one.
pub(super) fn discard(path: &Place) -> io::Result<()> {
    match path.remove_all() {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(named(&error, "remove", path)),
        _ => Ok(()),
    }
}

/// Takes from others what sled has made for them too; the folder around it keeps them out already.
fn make_private(folder: &Place) -> io::Result<()> {
    [CONF, BLOBS].iter().try_for_each(|name| {
        let place = folder.join(name);
        place
            .make_private()
            .map_err(|error| named(&error, "take the permissions of others from", &place))
    })
}

/// Removes snapshots that a crash has cut short: sled would take one for finished, and fail.
fn remove_unfinished_snapshots(path: &Place) -> io::Result<()> {
    let remove = || {
        for name in path.names()? {
            let text = name.to_string_lossy();
            if text.starts_with("snap.") && text.ends_with(".generating") {
                path.join(&name).remove_file()?;
            }
        }
        Ok(())
    };
    remove().map_err(|error| named(&error, "clear", path))
}

/// Runs something of sled, whose answer to much that is wrong is a panic.
fn guarded<T>(
    what: &str,
    path: &Place,
    panicked: ErrorKind,
    act: impl FnOnce() -> sled::Result<T>,
) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => result.map_err(|error| named(&translate(error), what, path)),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("no message");
            Err(named(
                &io::Error::new(panicked, format!("sled panicked: {text}")),
                what,
                path,
            ))
        }
    }
}

fn translate(error: sled::Error) -> io::Error {
    match error {
        // sled hides the one kind that is worth another try.
        sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock") => {
            io::Error::new(ErrorKind::WouldBlock, error)
        }
        sled::Error::Io(error) => error,
        sled::Error::Corruption { .. } => io::Error::new(ErrorKind::InvalidData, error),
        other => io::Error::other(other),
    }
}

fn is_locked(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

/// Frames that a folder is made for where so many are needed: one of few sizes, so that a folder
/// which has lost keys is not taken for a smaller one.
fn room_for(frames: u32) -> u32 {
    frames
        .clamp(SEGMENT_FRAMES_FIRST, SEGMENT_FRAMES_MAX)
        .next_power_of_two()
}

fn key(index: u32) -> [u8; 8] {
    u64::from(index).to_be_bytes()
}
