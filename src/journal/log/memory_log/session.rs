//! [`MemorySession`]: a log in memory that is open.

use std::io::{self, ErrorKind};

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};
use crate::journal::log::memory_log::medium::{Medium, SharedMedium, StoredSegment};

/// The [`Log`] over a medium in memory.
#[derive(Debug)]
pub(crate) struct MemorySession {
    medium: SharedMedium,
    number: u64,
}

impl MemorySession {
    /// Opens the log; [`ErrorKind::ResourceBusy`] while it is open elsewhere.
    pub(super) fn open(medium: SharedMedium) -> io::Result<Self> {
        let number = medium.lock().begin_session()?;
        Ok(Self { medium, number })
    }

    /// Runs `act` on the medium, unless a crash or a close has ended this session.
    fn with<T>(&self, act: impl FnOnce(&mut Medium) -> io::Result<T>) -> io::Result<T> {
        let mut medium = self.medium.lock();
        if medium.open == Some(self.number) {
            act(&mut medium)
        } else {
            Err(io::Error::other("this log has crashed or was closed"))
        }
    }

    fn with_stored<T>(
        &self,
        segment: u64,
        act: impl FnOnce(&mut StoredSegment) -> io::Result<T>,
    ) -> io::Result<T> {
        self.with(|medium| act(medium.stored(segment)?))
    }

    /// Runs a write to a segment, after whose first failure all later writes fail.
    fn write<T>(
        &self,
        segment: u64,
        act: impl FnOnce(&mut Medium) -> io::Result<T>,
    ) -> io::Result<T> {
        self.with(|medium| {
            let stored = medium.stored(segment)?;
            stored.failure.check()?;
            if stored.sealed {
                return Err(io::Error::other(format!("segment {segment} is sealed")));
            }
            act(medium).inspect_err(|error| {
                if let Some(stored) = medium.segments.get_mut(&segment) {
                    stored.failure.note(error);
                }
            })
        })
    }
}

impl Log for MemorySession {
    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        self.with(|medium| Ok(medium.manifest.clone()))
    }

    fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        self.with(|medium| {
            medium.manifest = Some(bytes.to_vec());
            Ok(())
        })
    }

    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        self.with(|medium| Ok(medium.marks.clone()))
    }

    fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        self.with(|medium| match medium.marks.get_mut(slot) {
            Some(mark) if bytes.len() <= 512 => {
                bytes.clone_into(mark);
                Ok(())
            }
            _ => Err(ErrorKind::InvalidInput.into()),
        })
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        self.with(|medium| Ok(medium.segments.keys().copied().collect()))
    }

    fn prepare(&self, _segment: u64, _frames: u32) -> io::Result<()> {
        self.with(|_| Ok(()))
    }

    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()> {
        self.with(|medium| {
            if link.len() > 512 || medium.segments.contains_key(&segment) {
                let what = format!("segment {segment} cannot be activated");
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            let stored = StoredSegment {
                link: link.to_vec(),
                ..StoredSegment::default()
            };
            medium.segments.insert(segment, stored);
            Ok(())
        })
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.with_stored(segment, |stored| Ok(stored.link.clone()))
    }

    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()> {
        self.write(segment, |medium| {
            if let Some(kind) = medium.fail_append.take() {
                return Err(kind.into());
            }
            let stored = medium.stored(segment)?;
            let fits = (1..=FRAME_BYTES_MAX).contains(&frame.len()) && index < SEGMENT_FRAMES_MAX;
            if !fits || index as usize != stored.frames.len() {
                let what = format!("frame {index} of {} bytes", frame.len());
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            stored.frames.push(Some(frame.to_vec()));
            medium.appends += 1;
            Ok(())
        })
    }

    fn flush(&self, segment: u64) -> io::Result<()> {
        self.write(segment, |_| Ok(()))
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        #[cfg(all(test, hapax_shuttle))]
        let _hangs = self.medium.hang_syncs();
        self.write(segment, |medium| {
            if let Some(kind) = medium.fail_sync.take() {
                return Err(kind.into());
            }
            #[cfg(test)]
            match &mut medium.syncs_left {
                Some(0) => return Err(ErrorKind::TimedOut.into()),
                Some(left) => *left -= 1,
                None => {}
            }
            let stored = medium.stored(segment)?;
            stored.durable = stored.frames.len();
            medium.syncs += 1;
            Ok(())
        })
    }

    fn seal(&self, segment: u64) -> io::Result<()> {
        self.with_stored(segment, |stored| {
            stored.failure.check()?;
            stored.durable = stored.frames.len();
            stored.sealed = true;
            Ok(())
        })
    }

    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>> {
        self.with_stored(segment, |stored| {
            Ok(stored.frames.get(index as usize).cloned().flatten())
        })
    }

    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        // One frame at a time, because `visit` may call this log.
        let frames = self.with_stored(segment, |stored| Ok(stored.frames.len()))?;
        for index in 0..u32::try_from(frames).unwrap_or(SEGMENT_FRAMES_MAX) {
            if let Some(frame) = self.read(segment, index)? {
                if !visit(index, &frame) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        self.with(|medium| {
            medium.stored(segment)?;
            medium.segments.remove(&segment);
            Ok(())
        })
    }

    fn archives(&self) -> io::Result<Vec<u64>> {
        self.with(|medium| Ok(medium.archives.keys().copied().collect()))
    }

    fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        let size = |(segment, bytes): (&u64, &Vec<u8>)| (*segment, bytes.len() as u64);
        self.with(|medium| Ok(medium.archives.iter().map(size).collect()))
    }

    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.with(|medium| {
            let found = medium.archives.get(&segment).cloned();
            found.ok_or_else(|| ErrorKind::NotFound.into())
        })
    }

    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|medium| {
            if let Some(kind) = medium.fail_archive.take() {
                return Err(kind.into());
            }
            medium.archives.insert(segment, bytes.to_vec());
            Ok(())
        })
    }

    fn remove_archive(&self, segment: u64) -> io::Result<()> {
        self.with(|medium| {
            medium.archives.remove(&segment);
            Ok(())
        })
    }

    fn disk_bytes(&self) -> io::Result<u64> {
        self.with(|medium| {
            let frames = medium.segments.values().flat_map(|stored| &stored.frames);
            Ok(frames.flatten().map(|frame| frame.len() as u64).sum())
        })
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn hold_reserve(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.with(|medium| {
            medium.open = None;
            let mut stored = medium.segments.values();
            stored.try_for_each(|stored| stored.failure.check())
        })
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        let mut medium = self.medium.lock();
        if medium.open == Some(self.number) {
            medium.open = None;
        }
    }
}
