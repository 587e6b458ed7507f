//! [`Image`]: everything on a medium in memory, to be changed at will and opened again.

#![cfg_attr(
    not(fuzzing),
    allow(unreachable_pub, reason = "it is public for fuzz targets only")
)]

use std::io::ErrorKind;

use crate::journal::log::memory_log::medium::{Medium, StoredSegment};
use crate::journal::log::memory_log::memory_log::MemoryLog;

/// Everything on a medium.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "tests and fuzzers build it from parts"
)]
pub struct Image {
    /// The bytes of the manifest; `None` before it is written.
    pub manifest: Option<Vec<u8>>,
    /// Both slots of the marks.
    pub marks: [Vec<u8>; 2],
    /// The segments, in any order of their numbers.
    pub segments: Vec<SegmentImage>,
    /// The audit archives, by the number of their segment.
    pub archives: Vec<(u64, Vec<u8>)>,
}

/// Everything in a segment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(
    clippy::exhaustive_structs,
    reason = "tests and fuzzers build it from parts"
)]
pub struct SegmentImage {
    /// Its number in the list of the log.
    pub number: u64,
    /// Its marker.
    pub link: Vec<u8>,
    /// By index; `None` is a hole.
    pub frames: Vec<Option<Vec<u8>>>,
}

impl MemoryLog {
    /// A copy of everything on the medium.
    pub(crate) fn image(&self) -> Image {
        let medium = self.medium.lock();
        let segment = |(number, stored): (&u64, &StoredSegment)| SegmentImage {
            number: *number,
            link: stored.link.clone(),
            frames: stored.frames.clone(),
        };
        Image {
            manifest: medium.manifest.clone(),
            marks: medium.marks.clone(),
            segments: medium.segments.iter().map(segment).collect(),
            archives: medium.archives.clone().into_iter().collect(),
        }
    }

    /// A medium that holds exactly this.
    pub(crate) fn of_image(image: Image) -> Self {
        let stored = |segment: SegmentImage| {
            let stored = StoredSegment {
                link: segment.link,
                durable: segment.frames.len(),
                frames: segment.frames,
                sealed: true,
                ..StoredSegment::default()
            };
            (segment.number, stored)
        };
        let medium = Medium {
            manifest: image.manifest,
            marks: image.marks,
            segments: image.segments.into_iter().map(stored).collect(),
            archives: image.archives.into_iter().collect(),
            ..Medium::default()
        };
        let log = Self::default();
        *log.medium.lock() = medium;
        log
    }

    /// Makes the next append of the open session fail.
    pub(crate) fn fail_next_append(&self, kind: ErrorKind) {
        self.medium.lock().fail_append = Some(kind);
    }

    /// Makes the next audit archive of the open session fail.
    #[cfg(test)]
    pub(crate) fn fail_next_archive(&self, kind: ErrorKind) {
        self.medium.lock().fail_archive = Some(kind);
    }

    /// Makes the next sync of the open session fail.
    pub(crate) fn fail_next_sync(&self, kind: ErrorKind) {
        self.medium.lock().fail_sync = Some(kind);
    }
}
