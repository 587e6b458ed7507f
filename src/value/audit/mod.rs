//! The audit log as values: entries, filters, and the head that stands for all entries.
//! What comes in: what the journal has decoded, and the wishes of callers.
//! They do not know how entries are encoded, chained or kept.

mod entry;
mod filter;
mod head;
mod json_object;
mod level;
mod origin;
mod report;
mod transition;

pub use crate::value::audit::entry::AuditEntry;
pub use crate::value::audit::filter::AuditFilter;
pub use crate::value::audit::head::AuditHead;
pub use crate::value::audit::level::AuditLevel;
pub use crate::value::audit::origin::Origin;
pub use crate::value::audit::report::AuditReport;
pub use crate::value::audit::transition::Transition;
