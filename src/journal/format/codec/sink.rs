//! [`Sink`]: what a record is encoded into.

use crate::journal::format::codec::limits::RECORD_OVERHEAD_MAX;

/// Bytes to which encoded fields are appended.
pub(crate) trait Sink {
    fn extend(&mut self, bytes: &[u8]);

    /// Lets `write` fill a space of [`RECORD_OVERHEAD_MAX`] bytes, and appends as many as it returns.
    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> usize);
}

impl Sink for Vec<u8> {
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        let start = self.len();
        self.resize(start + RECORD_OVERHEAD_MAX, 0);
        let taken = write(&mut self[start..]);
        self.truncate(start + taken);
    }
}
