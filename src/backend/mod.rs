//! The seam under a store that several processes share: what an engine beyond this process has to do.
//! What comes in: whole rows, compared and set. A row is a key's state after one transition, as a record is.
//! It knows no rule of the contract: `src/state/transition/` decides, here as for the embedded store.
//!
//! For packages of this project. It changes without notice until hapax is 1.0.

pub(crate) mod change;
pub(crate) mod contract;
pub(crate) mod fault;
pub(crate) mod key_ref;
pub(crate) mod row;

pub use crate::backend::change::{
    Begins, Change, Draft, DraftRun, Ends, Expect, LeaseEnd, Next, Stamps,
};
pub use crate::backend::contract::{
    Answered, Backend, Filter, ManifestEdit, Outcome, PageQuery, Reply, Stored, StoredManifest,
    Task,
};
pub use crate::backend::fault::{refused, unavailable, unknown};
pub use crate::backend::key_ref::KeyRef;
pub use crate::backend::row::{HolderGuard, Row, RowState, Run};
