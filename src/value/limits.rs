//! [`Limits`]: the limits of a store, and the rules of size that follow from them.

use crate::value::error::{Error, Result};
use crate::value::key::KEY_BYTES_MAX;
use crate::value::size::check_size;

/// The most bytes of metadata and of a reason, so that a record without its body fits a frame.
pub(crate) const SMALL_BYTES_MAX: usize = 16 * 1024;

/// The most bytes of a checkpoint: every record of the key has it until the key is settled.
pub const CHECKPOINT_BYTES_MAX: usize = 16 * 1024;

/// Declares each limit once: its method, its default, and the most that it can be set to.
macro_rules! limits {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident($count:ident: $type:ty) = $default:expr $(, at most $most:expr)?;
    )*) => {
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
        ///
        /// # Examples
        ///
        /// ```
        /// use hapax::{ErrorKind, Limits, Policy, Store};
        ///
        /// let limits = Limits::new().live_keys(1).batch_items(100);
        /// let store = Store::in_memory().limits(limits).open()?;
        /// let seen = store.namespace("seen", Policy::at_least_once())?;
        /// assert!(seen.insert("event-7")?);
        /// assert_eq!(seen.insert("event-8").unwrap_err().kind(), ErrorKind::AtCapacity);
        /// # Ok::<(), hapax::Error>(())
        /// ```
        #[derive(Clone, Debug)]
        pub struct Limits {
            $(pub(crate) $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self {
                    $($name: $default,)*
                }
            }
        }

        impl Limits {
            /// The defaults.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            $(
                $(#[doc = $doc])*
                #[must_use]
                pub fn $name(mut self, $count: $type) -> Self {
                    self.$name = $count;
                    self
                }
            )*

            /// Refuses a limit of zero, and a limit that is too high.
            pub(crate) fn check(&self) -> Result<()> {
                $($(check_limit(stringify!($name), self.$name, $most)?;)?)*
                Ok(())
            }
        }
    };
}

limits! {
    /// Most bytes of a key.
    key_bytes(bytes: usize) = KEY_BYTES_MAX, at most KEY_BYTES_MAX;
    /// Most bytes of the metadata of a claim.
    metadata_bytes(bytes: usize) = 4 * 1024, at most SMALL_BYTES_MAX;
    /// Most bytes of the reason of a release or a doubt.
    reason_bytes(bytes: usize) = 4 * 1024, at most SMALL_BYTES_MAX;
    /// Most items of `claim_many` and `insert_many`. Leases are settled together in any number.
    batch_items(items: usize) = 8192, at most 65_536;
    /// Most callers that wait for one key; a further one is answered at once, as without a wait.
    waiters_per_key(waiters: usize) = 4096;
    /// Most callers that wait in the whole store; a further one is answered at once.
    waiters(waiters: usize) = 65_536;
    /// Most keys that run at the same time; over it new claims are refused. Lapsed keys that are not taken
    /// over, and keys that a lapse left in doubt, count too.
    running_keys(keys: usize) = 1_000_000, at most 1 << 28;
    /// Most keys that the store remembers; over it claims of new keys are refused. A live key is
    /// never evicted.
    live_keys(keys: usize) = usize::MAX;
    /// Most bytes of changes that wait to be written; over it callers wait.
    unwritten_bytes(bytes: usize) = 16 * 1024 * 1024, at most 1 << 30;
    /// Free disk space under which new claims are refused while holders can still complete. Less than 8 MiB,
    /// and 1 KiB for each key that runs, is refused under any setting: outcomes need it.
    free_disk_bytes(bytes: u64) = 256 * 1024 * 1024;
}

fn check_limit(name: &str, value: usize, most: usize) -> Result<()> {
    if value == 0 {
        return Err(Error::invalid(format!(
            "the limit {name} is 0, so nothing could pass: allow at least 1"
        )));
    }
    check_size(&format!("the limit {name}"), value, most, "lower it")
}

impl Limits {
    #[inline]
    pub(crate) fn check_key(&self, key: &[u8]) -> Result<()> {
        if key.is_empty() {
            return Err(Error::invalid(
                "the key is empty: send 1 to 1024 bytes that name the unit of work",
            ));
        }
        let remedy = "send a shorter key or a digest of it";
        check_size("the key", key.len(), self.key_bytes, remedy)
    }

    pub(crate) fn check_metadata(&self, metadata: &[u8], remedy: &str) -> Result<()> {
        check_size("the metadata", metadata.len(), self.metadata_bytes, remedy)
    }

    pub(crate) fn check_reason(&self, reason: &[u8]) -> Result<()> {
        let most = self.reason_bytes;
        check_size("the reason", reason.len(), most, "shorten it")
    }

    pub(crate) fn check_batch(&self, items: usize) -> Result<()> {
        check_size("the batch (items)", items, self.batch_items, "split it")
    }
}

/// A checkpoint has the same limit in every store, because no record that holds one may need a second frame.
pub(crate) fn check_checkpoint(checkpoint: &[u8], remedy: &str) -> Result<()> {
    let bytes = checkpoint.len();
    check_size("the checkpoint", bytes, CHECKPOINT_BYTES_MAX, remedy)
}
