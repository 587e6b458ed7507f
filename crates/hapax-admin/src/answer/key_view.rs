//! What a key looks like in an answer: in a list, by itself, and in doubt.

use hapax::{Doubt, KeyInfo};
use hapax_http_types::KeyParts;
use serde::Serialize;

use crate::answer::bytes_view::BytesView;
use crate::notation::percent::escaped;
use crate::notation::seconds::secs;
use crate::notation::state_name::state_name;

/// The parts of a key of the HTTP layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PartsView {
    tenant: String,
    operation: String,
    client_key: String,
}

impl PartsView {
    /// `None` for any other key.
    pub(crate) fn of(key: &[u8]) -> Option<Self> {
        KeyParts::of(key).map(|parts| Self {
            tenant: parts.scope().to_owned(),
            operation: parts.operation().to_owned(),
            client_key: parts.client_key().to_owned(),
        })
    }
}

/// The state of a key, without the key.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StateView {
    state: &'static str,
    token: String,
    attempt: u32,
    first_claimed_at: u64,
    recorded_at: u64,
    expires_at: Option<u64>,
}

impl StateView {
    pub(crate) fn of(info: &KeyInfo) -> Self {
        Self {
            state: state_name(info.state()),
            token: info.token().to_string(),
            attempt: info.attempt(),
            first_claimed_at: secs(info.first_claimed_at()),
            recorded_at: secs(info.recorded_at()),
            expires_at: info.expires_at().map(secs),
        }
    }
}

/// A key in a list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyView {
    namespace: String,
    key: String,
    key_parts: Option<PartsView>,
    /// Identifies the key in logs, traces and audits.
    digest: String,
    #[serde(flatten)]
    state: StateView,
    /// Seconds of store time since the last transition.
    age_secs: u64,
}

impl KeyView {
    pub(crate) fn of(info: &KeyInfo, store_secs: u64) -> Self {
        Self {
            namespace: info.namespace().to_owned(),
            key: escaped(info.key()),
            key_parts: PartsView::of(info.key()),
            digest: info.digest().to_string(),
            state: StateView::of(info),
            age_secs: store_secs.saturating_sub(secs(info.recorded_at())),
        }
    }
}

/// A single key, with everything known about it.
#[derive(Debug, Serialize)]
pub(crate) struct WholeKeyView {
    #[serde(flatten)]
    key: KeyView,
    body_omitted: bool,
    fingerprint: Option<FingerprintView>,
    reason: BytesView,
    metadata: BytesView,
    /// The response, the error, or the last checkpoint.
    body: BytesView,
}

/// The fingerprint of the request: its scheme and labels, never its bytes.
#[derive(Debug, Serialize)]
struct FingerprintView {
    scheme: u32,
    labels: Vec<String>,
}

impl WholeKeyView {
    /// Shows at most `shown` of the stored bytes; with `None`, only their number.
    pub(crate) fn of(info: &KeyInfo, store_secs: u64, shown: Option<usize>) -> Self {
        let fingerprint = info.fingerprint().map(|fingerprint| FingerprintView {
            scheme: fingerprint.scheme(),
            labels: fingerprint.labels().map(str::to_owned).collect(),
        });
        Self {
            key: KeyView::of(info, store_secs),
            body_omitted: info.body_omitted(),
            fingerprint,
            reason: BytesView::of(info.reason(), shown),
            metadata: BytesView::of(info.metadata(), shown),
            body: BytesView::of(info.body(), shown),
        }
    }
}

/// A key in doubt.
#[derive(Debug, Serialize)]
pub(crate) struct DoubtView {
    namespace: String,
    key: String,
    key_parts: Option<PartsView>,
    digest: String,
    token: String,
    attempt: u32,
    since: u64,
    age_secs: u64,
    holder_alive: bool,
    reason: BytesView,
    metadata: BytesView,
    checkpoint: BytesView,
}

impl DoubtView {
    pub(crate) fn of(doubt: &Doubt, store_secs: u64, shown: Option<usize>) -> Self {
        Self {
            namespace: doubt.namespace().to_owned(),
            key: escaped(doubt.key()),
            key_parts: PartsView::of(doubt.key()),
            digest: doubt.digest().to_string(),
            token: doubt.token().to_string(),
            attempt: doubt.attempt(),
            since: secs(doubt.since()),
            age_secs: store_secs.saturating_sub(secs(doubt.since())),
            holder_alive: doubt.holder_alive(),
            reason: BytesView::of(doubt.reason(), shown),
            metadata: BytesView::of(doubt.metadata(), shown),
            checkpoint: BytesView::of(doubt.checkpoint(), shown),
        }
    }
}
