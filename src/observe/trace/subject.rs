//! [`TraceSubject`]: a key, as spans and events show it.

use crate::value::key_digest::KeyDigest;

/// A key, as it is shown.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "tracing"),
    expect(dead_code, reason = "only traces show it")
)]
pub(crate) struct TraceSubject {
    pub(crate) namespace: String,
    pub(crate) digest: KeyDigest,
    /// Only where the store was told to show keys.
    pub(crate) key: Option<String>,
}

impl TraceSubject {
    /// Everything that a caller chose is escaped, so that no line of a log can be made up.
    pub(crate) fn new(namespace: &str, digest: KeyDigest, key: Option<&[u8]>) -> Self {
        Self {
            namespace: namespace.escape_debug().to_string(),
            digest,
            key: key.map(|key| key.escape_ascii().to_string()),
        }
    }
}
