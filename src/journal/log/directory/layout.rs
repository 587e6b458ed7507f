//! Where everything lies in the directory of a store.
//!
//! ```text
//! store/
//!   LOCK       flock, held while the store is open; the holder's process id as text
//!   MANIFEST   replaced as a whole
//!   MARKS      two slots of 4096 bytes: u16 length, bytes
//!   RESERVE    space for recovery on a full disk
//!   LOGKIND    which kind of log the store has; absent: sled
//!   UNFINISHED what is being copied into the directory; removed once the copy is whole
//!   audit/     archives of audit entries; made with the first archive
//!   segments/  the log's own
//! ```

pub(crate) const LOCK: &str = "LOCK";
pub(crate) const MANIFEST: &str = "MANIFEST";
pub(crate) const MANIFEST_NEW: &str = "MANIFEST.new";
pub(crate) const MARKS: &str = "MARKS";
pub(crate) const RESERVE: &str = "RESERVE";
pub(crate) const LOGKIND: &str = "LOGKIND";
pub(crate) const LOGKIND_NEW: &str = "LOGKIND.new";
pub(crate) const UNFINISHED: &str = "UNFINISHED";
pub(crate) const AUDIT: &str = "audit";
pub(crate) const SEGMENTS: &str = "segments";

/// Every name that a store may have in its directory.
pub(crate) const NAMES: &[&str] = &[
    LOCK,
    MANIFEST,
    MANIFEST_NEW,
    MARKS,
    RESERVE,
    LOGKIND,
    LOGKIND_NEW,
    SEGMENTS,
    UNFINISHED,
    AUDIT,
];
