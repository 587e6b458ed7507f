//! [`KeyPath`]: the namespace and the key that a path names.
//!
//! Keys are bytes, and axum decodes the parts of a path as UTF-8, so this reads the path itself.

use crate::answer::problem::{Code, Problem};
use crate::notation::percent::decoded;

/// What `/keys/{namespace}/{key}` and `/keys/{namespace}/{key}/{operation}` name.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct KeyPath {
    pub(crate) namespace: String,
    pub(crate) key: Vec<u8>,
    pub(crate) operation: Option<String>,
}

impl KeyPath {
    /// Reads a path, as it is below the mount point of the router.
    pub(crate) fn parse(path: &str) -> Result<Self, Problem> {
        let mut parts = path.trim_start_matches('/').split('/').skip(1);
        let namespace = namespace(parts.next().unwrap_or_default())?;
        let key = decoded(parts.next().unwrap_or_default())
            .filter(|key| !key.is_empty())
            .ok_or_else(|| {
                Problem::invalid(
                    "the key in the path cannot be read: send every byte except letters, digits and -._~ as %XX",
                )
            })?;
        Ok(Self {
            namespace,
            key,
            operation: parts.next().map(str::to_owned),
        })
    }
}

fn namespace(part: &str) -> Result<String, Problem> {
    let name = decoded(part).and_then(|bytes| String::from_utf8(bytes).ok());
    name.filter(|name| !name.is_empty()).ok_or_else(|| {
        Problem::new(
            Code::UnknownNamespace,
            "the namespace in the path cannot be read: send UTF-8, with every byte except letters, digits and -._~ as %XX",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::KeyPath;

    #[test]
    fn a_path_names_a_namespace_a_key_and_an_operation() {
        let path = KeyPath::parse("/keys/mail/user%2F7%FF/resolve").unwrap();
        assert_eq!(path.namespace, "mail");
        assert_eq!(path.key, b"user/7\xff");
        assert_eq!(path.operation.as_deref(), Some("resolve"));
        assert_eq!(KeyPath::parse("/keys/a/b").unwrap().operation, None);
    }

    #[test]
    fn a_path_that_names_no_key_is_refused() {
        assert!(KeyPath::parse("/keys/mail/").is_err());
        assert!(KeyPath::parse("/keys//a").is_err());
        assert!(KeyPath::parse("/keys/%ff/a").is_err());
    }
}
