//! [`HookedLog`]: a log in memory that asks a test before each call.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::journal::log::contract::Log;
use crate::journal::log::memory_log::session::MemorySession;

/// What a test does before a call of the log, which is named as in [`Log`].
pub(in crate::engine) trait Hook: Debug + Send + Sync + 'static {
    /// Where it fails, the call fails with that and does nothing.
    fn before(&self, call: &'static str) -> io::Result<()>;

    /// So much is to be held in reserve.
    fn reserve(&self, _bytes: u64) {}

    /// What the log says is free, where it is not without limit.
    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

#[derive(Debug)]
pub(in crate::engine) struct HookedLog {
    log: MemorySession,
    hook: Arc<dyn Hook>,
}

impl HookedLog {
    pub(in crate::engine) fn new(log: MemorySession, hook: Arc<dyn Hook>) -> Self {
        Self { log, hook }
    }
}

impl Log for HookedLog {
    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        self.hook.before("read_manifest")?;
        self.log.read_manifest()
    }

    fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        self.hook.before("write_manifest")?;
        self.log.write_manifest(bytes)
    }

    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        self.hook.before("read_marks")?;
        self.log.read_marks()
    }

    fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        self.hook.before("write_marks")?;
        self.log.write_marks(slot, bytes)
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        self.hook.before("segments")?;
        self.log.segments()
    }

    fn prepare(&self, segment: u64, frames: u32) -> io::Result<()> {
        self.hook.before("prepare")?;
        self.log.prepare(segment, frames)
    }

    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()> {
        self.hook.before("activate")?;
        self.log.activate(segment, link)
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.hook.before("read_link")?;
        self.log.read_link(segment)
    }

    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()> {
        self.hook.before("append")?;
        self.log.append(segment, index, frame)
    }

    fn flush(&self, segment: u64) -> io::Result<()> {
        self.hook.before("flush")?;
        self.log.flush(segment)
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        self.hook.before("sync")?;
        self.log.sync(segment)
    }

    fn seal(&self, segment: u64) -> io::Result<()> {
        self.hook.before("seal")?;
        self.log.seal(segment)
    }

    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>> {
        self.hook.before("read")?;
        self.log.read(segment, index)
    }

    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        self.hook.before("read_all")?;
        self.log.read_all(segment, visit)
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        self.hook.before("remove")?;
        self.log.remove(segment)
    }

    fn archives(&self) -> io::Result<Vec<u64>> {
        self.hook.before("archives")?;
        self.log.archives()
    }

    fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        self.hook.before("archive_sizes")?;
        self.log.archive_sizes()
    }

    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.hook.before("read_archive")?;
        self.log.read_archive(segment)
    }

    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.hook.before("write_archive")?;
        self.log.write_archive(segment, bytes)
    }

    fn remove_archive(&self, segment: u64) -> io::Result<()> {
        self.hook.before("remove_archive")?;
        self.log.remove_archive(segment)
    }

    fn disk_bytes(&self) -> io::Result<u64> {
        self.hook.before("disk_bytes")?;
        self.log.disk_bytes()
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        self.hook.before("free_bytes")?;
        Ok(self.hook.free_bytes())
    }

    fn hold_reserve(&self, bytes: u64) -> io::Result<()> {
        self.hook.before("hold_reserve")?;
        self.hook.reserve(bytes);
        self.log.hold_reserve(bytes)
    }

    fn close(&self) -> io::Result<()> {
        self.hook.before("close")?;
        self.log.close()
    }
}
