//! [`Visitor`]: what recovery shows its records to.

use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::WireRecord;
use crate::journal::recovery::found::{FoundRemoval, FoundSegment};
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::record::Head;

/// Sees the entries of the log in order while recovery checks them.
pub(crate) trait Visitor {
    /// A segment begins.
    fn segment(&mut self, _segment: FoundSegment) {}
    /// A frame of the newest segment, with the bytes of its entries.
    fn frame(&mut self, _payload_bytes: usize) {}
    /// A record of the newest segment.
    fn record(
        &mut self,
        _segment: u64,
        _head: &Head,
        _record: &WireRecord<'_>,
        _at: Locator,
    ) -> Result<()> {
        Ok(())
    }
    /// A removal in the newest segment.
    fn removal(&mut self, _removal: FoundRemoval) {}
    /// An audit entry of the newest segment, and how many bytes it has.
    fn audit(&mut self, _segment: u64, _number: u64, _facts: &Facts<'_>, _bytes: usize) {}
}
