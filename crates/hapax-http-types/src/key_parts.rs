//! [`KeyParts`]: the tenant, the operation and the client's key, which make up a stored key.

use hapax::Key;
use hapax::key::KeyPart;

/// The most bytes of a scope.
pub const SCOPE_BYTES_MAX: usize = 255;

/// The most bytes of an operation.
pub const OPERATION_BYTES_MAX: usize = 500;

/// The most bytes of a key that a client sends, without its quotes.
pub const CLIENT_KEY_BYTES_MAX: usize = 255;

/// The parts of a key of the layer. The stored key frames each part by its length, so different parts never make the
/// same key.
///
/// # Examples
///
/// ```
/// use hapax_http_types::KeyParts;
///
/// let parts = KeyParts::new("acme", "POST /payments", "8e03978e-40d5-43e8-bc93-6894a57f9324");
/// let key = parts.to_key();
/// assert_eq!(KeyParts::of(key.as_ref()), Some(parts));
/// assert_eq!(KeyParts::of(b"order-42"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyParts<'k> {
    scope: &'k str,
    operation: &'k str,
    client_key: &'k str,
}

impl<'k> KeyParts<'k> {
    /// A key with these parts. A service with one tenant has an empty scope.
    #[must_use]
    pub fn new(scope: &'k str, operation: &'k str, client_key: &'k str) -> Self {
        Self {
            scope,
            operation,
            client_key,
        }
    }

    /// The parts of a key of the store; `None` for a key that the layer would not make. A key that a service joins
    /// from three such texts looks the same.
    #[must_use]
    pub fn of(key: &'k [u8]) -> Option<Self> {
        let parts: [KeyPart<'_>; 3] = Key::split(key)?.try_into().ok()?;
        let [scope, operation, client_key] = parts.map(|part| part.as_str());
        let (scope, operation, client_key) = (scope?, operation?, client_key?);
        let is_sent = client_key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let fits = scope.len() <= SCOPE_BYTES_MAX
            && (1..=OPERATION_BYTES_MAX).contains(&operation.len())
            && (1..=CLIENT_KEY_BYTES_MAX).contains(&client_key.len());
        (is_sent && fits).then_some(Self::new(scope, operation, client_key))
    }

    /// The tenant or principal; empty if the service has one tenant.
    #[must_use]
    pub fn scope(&self) -> &'k str {
        self.scope
    }

    /// The operation, such as `POST /payments/{id}`.
    #[must_use]
    pub fn operation(&self) -> &'k str {
        self.operation
    }

    /// The key that the client sent, in the canonical spelling of the rule for keys.
    #[must_use]
    pub fn client_key(&self) -> &'k str {
        self.client_key
    }

    /// Whether a client that sends this means this key. The case of a UUID or a ULID makes no difference, nor do the
    /// quotes of the header. Every other key has to be spelled the same.
    #[must_use]
    pub fn is_sent_as(&self, client_key: &str) -> bool {
        let quoted = client_key.strip_prefix('"');
        let bare = quoted.and_then(|rest| rest.strip_suffix('"'));
        [Some(client_key), bare].into_iter().flatten().any(|sent| {
            let is_same = sent.eq_ignore_ascii_case(self.client_key);
            sent == self.client_key || (is_same && has_no_case(sent))
        })
    }

    /// The key of the store.
    #[must_use]
    pub fn to_key(&self) -> Key {
        Key::join([self.scope, self.operation, self.client_key])
    }
}

/// Whether a key looks like a UUID or a ULID, which are looked up in one spelling.
fn has_no_case(key: &str) -> bool {
    let is_uuid = key.len() == 36
        && key.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid || (key.len() == 26 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use hapax::Key;
    use proptest::prelude::*;

    use super::KeyParts;

    proptest! {
        #[test]
        fn parts_come_back(scope in "\\PC{0,60}", operation in "\\PC{1,120}", client_key in "[ -~]{1,255}") {
            let parts = KeyParts::new(&scope, &operation, &client_key);
            let key = parts.to_key();
            prop_assert_eq!(KeyParts::of(key.as_ref()), Some(parts));
        }

        #[test]
        fn bytes_that_are_read_as_parts_are_the_key_of_these_parts(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(parts) = KeyParts::of(&bytes) {
                let key = parts.to_key();
                prop_assert_eq!(key.as_ref(), &bytes[..]);
            }
        }
    }

    #[test]
    fn a_key_is_found_as_it_was_sent() {
        let uuid = KeyParts::new("", "POST /pay", "8e03978e-40d5-43e8-bc93-6894a57f9324");
        for sent in [
            "8e03978e-40d5-43e8-bc93-6894a57f9324",
            "8E03978E-40D5-43E8-BC93-6894A57F9324",
        ] {
            assert!(
                uuid.is_sent_as(sent) && uuid.is_sent_as(&format!("\"{sent}\"")),
                "{sent}"
            );
        }
        let ulid = KeyParts::new("", "POST /pay", "01ARZ3NDEKTSV4RRFFQ69G5FAV");
        assert!(ulid.is_sent_as("01arz3ndektsv4rrffq69g5fav"));
        let own = KeyParts::new("", "POST /pay", "Order-7");
        assert!(own.is_sent_as("Order-7") && !own.is_sent_as("order-7"));
    }

    #[test]
    fn other_keys_have_no_parts() {
        let long = "k".repeat(256);
        for key in [
            Key::join(["a", "b"]),
            Key::join(["a", "b", "c", "d"]),
            Key::join(["a", "", "c"]),
            Key::join(["a", "b", ""]),
            Key::join(["a", "b", "\u{e9}"]),
            Key::join(["a", "b", &long]),
            Key::join([&b"\xff"[..], b"b", b"c"]),
        ] {
            assert_eq!(KeyParts::of(key.as_ref()), None, "{key:?}");
        }
        for bytes in [
            &b""[..],
            b"order-42",
            b"\x81\x00a\x01b\x01c",
            b"\x01a\x01b\x01",
        ] {
            assert_eq!(KeyParts::of(bytes), None, "{bytes:?}");
        }
    }
}
