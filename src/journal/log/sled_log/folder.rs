//! [`Folder`]: one sled database, open.

use std::fs::File;
use std::io::{self, ErrorKind};

use crate::journal::log::contract::{SEGMENT_FRAMES_FIRST, SEGMENT_FRAMES_MAX};
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{
    FileResult, remove_all_if_there, sync_directory, sync_file,
};
use crate::journal::log::directory::lock::LOCK_ROUND;
use crate::journal::log::directory::standard_streams;
use crate::journal::log::sled_log::db_file::{BLOBS, CONF, DB, open_db};
use crate::journal::log::sled_log::marker::{self, Marker};
use crate::journal::log::sled_log::preconditions::{check_clock, check_threads};
use crate::journal::log::sled_log::sled_call::{guarded, is_locked};

/// Keys beyond the last frame, so that the last leaf with a frame is as short as the others.
const SPARE_KEYS: u32 = 32;

/// Bytes that sled may cache of what it has written; it ignores limits below some tens of MiB.
const CACHE_BYTES: u64 = 8 << 20;

/// Rounds of waiting for sled's own lock, which a thread that is just ending may still hold.
const OPEN_ROUNDS: u32 = 100;

/// A sled database with a key for each frame, written at most once.
#[derive(Debug)]
pub(crate) struct Folder {
    path: AnchoredPath,
    /// How many keys frames may have; the spare keys follow.
    frames: u32,
    /// `None` once closed.
    database: Option<sled::Db>,
    /// The folder itself, through which sled finds its files while it is open.
    _held: AnchoredPath,
    /// Another handle on sled's file, opened before the first write through sled's own. It makes
    /// writes durable, which sled does not, and is told of every lost write.
    db: File,
    /// The prepared marker, while the folder is no segment.
    marker: Option<Marker>,
    /// The process that opened it: a forked child must not touch the database, not even to drop it.
    process: u32,
}

impl Folder {
    /// Makes the database with all its keys, durably, for at least `frames` frames. Discards a folder
    /// that was not ready.
    ///
    /// The keys come first because sled splits its leaves by their number of keys: once all keys
    /// exist, a frame is one change of one leaf, and nothing is ever written twice.
    pub(super) fn create(path: &AnchoredPath, frames: u32) -> io::Result<Self> {
        if marker::exists(path) {
            let what = format!("{path} is in use");
            return Err(io::Error::new(ErrorKind::AlreadyExists, what));
        }
        remove_all_if_there(path)?;
        path.create_folder().naming("create", path)?;
        let db_path = path.join(DB);
        let db = db_path.create().naming("create", &db_path)?;
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

    /// Writes the marker that makes the folder a segment; durable on return. It can be tried again
    /// after a failure.
    pub(super) fn begin(&mut self, link: &[u8]) -> io::Result<()> {
        match &self.marker {
            Some(marker) => marker.begin(&self.path, link)?,
            None => marker::write_link(&self.path, link)?,
        }
        self.marker = None;
        Ok(())
    }

    /// Opens a database that was closed, or that a process left when it died.
    pub(super) fn open(path: &AnchoredPath) -> io::Result<Self> {
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
    /// their number says it; a number that no folder is made with means that some are lost.
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

    /// Writes a frame under its key, whose value must be empty.
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
        self.db.sync_data().naming("sync", self.path.join(DB))
    }

    /// Reads a frame; `None` if the value of its key is empty.
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
    fn start(path: &AnchoredPath, db: File) -> io::Result<Self> {
        check_clock()?;
        check_threads()?;
        standard_streams::occupy()?;
        let held = path.hold().naming("open", path)?;
        let place = held.path_for_others()?;
        let open = || {
            let config = sled::Config::default();
            // Without `flush_every_ms`, whose thread swallows errors. The block size is the default.
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
        let what = format!("{path} is still locked");
        Err(io::Error::new(ErrorKind::WouldBlock, what))
    }

    /// Makes a new folder durable, with its name and all that is in it.
    fn sync_all(&self) -> io::Result<()> {
        self.db.sync_all().naming("sync", self.path.join(DB))?;
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

    /// Drops the database, which then syncs, and panics if that fails.
    fn shut(&mut self) -> io::Result<()> {
        let Some(database) = self.database.take() else {
            return Ok(());
        };
        if self.process != std::process::id() {
            // sled would wait for threads that exist only in the parent.
            Box::leak(Box::new(database));
            return Ok(());
        }
        // Closing may create files.
        let _ = standard_streams::occupy();
        guarded("close", &self.path, ErrorKind::Other, || {
            drop(database);
            Ok(())
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A caller that wants to hear of an error calls `close`.
        let _ = self.shut();
    }
}

/// Removes the permissions of group and others, which sled grants. The folder above keeps them out
/// already.
fn make_private(folder: &AnchoredPath) -> io::Result<()> {
    [CONF, BLOBS].iter().try_for_each(|name| {
        let path = folder.join(name);
        path.make_private()
            .naming("take the permissions of others from", &path)
    })
}

/// Removes snapshots that a crash has cut short: sled would take one for complete, and fail.
fn remove_unfinished_snapshots(path: &AnchoredPath) -> io::Result<()> {
    let remove = || {
        for name in path.names()? {
            let text = name.to_string_lossy();
            if text.starts_with("snap.") && text.ends_with(".generating") {
                path.join(&name).remove_file()?;
            }
        }
        Ok(())
    };
    remove().naming("clear", path)
}

/// The room that a folder gets for at least `frames` frames: one of few sizes, so that a folder which
/// has lost keys is not taken for a smaller one.
fn room_for(frames: u32) -> u32 {
    frames
        .clamp(SEGMENT_FRAMES_FIRST, SEGMENT_FRAMES_MAX)
        .next_power_of_two()
}

fn key(index: u32) -> [u8; 8] {
    u64::from(index).to_be_bytes()
}
