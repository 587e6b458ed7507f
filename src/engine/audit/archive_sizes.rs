//! [`ArchiveSizes`]: the bytes of each archive.

use std::collections::BTreeMap;

use crate::journal::log::contract::Log;
use crate::runtime::sync::Mutex;
use crate::value::doing::Doing;
use crate::value::error::Result;

/// The bytes of each archive, kept so that the file system is not asked each time.
#[derive(Debug)]
pub(in crate::engine) struct ArchiveSizes(Mutex<BTreeMap<u64, u64>>);

impl ArchiveSizes {
    pub(in crate::engine) fn measure(log: &dyn Log) -> Result<Self> {
        let sizes = log.archive_sizes();
        let sizes = sizes.while_doing("measuring the audit archives")?;
        Ok(Self(Mutex::new(sizes.into_iter().collect())))
    }

    pub(in crate::engine) fn note(&self, segment: u64, bytes: u64) {
        self.0.lock().insert(segment, bytes);
    }

    pub(in crate::engine) fn remove(&self, segment: u64) {
        self.0.lock().remove(&segment);
    }

    pub(in crate::engine) fn bytes(&self) -> u64 {
        self.0.lock().values().sum()
    }
}
