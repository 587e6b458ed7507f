//! [`KeyParts`]: whose request, of which operation, under which key of the client.

use hapax::Key;

/// Most bytes of the name of a scope.
pub const SCOPE_BYTES_MAX: usize = 255;

/// Most bytes of the name of an operation.
pub const OPERATION_BYTES_MAX: usize = 500;

/// Most bytes of a key that a client sends.
pub const CLIENT_KEY_BYTES_MAX: usize = 255;

/// What a key of the layer is made of. In the store each part has its length before it, so no two keys meet.
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
    /// Of its parts. An empty scope is that of a service with one tenant.
    #[must_use]
    pub fn new(scope: &'k str, operation: &'k str, client_key: &'k str) -> Self {
        Self {
            scope,
            operation,
            client_key,
        }
    }

    /// Of a key of the store; `None` for one that the layer does not make. A key that a service joins itself of
    /// three such texts looks the same.
    #[must_use]
    pub fn of(key: &'k [u8]) -> Option<Self> {
        let parts: [&[u8]; 3] = Key::split(key)?.try_into().ok()?;
        let [scope, operation, client_key] = parts.map(|part| std::str::from_utf8(part).ok());
        let (scope, operation, client_key) = (scope?, operation?, client_key?);
        let is_sent = client_key.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let fits = scope.len() <= SCOPE_BYTES_MAX
            && (1..=OPERATION_BYTES_MAX).contains(&operation.len())
            && (1..=CLIENT_KEY_BYTES_MAX).contains(&client_key.len());
        (is_sent && fits).then_some(Self::new(scope, operation, client_key))
    }

    /// The tenant or principal; empty where the service has one.
    #[must_use]
    pub fn scope(&self) -> &'k str {
        self.scope
    }

    /// The operation, such as `POST /payments/{id}`.
    #[must_use]
    pub fn operation(&self) -> &'k str {
        self.operation
    }

    /// The key that the client sent, in the spelling of the rule for keys.
    #[must_use]
    pub fn client_key(&self) -> &'k str {
        self.client_key
    }

    /// The key of the store.
    #[must_use]
    pub fn to_key(&self) -> Key {
        Key::join([self.scope, self.operation, self.client_key])
    }
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
