//! Reading the journal at open: the chain is checked link by link, and damage is never skipped.
//! What comes in: a log and its marks, and a visitor that is shown every record, oldest first.
//! It does not know what a record means, and changes nothing except to remove dead segments.

mod chain;
mod found;
mod recover;
mod segment_scan;
mod visitor;

pub(crate) use crate::journal::recovery::found::{FoundLog, FoundRemoval, FoundSegment, spans};
pub(crate) use crate::journal::recovery::recover::recover;
pub(crate) use crate::journal::recovery::visitor::Visitor;
