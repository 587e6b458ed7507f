//! [`Limits`]: how much of everything a store takes.

use crate::value::error::{Error, Result};
use crate::value::key::KEY_BYTES_MAX;

/// The limits of a store. Each is checked before any work is done, with a typed error.
///
/// | limit | default |
/// | --- | --- |
/// | [`key_bytes`](Self::key_bytes) | 1024, at most 1024 |
/// | [`metadata_bytes`](Self::metadata_bytes) | 4 KiB, at most 16 KiB |
/// | [`reason_bytes`](Self::reason_bytes) | 4 KiB, at most 16 KiB |
/// | [`batch_items`](Self::batch_items) | 8192, at most 65,536 |
/// | [`waiters_per_key`](Self::waiters_per_key) | 4096 |
/// | [`waiters`](Self::waiters) | 65,536 |
/// | [`running_keys`](Self::running_keys) | 1,000,000 |
/// | [`live_keys`](Self::live_keys) | no limit but memory: 24 to 48 bytes each |
/// | [`unwritten_bytes`](Self::unwritten_bytes) | 16 MiB |
/// | [`free_disk_bytes`](Self::free_disk_bytes) | 256 MiB |
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) key_bytes: usize,
    pub(crate) metadata_bytes: usize,
    pub(crate) reason_bytes: usize,
    pub(crate) batch_items: usize,
    pub(crate) waiters_per_key: usize,
    pub(crate) waiters: usize,
    pub(crate) running_keys: usize,
    pub(crate) live_keys: usize,
    pub(crate) unwritten_bytes: usize,
    pub(crate) free_disk_bytes: u64,
}

/// Most bytes of metadata and of a reason, so that a record without its body fits a frame.
pub(crate) const SMALL_BYTES_MAX: usize = 16 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_bytes: KEY_BYTES_MAX,
            metadata_bytes: 4 * 1024,
            reason_bytes: 4 * 1024,
            batch_items: 8192,
            waiters_per_key: 4096,
            waiters: 65_536,
            running_keys: 1_000_000,
            live_keys: usize::MAX,
            unwritten_bytes: 16 * 1024 * 1024,
            free_disk_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Most bytes of a key.
    #[must_use]
    pub fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = bytes;
        self
    }

    /// Most bytes of the metadata of a claim.
    #[must_use]
    pub fn metadata_bytes(mut self, bytes: usize) -> Self {
        self.metadata_bytes = bytes;
        self
    }

    /// Most bytes of the reason of a release or a doubt.
    #[must_use]
    pub fn reason_bytes(mut self, bytes: usize) -> Self {
        self.reason_bytes = bytes;
        self
    }

    /// Most items of `claim_many` and `insert_many`. Leases are settled together in any number.
    #[must_use]
    pub fn batch_items(mut self, items: usize) -> Self {
        self.batch_items = items;
        self
    }

    /// Most callers that wait for one key; a further one is answered at once, as without a wait.
    #[must_use]
    pub fn waiters_per_key(mut self, waiters: usize) -> Self {
        self.waiters_per_key = waiters;
        self
    }

    /// Most callers that wait in the whole store; a further one is answered at once.
    #[must_use]
    pub fn waiters(mut self, waiters: usize) -> Self {
        self.waiters = waiters;
        self
    }

    /// Most keys that run at the same time; over it new claims are refused. Lapsed keys that nobody
    /// took over, and keys that a lapse left in doubt, count among them.
    #[must_use]
    pub fn running_keys(mut self, keys: usize) -> Self {
        self.running_keys = keys;
        self
    }

    /// Most keys that the store remembers; over it claims of new keys are refused. A live key is
    /// never evicted.
    #[must_use]
    pub fn live_keys(mut self, keys: usize) -> Self {
        self.live_keys = keys;
        self
    }

    /// Most bytes of changes that wait to be written; over it callers wait.
    #[must_use]
    pub fn unwritten_bytes(mut self, bytes: usize) -> Self {
        self.unwritten_bytes = bytes;
        self
    }

    /// Free disk space under which new claims are refused while holders can still complete. Less than
    /// 8 MiB, and 1 KiB for each key that runs, is refused whatever this is: outcomes need it.
    #[must_use]
    pub fn free_disk_bytes(mut self, bytes: u64) -> Self {
        self.free_disk_bytes = bytes;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let bounded = [
            ("key_bytes", self.key_bytes, KEY_BYTES_MAX),
            ("metadata_bytes", self.metadata_bytes, SMALL_BYTES_MAX),
            ("reason_bytes", self.reason_bytes, SMALL_BYTES_MAX),
            ("batch_items", self.batch_items, 65_536),
            ("running_keys", self.running_keys, 1 << 28),
            ("unwritten_bytes", self.unwritten_bytes, 1 << 30),
        ];
        for (name, value, most) in bounded {
            if value == 0 {
                return Err(Error::invalid(format!(
                    "the limit {name} is 0, so nothing could pass: allow at least 1"
                )));
            }
            if value > most {
                return Err(Error::too_large(
                    &format!("the limit {name}"),
                    value,
                    most,
                    "lower it",
                ));
            }
        }
        Ok(())
    }
}
