//! The page that shows a store at a glance: its markup, script and style, and its snapshots.
//! May come in: counters and the health of the store.
//! Must not know: keys, reasons and actors.

pub(crate) mod page;
pub(crate) mod snapshot;
