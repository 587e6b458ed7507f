//! [`Insertion`]: a key that an operator brings in, and what is known of it.

use std::time::Duration;

use crate::value::record::RecordKind;

/// A key and what is known of it, for [`Operator::insert`](crate::operator::Operator::insert).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::operator::Insertion;
///
/// let day = Duration::from_secs(24 * 60 * 60);
/// let paid = Insertion::completed("order-42", "receipt 42").metadata("trace-42").retention(day);
/// assert_eq!(paid.key(), b"order-42");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Insertion {
    pub(crate) key: Vec<u8>,
    pub(crate) kind: RecordKind,
    /// The response, the error or the reason.
    pub(crate) said: Vec<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) retention: Option<Duration>,
}

impl Insertion {
    /// A key that has run, and its response.
    #[must_use]
    pub fn completed(key: impl AsRef<[u8]>, response: impl Into<Vec<u8>>) -> Self {
        Self::new(key.as_ref(), RecordKind::Completed, response.into())
    }

    /// A key that has failed for good, and its error.
    #[must_use]
    pub fn failed(key: impl AsRef<[u8]>, error: impl Into<Vec<u8>>) -> Self {
        Self::new(key.as_ref(), RecordKind::Failed, error.into())
    }

    /// A key that failed and may be tried again, and the reason.
    #[must_use]
    pub fn released(key: impl AsRef<[u8]>, reason: impl Into<Vec<u8>>) -> Self {
        Self::new(key.as_ref(), RecordKind::Released, reason.into())
    }

    /// A key whose effect may or may not have happened, and the reason.
    #[must_use]
    pub fn in_doubt(key: impl AsRef<[u8]>, reason: impl Into<Vec<u8>>) -> Self {
        Self::new(key.as_ref(), RecordKind::InDoubt, reason.into())
    }

    fn new(key: &[u8], kind: RecordKind, said: Vec<u8>) -> Self {
        Self {
            key: key.to_vec(),
            kind,
            said,
            metadata: Vec::new(),
            checkpoint: Vec::new(),
            retention: None,
        }
    }

    /// The metadata of its request.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The last checkpoint of a key that was released or is in doubt; one with an outcome has none.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: impl Into<Vec<u8>>) -> Self {
        self.checkpoint = checkpoint.into();
        self
    }

    /// How long its outcome is remembered from now on; without this, as long as the policy says.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The response or the error, where it has an outcome.
    pub(crate) fn outcome(&self) -> Option<&[u8]> {
        let has_one = matches!(self.kind, RecordKind::Completed | RecordKind::Failed);
        has_one.then_some(&*self.said)
    }
}
