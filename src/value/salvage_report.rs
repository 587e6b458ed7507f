//! [`SalvageReport`]: the saved and the lost parts of a store.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

/// What [`Store::salvage`](crate::Store::salvage) saved, and what it could not save.
///
/// Its text, through [`Display`](fmt::Display), is made for the person who has to decide.
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let (broken, rescued) = (dir.path().join("broken"), dir.path().join("rescued"));
/// # Store::open(&broken)?.close()?;
/// let report = Store::salvage(&broken, &rescued)?;
/// assert!(report.is_whole(), "{report}");
/// println!("{} keys were saved", report.saved_keys());
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct SalvageReport {
    pub(crate) frames: u64,
    pub(crate) void_frames: u64,
    pub(crate) foreign_frames: u64,
    #[serde(rename = "lost_frames")]
    pub(crate) lost: Vec<RangeInclusive<u64>>,
    #[serde(flatten)]
    pub(crate) places: Places,
    pub(crate) end_is_known: bool,
    pub(crate) seed_is_lost: bool,
    pub(crate) is_whole: bool,
    pub(crate) expired_keys: u64,
    pub(crate) completed_keys: u64,
    pub(crate) failed_keys: u64,
    pub(crate) unfinished_keys: u64,
    pub(crate) keys_in_doubt: u64,
    pub(crate) lost_bodies: u64,
    pub(crate) audit_entries: u64,
    pub(crate) lost_audit_entries: u64,
    pub(crate) altered_audit_entries: u64,
}

/// The most places of damage that are listed one by one.
const PLACES_MAX: usize = 1000;

/// Places of damage, up to that number.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Places {
    #[serde(rename = "places")]
    told: Vec<String>,
    #[serde(rename = "more_places")]
    more: u64,
}

impl Places {
    pub(crate) fn add(&mut self, place: String) {
        if self.told.len() < PLACES_MAX {
            self.told.push(place);
        } else {
            self.more += 1;
        }
    }
}

impl SalvageReport {
    /// Whether everything that the store had acknowledged is known to be saved, except for
    /// [`lost_audit_entries`](Self::lost_audit_entries) and
    /// [`altered_audit_entries`](Self::altered_audit_entries).
    ///
    /// If not, at-most-once namespaces of the new store refuse to grant anything until
    /// [`Operator::accept_salvage`](crate::operator::Operator::accept_salvage).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Frames that were read and count.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames that were whole but that a crash had made void, and that a later run replaced.
    #[must_use]
    pub fn void_frames(&self) -> u64 {
        self.void_frames
    }

    /// Frames of another store, which were left out.
    #[must_use]
    pub fn foreign_frames(&self) -> u64 {
        self.foreign_frames
    }

    /// The numbers of frames that are known to be missing or damaged, ascending.
    #[must_use]
    pub fn lost_frames(&self) -> &[RangeInclusive<u64>] {
        &self.lost
    }

    /// Each place of damage in words: the file or segment with its offset, and what is wrong
    /// there. At most 1000 of them; the text of this report says how many more there are.
    #[must_use]
    pub fn places(&self) -> &[String] {
        &self.places.told
    }

    /// Whether the marks were whole, so that frames missing at the end are known to be missing.
    #[must_use]
    pub fn end_is_known(&self) -> bool {
        self.end_is_known
    }

    /// Whether the secret of fingerprints and derived keys is lost. If so, stored fingerprints were left out,
    /// because nothing can be compared with them.
    #[must_use]
    pub fn seed_is_lost(&self) -> bool {
        self.seed_is_lost
    }

    /// Keys that were saved as completed.
    #[must_use]
    pub fn completed_keys(&self) -> u64 {
        self.completed_keys
    }

    /// Keys that were saved as failed for good.
    #[must_use]
    pub fn failed_keys(&self) -> u64 {
        self.failed_keys
    }

    /// Keys that were saved as released, or as in progress, which a crash has ended.
    #[must_use]
    pub fn unfinished_keys(&self) -> u64 {
        self.unfinished_keys
    }

    /// Keys that were saved as in doubt, those with [`lost_bodies`](Self::lost_bodies) included.
    #[must_use]
    pub fn keys_in_doubt(&self) -> u64 {
        self.keys_in_doubt
    }

    /// Keys with an outcome whose response or error is lost: saved as in doubt, with a reason that
    /// says so, for the reconciler to bring the bytes again.
    #[must_use]
    pub fn lost_bodies(&self) -> u64 {
        self.lost_bodies
    }

    /// Keys that had expired by the time of the store, and were left out.
    #[must_use]
    pub fn expired_keys(&self) -> u64 {
        self.expired_keys
    }

    /// Entries of the audit log that were saved.
    #[must_use]
    pub fn audit_entries(&self) -> u64 {
        self.audit_entries
    }

    /// Entries of the audit log that are known to be missing or damaged.
    #[must_use]
    pub fn lost_audit_entries(&self) -> u64 {
        self.lost_audit_entries
    }

    /// Entries of the audit log that do not follow the entry before them: one of the two was changed. They
    /// are saved as they are, and the chain of the new store no longer shows the change.
    #[must_use]
    pub fn altered_audit_entries(&self) -> u64 {
        self.altered_audit_entries
    }

    /// Keys that were saved.
    #[must_use]
    pub fn saved_keys(&self) -> u64 {
        self.completed_keys + self.failed_keys + self.unfinished_keys + self.keys_in_doubt
    }
}

impl fmt::Display for SalvageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_whole {
            "everything that was acknowledged is saved"
        } else {
            "something was lost"
        };
        writeln!(f, "{verdict}")?;
        writeln!(
            f,
            "saved: {} keys ({} completed, {} failed, {} unfinished, {} in doubt) from {} frames; {} had expired",
            self.saved_keys(),
            self.completed_keys,
            self.failed_keys,
            self.unfinished_keys,
            self.keys_in_doubt,
            self.frames,
            self.expired_keys,
        )?;
        let lost: u64 = self
            .lost
            .iter()
            .map(|range| range.end() - range.start() + 1)
            .sum();
        writeln!(
            f,
            "lost: {lost} frames, {} bodies; left out: {} void frames, {} frames of another store",
            self.lost_bodies, self.void_frames, self.foreign_frames
        )?;
        if self.audit_entries + self.lost_audit_entries > 0 {
            writeln!(
                f,
                "audit log: {} entries saved, {} lost; {} were altered",
                self.audit_entries, self.lost_audit_entries, self.altered_audit_entries
            )?;
        }
        if !self.end_is_known {
            writeln!(f, "the end of the log is not known")?;
        }
        if self.seed_is_lost {
            writeln!(f, "the secret under fingerprints and derived keys is lost")?;
        }
        for place in &self.places.told {
            writeln!(f, "- {place}")?;
        }
        if self.places.more > 0 {
            writeln!(f, "- and {} places more", self.places.more)?;
        }
        Ok(())
    }
}
