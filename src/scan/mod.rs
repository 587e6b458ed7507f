//! Many keys as users read them: scans, lists by age, the audit log.
//! What comes in: filters and positions; what goes out is one item after the other.
//! It changes nothing.

pub(crate) mod audit;
mod by_age;
pub(crate) mod doubts;
pub(crate) mod in_progress;
pub(crate) mod keys;
mod log_scan;

pub use self::doubts::DoubtScan;
pub use self::in_progress::InProgressScan;
pub use self::keys::{KeyFilter, Scan};
pub use crate::value::scan_position::ScanPosition;
