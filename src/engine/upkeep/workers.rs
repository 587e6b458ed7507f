//! [`Workers`]: the threads of an engine.

use crate::runtime::sync::JoinHandle;
use crate::value::error::Result;

/// The threads of an engine.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    pub(in crate::engine) handles: Vec<JoinHandle<()>>,
    /// What closing the journal came to.
    pub(in crate::engine) closed: Option<Result<()>>,
    /// The shard that is swept next.
    pub(in crate::engine) sweep_next: usize,
    pub(in crate::engine) swept_ms: u64,
    pub(in crate::engine) marks_touched_ms: u64,
}
