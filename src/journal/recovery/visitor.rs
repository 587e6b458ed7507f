//! [`Visitor`]: what recovery shows its records to.

use crate::journal::format::audit::entry::Facts;
use crate::journal::format::codec::WireRecord;
use crate::journal::recovery::found::FoundSegment;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::record::Head;

/// What recovery meets, in the order of the log.
pub(crate) trait Visitor {
    /// A segment begins.
    fn segment(&mut self, segment: FoundSegment);
    /// A frame of the newest segment, with the bytes of its entries.
    fn frame(&mut self, payload_bytes: usize);
    /// A record of the newest segment.
    fn record(
        &mut self,
        segment: u64,
        head: Head,
        record: &WireRecord<'_>,
        locator: Locator,
    ) -> Result<()>;
    /// A removal in the newest segment, the place of the record that it removes, and how many bytes the
    /// removal has.
    fn removal(
        &mut self,
        segment: u64,
        head: Head,
        removed: Option<Locator>,
        at: Locator,
        bytes: usize,
    );
    /// An audit entry of the newest segment, and how many bytes it has.
    fn audit(&mut self, segment: u64, number: u64, facts: &Facts<'_>, bytes: usize);
}
