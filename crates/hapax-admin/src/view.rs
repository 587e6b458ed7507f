//! What answers look like: keys, doubts and bytes as JSON.

use hapax::{Doubt, KeyInfo, State};
use hapax_http_types::KeyParts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::Serialize;

/// What needs no escape in a part of a path (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Bytes as they stand in a path: unreserved characters as they are, everything else in percent.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

/// The name of a state, as in labels and queries.
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::InProgress => "in_progress",
        State::Completed => "completed",
        State::Failed => "failed",
        State::InDoubt => "in_doubt",
        State::Released => "released",
        _ => "unknown",
    }
}

/// The state of this name.
pub(crate) fn state_of(name: &str) -> Option<State> {
    let states = [
        State::InProgress,
        State::Completed,
        State::Failed,
        State::InDoubt,
        State::Released,
    ];
    states.into_iter().find(|state| state_name(*state) == name)
}

/// What a key of the HTTP layer is made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PartsView {
    tenant: String,
    operation: String,
    client_key: String,
}

impl PartsView {
    /// `None` for a key of another kind.
    pub(crate) fn of(key: &[u8]) -> Option<Self> {
        KeyParts::of(key).map(|parts| Self {
            tenant: parts.scope().to_owned(),
            operation: parts.operation().to_owned(),
            client_key: parts.client_key().to_owned(),
        })
    }
}

/// What a key is, without the key.
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
            first_claimed_at: info.first_claimed_at(),
            recorded_at: info.recorded_at(),
            expires_at: info.expires_at(),
        }
    }
}

/// A key in a list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyView {
    namespace: String,
    key: String,
    key_parts: Option<PartsView>,
    /// What stands for the key in logs, traces and audits.
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
            age_secs: store_secs.saturating_sub(info.recorded_at()),
        }
    }
}

/// A key by itself.
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

/// The request that ran, as far as it is known: never its bytes.
#[derive(Debug, Serialize)]
struct FingerprintView {
    scheme: u32,
    labels: Vec<String>,
}

impl WholeKeyView {
    /// Bytes are shown up to `shown` of them; where that is `None`, only how many there are.
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
            since: doubt.since(),
            age_secs: store_secs.saturating_sub(doubt.since()),
            holder_alive: doubt.holder_alive(),
            reason: BytesView::of(doubt.reason(), shown),
            metadata: BytesView::of(doubt.metadata(), shown),
            checkpoint: BytesView::of(doubt.checkpoint(), shown),
        }
    }
}

/// Bytes that the store keeps for its users: how many, and what they are if that was asked for.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct BytesView {
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl BytesView {
    pub(crate) fn of(bytes: &[u8], shown: Option<usize>) -> Self {
        let mut view = Self {
            bytes: bytes.len(),
            text: None,
            hex: None,
            cut: false,
        };
        let Some(shown) = shown.filter(|_| !bytes.is_empty()) else {
            return view;
        };
        view.cut = bytes.len() > shown;
        let head = &bytes[..bytes.len().min(shown)];
        match readable(head, view.cut) {
            Some(text) => view.text = Some(text.to_owned()),
            None => view.hex = Some(hex(head)),
        }
        view
    }
}

/// The bytes as text, if a terminal can show it and nothing in it turns the line around. Where they
/// were cut, so is a character that the cut has split.
fn readable(bytes: &[u8], cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_hostile = |c: char| {
        let breaks = matches!(c, '\n' | '\r' | '\t');
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && !breaks) || turns
    };
    (!text.contains(is_hostile)).then_some(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that some hexadecimal text stands for.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::{BytesView, escaped, from_hex, hex};

    #[test]
    fn keys_are_escaped_to_plain_ascii() {
        assert_eq!(escaped(b"order-42"), "order-42");
        assert_eq!(escaped(b"a/b\r\n%\xff"), "a%2Fb%0D%0A%25%FF");
    }

    #[test]
    fn hex_goes_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&hex(&bytes)), Some(bytes));
        assert_eq!(from_hex("abc"), None);
        assert_eq!(from_hex("zz"), None);
        assert_eq!(from_hex("+f"), None);
    }

    #[test]
    fn bytes_are_text_only_where_a_terminal_is_safe() {
        let view = |bytes: &[u8]| BytesView::of(bytes, Some(8));
        assert_eq!(view(b"sent\n").text.as_deref(), Some("sent\n"));
        assert_eq!(view(b"\x1b[2J").hex.as_deref(), Some("1b5b324a"));
        assert_eq!(view("\u{9b}A".as_bytes()).text, None, "a C1 control");
        assert_eq!(view("\u{202e}abc".as_bytes()).text, None, "turns the line");
        assert_eq!(view(b"\xff").hex.as_deref(), Some("ff"));
    }

    #[test]
    fn a_cut_does_not_split_a_character() {
        let view = BytesView::of("1234567\u{e9}".as_bytes(), Some(8));
        assert_eq!(view.text.as_deref(), Some("1234567"));
        assert!(view.cut);
        assert_eq!(view.bytes, 9);
        assert_eq!(BytesView::of(b"abc", None).text, None);
    }
}
