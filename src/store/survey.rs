//! [`Survey`]: the facts about a store that its small files give without opening it.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

use crate::engine::upkeep::recovery::identity::lost_manifest;
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{Link, Marks};
use crate::journal::log::raw_store::RawStore;
use crate::store::location::beside;
use crate::store::store::Store;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::hex::hex;
use crate::value::log_kind::LogKind;
use crate::value::policy::Policy;
use crate::value::time::system_time;

/// Tries to read the marks of a store that is being written to: both slots may be half written at the moment.
const LOOKS: usize = 16;

/// A namespace in a [`Survey`].
///
/// # Examples
///
/// ```
/// use hapax::{Guarantee, Policy, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let store = Store::open(&path)?;
/// store.namespace("mail", Policy::at_most_once())?;
/// for namespace in Store::survey(&path)?.namespaces() {
///     assert_eq!(namespace.number, 1);
///     assert_eq!(namespace.policy.guarantee(), Guarantee::AtMostOnce);
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SurveyedNamespace {
    /// Its number: namespaces are numbered from 1, in the order in which they were made.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its policy.
    pub policy: Policy,
}

/// A segment in a [`Survey`].
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// # let store = Store::open(&path)?;
/// for segment in Store::survey(&path)?.segments() {
///     println!("segment {}: {} bytes", segment.number, segment.disk_bytes);
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SurveyedSegment {
    /// Its number.
    pub number: u64,
    /// Bytes of the medium that it takes.
    pub disk_bytes: u64,
}

/// What [`Store::survey`](crate::Store::survey) saw of a store.
///
/// # Examples
///
/// ```
/// use hapax::{Policy, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let store = Store::open(&path)?;
/// store.namespace("mail", Policy::at_least_once())?;
/// let survey = Store::survey(&path)?;
/// assert_eq!(survey.namespaces()[0].name, "mail");
/// println!("{} bytes of {} are its own", survey.disk_bytes(), survey.free_bytes());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Survey {
    manifest_version: u32,
    store_id: String,
    log_kind: LogKind,
    holder: Option<u32>,
    created_secs: u64,
    is_backup: bool,
    is_salvaged: bool,
    epoch: u32,
    durable_frame: u64,
    low_segment: u64,
    store_secs: u64,
    namespaces: Vec<SurveyedNamespace>,
    segments: Vec<SurveyedSegment>,
    free_bytes: u64,
}

impl Store {
    /// Looks at a store without opening it. It takes no lock, so another process may have the store open.
    ///
    /// It reads the small files of the store and counts its segments. It reads no frame, so it says nothing
    /// about keys. If a process writes meanwhile, the parts of the answer may come from slightly different
    /// moments.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Store;
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("dedup");
    /// let store = Store::open(&path)?;
    /// let survey = Store::survey(&path)?;
    /// println!("{survey}");
    /// assert_eq!(survey.epoch(), 1);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotAStore`](crate::ErrorKind::NotAStore) if the directory holds no store, [`Damaged`](crate::ErrorKind::Damaged) for
    /// a manifest or marks that cannot be read, [`Unsupported`](crate::ErrorKind::Unsupported),
    /// [`Io`](crate::ErrorKind::Io).
    pub fn survey(path: impl AsRef<Path>) -> Result<Survey> {
        Survey::take(path.as_ref())
    }
}

impl Survey {
    fn take(path: &Path) -> Result<Self> {
        let remains = beside(path)?;
        let directory = &remains.directory;
        let read = directory.read_manifest();
        let bytes = read.map_err(|error| Error::io("reading the manifest", error))?;
        let looked = |error| Error::io("looking into the directory", error);
        let Some(bytes) = bytes else {
            if directory.is_store().map_err(looked)? {
                return Err(lost_manifest());
            }
            let text = format!(
                "{} holds no store, or only the beginning of one: check the path",
                path.display()
            );
            return Err(Error::new(ErrorKind::NotAStore, text));
        };
        let manifest = manifest_file::decode(&bytes)?;
        let marks = look_at_marks(&remains)?;
        let free = directory.free_bytes();
        let namespaces = manifest.namespaces.iter().map(|entry| SurveyedNamespace {
            number: entry.id.0,
            name: entry.name.clone(),
            policy: entry.policy.clone(),
        });
        Ok(Self {
            manifest_version: manifest_file::version_of(&bytes),
            store_id: hex(&manifest.store_id),
            log_kind: remains.kind(),
            holder: directory.holder().and_then(|holder| holder.pid()),
            created_secs: manifest.created_secs,
            is_backup: manifest.backup,
            is_salvaged: manifest.salvaged,
            epoch: marks.epoch,
            durable_frame: marks.durable,
            low_segment: marks.low.segment,
            store_secs: marks.store_ms / 1000,
            namespaces: namespaces.collect(),
            segments: segments(&remains, &marks)?,
            free_bytes: free.map_err(|error| Error::io("looking at the free disk space", error))?,
        })
    }

    /// The version of the format of the manifest, the highest of the formats of a store.
    #[must_use]
    pub fn manifest_version(&self) -> u32 {
        self.manifest_version
    }

    /// The identity of the store, in hexadecimal digits. A backup has that of its original.
    #[must_use]
    pub fn store_id(&self) -> &str {
        &self.store_id
    }

    /// The kind of log of the store.
    #[must_use]
    pub fn log_kind(&self) -> LogKind {
        self.log_kind
    }

    /// The process that has it open to write; `None` if no process has, or if the operating system does not
    /// name the holder of a lock.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.holder
    }

    /// When it was made, by the wall clock, in whole seconds.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        system_time(self.created_secs)
    }

    /// Whether it is a backup, which has to be restored before it can be opened to write.
    #[must_use]
    pub fn is_backup(&self) -> bool {
        self.is_backup
    }

    /// Whether it was salvaged with losses that are not accepted yet.
    #[must_use]
    pub fn is_salvaged(&self) -> bool {
        self.is_salvaged
    }

    /// A number that each open to write raises by one, and each restore and salvage by 65,536.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The last frame that is known to be on the medium. A store that is open may be 100 ms ahead.
    #[must_use]
    pub fn durable_frame(&self) -> u64 {
        self.durable_frame
    }

    /// The number of the oldest segment that counts.
    #[must_use]
    pub fn low_segment(&self) -> u64 {
        self.low_segment
    }

    /// The last store time that was written, in whole seconds.
    #[must_use]
    pub fn store_time(&self) -> SystemTime {
        system_time(self.store_secs)
    }

    /// Its namespaces, in the order in which they were made.
    #[must_use]
    pub fn namespaces(&self) -> &[SurveyedNamespace] {
        &self.namespaces
    }

    /// Its segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[SurveyedSegment] {
        &self.segments
    }

    /// Bytes of the medium that its segments take.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.disk_bytes).sum()
    }

    /// Bytes still free on its medium.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes
    }
}

fn look_at_marks(remains: &RawStore) -> Result<Marks> {
    for _ in 0..LOOKS {
        let slot = |slot: usize| {
            let read = remains.directory.read_marks(slot);
            read.map_err(|error| Error::io("reading the marks", error))
        };
        if let Some(marks) = Marks::newest(&[slot(0)?, slot(1)?]).0 {
            return Ok(marks);
        }
    }
    Err(Error::new(
        ErrorKind::Damaged,
        "the marks are missing or damaged: restore a backup, or save what is left with Store::salvage",
    ))
}

/// The segments that count. Skips segments that are being created or removed.
fn segments(remains: &RawStore, marks: &Marks) -> Result<Vec<SurveyedSegment>> {
    let doing = |error| Error::io("reading the segments", error);
    let is_files = remains.kind() == LogKind::Files;
    let mut found = Vec::new();
    for place in remains.segments().map_err(doing)? {
        let counts = place.number >= marks.low.segment && place.is_file == is_files;
        let link = remains.link(place).ok();
        if counts && link.is_some_and(|link| Link::decode(&link).is_some()) {
            found.push(SurveyedSegment {
                number: place.number,
                disk_bytes: remains.disk_bytes(place).map_err(doing)?,
            });
        }
    }
    Ok(found)
}

/// A few lines for people.
impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = if self.is_backup { "backup" } else { "store" };
        writeln!(
            f,
            "{is} {} in a log of the kind {}, made at {}",
            self.store_id, self.log_kind, self.created_secs
        )?;
        match self.holder {
            Some(pid) => writeln!(f, "open in process {pid}")?,
            None => writeln!(f, "no process is known to have it open")?,
        }
        if self.is_salvaged {
            writeln!(f, "salvaged with losses that are not accepted yet")?;
        }
        writeln!(
            f,
            "epoch {}, frame {} durable, store time {}",
            self.epoch, self.durable_frame, self.store_secs
        )?;
        writeln!(
            f,
            "{} segments from {:016x} on, {} bytes; {} bytes are free",
            self.segments.len(),
            self.low_segment,
            self.disk_bytes(),
            self.free_bytes
        )?;
        for space in &self.namespaces {
            let guarantee = space.policy.guarantee();
            writeln!(
                f,
                "namespace {}: {:?}, {guarantee:?}",
                space.number, space.name
            )?;
        }
        Ok(())
    }
}
