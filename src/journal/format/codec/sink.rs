//! [`Sink`]: what a record is encoded into.

/// Bytes to which encoded fields are appended.
pub(crate) trait Sink {
    fn extend(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
