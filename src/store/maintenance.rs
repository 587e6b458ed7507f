//! Maintenance of a store: verifying, backups and restores, moving, compaction, salvage.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::engine::upkeep::backup::BackedUp;
use crate::engine::upkeep::salvage::saving;
use crate::engine::upkeep::{moving, restore};
use crate::journal::log::contract::Log;
use crate::store::location::{make_log, open_log, open_remains};
use crate::store::store::Store;
use crate::value::error::{Error, Result};
use crate::value::log_kind::LogKind;
use crate::value::meter::Meter;
use crate::value::progress::{Progress, ProgressUnit};
use crate::value::salvage_options::SalvageOptions;
use crate::value::salvage_report::SalvageReport;

impl Store {
    /// Makes a store in a new directory from a backup, in the same kind of log. Its tokens jump far ahead, so
    /// that no token that the original has granted since the backup is granted again.
    ///
    /// A damaged archive of the audit log comes back as it is, and is counted.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn restore(backup: impl AsRef<Path>, into: impl AsRef<Path>) -> Result<BackupReport> {
        Self::restore_with(backup, into, |_| {})
    }

    /// As [`restore`](Self::restore), and reports the progress in frames. Each frame is read twice and counts
    /// twice: everything is checked before anything is written.
    ///
    /// # Errors
    /// As for [`restore`](Self::restore).
    pub fn restore_with(
        backup: impl AsRef<Path>,
        into: impl AsRef<Path>,
        mut progress: impl FnMut(Progress),
    ) -> Result<BackupReport> {
        let from = open_log(backup.as_ref(), false, Duration::ZERO, None)?;
        // Checked before the directory is made, so that a store taken for a backup leaves no directory
        // behind.
        restore::manifest_of(&*from.log)?;
        let to = empty_log(into.as_ref(), from.kind, "a restore")?;
        let mut meter = Meter::new(ProgressUnit::Frames, &mut progress);
        let copied = restore::restore(&*from.log, &*to, &mut meter)?;
        close_log(&*from.log)?;
        close_log(&*to)?;
        meter.finish();
        Ok(BackupReport::of(copied))
    }

    /// Moves a store that is not open into the other kind of log, within its directory.
    ///
    /// Every frame is copied as it is, under its number, so keys, tokens, namespaces and everything else stay
    /// the same. The copy is read back and checked before the store changes over, in one step. Then the old
    /// log is removed; until then the disk has to hold both. If the move is cut short at any point, the store
    /// is whole in one of the two logs, the next open finds it there, and the same call goes on. A store that
    /// already has this kind of log stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{LogKind, Store};
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("dedup");
    /// # Store::open(&path)?.close()?;
    /// let moved = Store::move_log(&path, LogKind::Files)?;
    /// println!("{} frames in {} segments", moved.frames(), moved.segments());
    /// assert_eq!(Store::open(&path)?.log_kind(), Some(LogKind::Files));
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`AtCapacity`](crate::ErrorKind::AtCapacity) for a full disk, [`Damaged`](crate::ErrorKind::Damaged)
    /// for a store that is not whole: it then stays as it was. [`Locked`](crate::ErrorKind::Locked) while it
    /// is open, [`NotAStore`](crate::ErrorKind::NotAStore), [`Unsupported`](crate::ErrorKind::Unsupported),
    /// [`Io`](crate::ErrorKind::Io).
    pub fn move_log(path: impl AsRef<Path>, to: LogKind) -> Result<MoveReport> {
        let found = open_log(path.as_ref(), false, Duration::ZERO, None)?;
        let copied = moving::move_log(&found, to)?;
        close_log(&*found.log)?;
        Ok(MoveReport {
            segments: copied.segments,
            frames: copied.frames,
            bytes: copied.bytes,
        })
    }

    /// Saves what is left of a damaged store into a new directory, in the same kind of log.
    ///
    /// Every frame that is still whole is read, past gaps, missing segments and damaged marks. The newest
    /// record of each key goes into a new store, under tokens far ahead. No byte of the original is changed,
    /// and it is locked meanwhile if it has its lock file. The report says what could not be saved.
    ///
    /// - A key whose records are all lost is absent, and can be claimed again under at-least-once.
    ///   A key that has an older record left is what that record says.
    /// - A key with an outcome whose bytes are lost is in doubt.
    /// - Unless the report [`is_whole`](SalvageReport::is_whole), namespaces that promise at-most-once
    ///   answer what they know and refuse to grant, insert or attach anything else, with
    ///   [`Salvaged`](crate::ErrorKind::Salvaged), until [`Operator::accept_salvage`](crate::operator::Operator::accept_salvage).
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::operator::Attribution;
    /// use hapax::{Policy, Store};
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (broken, rescued) = (dir.path().join("broken"), dir.path().join("rescued"));
    /// # Store::open(&broken)?.namespace("pay", Policy::at_most_once())?.insert("order-42")?;
    /// # std::fs::remove_file(broken.join("MARKS")).unwrap();
    /// let salvage = Store::salvage(&broken, &rescued)?;
    /// println!("{salvage}");
    /// let store = Store::open(&rescued)?;
    /// if !salvage.is_whole() {
    ///     // Once a person has looked up what was under way:
    ///     let by = Attribution::new("alice", "INC-42: nothing is under way any more")?;
    ///     store.operator(by).accept_salvage()?;
    /// }
    /// # assert!(!salvage.is_whole());
    /// # assert!(store.namespace("pay", Policy::at_most_once())?.contains("order-42")?);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Damaged`](crate::ErrorKind::Damaged) when the manifest is lost, so that
    /// [`salvage_with`](Self::salvage_with) is needed; [`Locked`](crate::ErrorKind::Locked) while the
    /// store is open, [`NotAStore`](crate::ErrorKind::NotAStore) for a target that holds something,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for frames of a newer version,
    /// [`AtCapacity`](crate::ErrorKind::AtCapacity) for a full disk, [`Io`](crate::ErrorKind::Io).
    pub fn salvage(from: impl AsRef<Path>, into: impl AsRef<Path>) -> Result<SalvageReport> {
        Self::salvage_with(from, into, SalvageOptions::new())
    }

    /// As [`salvage`](Self::salvage), with the facts that a lost manifest would have given.
    ///
    /// # Errors
    /// As for [`salvage`](Self::salvage), and [`Invalid`](crate::ErrorKind::Invalid) for options that
    /// contradict each other.
    pub fn salvage_with(
        from: impl AsRef<Path>,
        into: impl AsRef<Path>,
        options: SalvageOptions,
    ) -> Result<SalvageReport> {
        Self::salvage_with_progress(from, into, options, |_| {})
    }

    /// As [`salvage_with`](Self::salvage_with), and reports the progress in bytes of the damaged store. Saved
    /// frames are read three times, and count three times.
    ///
    /// # Errors
    /// As for [`salvage_with`](Self::salvage_with).
    pub fn salvage_with_progress(
        from: impl AsRef<Path>,
        into: impl AsRef<Path>,
        options: SalvageOptions,
        mut progress: impl FnMut(Progress),
    ) -> Result<SalvageReport> {
        let remains = open_remains(from.as_ref())?;
        check_outside(from.as_ref(), into.as_ref())?;
        let to = empty_log(into.as_ref(), remains.kind(), "a salvage")?;
        let mut meter = Meter::new(ProgressUnit::Bytes, &mut progress);
        let salvage = saving::salvage(&remains, &to, &options, &mut meter)?;
        meter.finish();
        Ok(salvage)
    }

    /// Reads the whole log back and checks it against its checksums, including the audit entries in it.
    /// [`verify_audit`](Self::verify_audit) checks the archives and the chain of the audit log.
    ///
    /// # Errors
    /// [`Damaged`](crate::ErrorKind::Damaged) with the place.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.verify_with(|_| {})
    }

    /// As [`verify`](Self::verify), and reports the progress in frames.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify).
    pub fn verify_with(&self, mut progress: impl FnMut(Progress)) -> Result<VerifyReport> {
        let mut meter = Meter::new(ProgressUnit::Frames, &mut progress);
        let verified = self
            .home()
            .local("log to verify")?
            .engine
            .verify(&mut meter)?;
        meter.finish();
        Ok(VerifyReport {
            segments: verified.segments,
            frames: verified.frames,
            records: verified.records,
            live_records: verified.live_records,
        })
    }

    /// Frees the space of dead records, now and on this thread: carries the live records out of every segment
    /// that holds dead ones, or lies before such a segment, and drops it.
    ///
    /// The store does the same by itself when more of its log is dead than live. Call this if you need the
    /// space at once, or want the bytes of a forgotten key gone. It writes everything that it carries again,
    /// a few frames for each commit, so claims go on as usual. Expired records go in the first minutes after
    /// open too, so call it when the clock is right. [`CompactReport::is_complete`] says whether everything
    /// dead is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Store;
    ///
    /// let store = Store::in_memory().open()?;
    /// let compacted = store.compact()?;
    /// println!("{} bytes are free again", compacted.freed_bytes());
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InUse`](crate::ErrorKind::InUse) while a scan or a backup is under way,
    /// [`ReadOnly`](crate::ErrorKind::ReadOnly), and the errors of a store that cannot write.
    pub fn compact(&self) -> Result<CompactReport> {
        self.compact_with(|_| {})
    }

    /// As [`compact`](Self::compact), and reports the progress in frames.
    ///
    /// # Errors
    /// As for [`compact`](Self::compact).
    pub fn compact_with(&self, mut progress: impl FnMut(Progress)) -> Result<CompactReport> {
        let mut meter = Meter::new(ProgressUnit::Frames, &mut progress);
        let freed = self
            .home()
            .local("log to compact")?
            .engine
            .compact(&mut meter)?;
        meter.finish();
        Ok(CompactReport {
            segments_dropped: freed.segments,
            records_carried: freed.records,
            freed_bytes: freed.bytes,
            is_complete: freed.is_complete,
        })
    }

    /// Copies everything up to now into a new directory, from which [`restore`](Self::restore) makes a store
    /// in the same kind of log.
    ///
    /// A damaged archive of the audit log is copied as it is, and counted; everything else is backed up all
    /// the same. An archive that cannot be read at all is left out, and counted too.
    ///
    /// # Errors
    /// [`NotAStore`](crate::ErrorKind::NotAStore) for a directory that holds something,
    /// [`AtCapacity`](crate::ErrorKind::AtCapacity) for a full disk, [`Damaged`](crate::ErrorKind::Damaged)
    /// for a store that cannot be read back, and the errors of a store that cannot answer.
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<BackupReport> {
        self.backup_with(path, |_| {})
    }

    /// As [`backup`](Self::backup), and reports the progress in frames.
    ///
    /// # Errors
    /// As for [`backup`](Self::backup).
    pub fn backup_with(
        &self,
        path: impl AsRef<Path>,
        mut progress: impl FnMut(Progress),
    ) -> Result<BackupReport> {
        let inner = self.home().local("backup")?;
        let to = empty_log(
            path.as_ref(),
            self.log_kind().unwrap_or_default(),
            "a backup",
        )?;
        let mut meter = Meter::new(ProgressUnit::Frames, &mut progress);
        let copied = inner.engine.backup(&*to, &mut meter)?;
        close_log(&*to)?;
        meter.finish();
        Ok(BackupReport::of(copied))
    }
}

/// What [`Store::backup`] or [`Store::restore`] copied.
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let (path, copy) = (dir.path().join("dedup"), dir.path().join("copy"));
/// # let restored = dir.path().join("restored");
/// let report = Store::open(&path)?.backup(&copy)?;
/// println!("{} frames, {} damaged archives", report.frames(), report.damaged_audit_archives());
/// assert_eq!(Store::restore(&copy, &restored)?.frames(), report.frames());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BackupReport {
    frames: u64,
    audit_archives: u64,
    damaged_audit_archives: u64,
}

impl BackupReport {
    fn of(copied: BackedUp) -> Self {
        Self {
            frames: copied.frames,
            audit_archives: copied.audit.archives,
            damaged_audit_archives: copied.audit.damaged,
        }
    }

    /// Frames of the log.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Archives of the audit log, damaged ones included.
    #[must_use]
    pub fn audit_archives(&self) -> u64 {
        self.audit_archives
    }

    /// Archives of the audit log that are not whole, and were copied as they are, or that could not
    /// be read: [`Store::verify_audit`] names the place.
    #[must_use]
    pub fn damaged_audit_archives(&self) -> u64 {
        self.damaged_audit_archives
    }
}

/// What [`Store::verify`] read.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// store.namespace("seen", Policy::at_least_once())?.insert("event-7")?;
/// store.sync()?;
/// let report = store.verify()?;
/// assert_eq!((report.records(), report.live_records()), (1, 1));
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VerifyReport {
    segments: u64,
    frames: u64,
    records: u64,
    live_records: u64,
}

impl VerifyReport {
    /// Segments of the log.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.segments
    }

    /// Frames that were read.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Records that were read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records that are the newest of their key.
    #[must_use]
    pub fn live_records(&self) -> u64 {
        self.live_records
    }
}

/// What [`Store::move_log`] copied; zero if the store already had this kind of log.
///
/// # Examples
///
/// ```
/// use hapax::{LogKind, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// Store::open(&path)?.close()?;
/// let report = Store::move_log(&path, LogKind::Files)?;
/// println!("{} bytes in {} frames", report.bytes(), report.frames());
/// assert_eq!(Store::move_log(&path, LogKind::Files)?.frames(), 0, "it is there already");
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct MoveReport {
    segments: u64,
    frames: u64,
    bytes: u64,
}

impl MoveReport {
    /// Segments of the log.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.segments
    }

    /// Frames of all segments.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes of all frames.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// What [`Store::compact`] did, together with the compaction by the store itself meanwhile.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let seen = store.namespace("seen", Policy::at_least_once())?;
/// seen.insert("event-7")?;
/// seen.forget("event-7")?;
/// let report = store.compact()?;
/// println!("{} bytes are free again", report.freed_bytes());
/// assert!(report.is_complete(), "nothing is left of the key");
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CompactReport {
    segments_dropped: u64,
    records_carried: u64,
    freed_bytes: u64,
    is_complete: bool,
}

impl CompactReport {
    /// Segments that are gone.
    #[must_use]
    pub fn segments_dropped(&self) -> u64 {
        self.segments_dropped
    }

    /// Records that were written again because they are live.
    #[must_use]
    pub fn records_carried(&self) -> u64 {
        self.records_carried
    }

    /// Bytes of the medium by which the log has shrunk.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.freed_bytes
    }

    /// Whether the log holds nothing more of the keys that had been forgotten or had expired at the start: no
    /// key, no answer, no metadata. Entries of the audit log stay for their own time. False if the disk or
    /// the log had no room to carry the live records: compact once more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

/// Makes the log of a copy; refuses a directory that holds something.
fn empty_log(path: &Path, kind: LogKind, making: &'static str) -> Result<Arc<dyn Log>> {
    let log = make_log(path, kind, making)?.log;
    // A log has to list its segments once before it is written to.
    log.segments()
        .map_err(|error| Error::io(&format!("looking into {}", path.display()), error))?;
    Ok(log)
}

/// Refuses a target within the damaged directory, which must not change.
fn check_outside(from: &Path, into: &Path) -> Result<()> {
    let doing = |error| Error::io("looking for the directories", error);
    let from = from.canonicalize().map_err(doing)?;
    let into = std::path::absolute(into).map_err(doing)?;
    let there = into.ancestors().find_map(|path| path.canonicalize().ok());
    if there.is_some_and(|path| path.starts_with(&from)) {
        return Err(Error::invalid(
            "the new directory lies within the damaged one, which must stay as it is: name one beside it",
        ));
    }
    Ok(())
}

fn close_log(log: &dyn Log) -> Result<()> {
    log.close()
        .map_err(|error| Error::io("closing the log", error))
}
