//! [`KeyComposition`]: the key of the store, made of the scope, the operation and the key of the client.

use std::sync::Arc;

use hapax::Key;
use hapax_http_types::{KeyParts, OPERATION_BYTES_MAX, SCOPE_BYTES_MAX};
use http::request::Parts;

use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::request::operation::operation;

type Scope = Arc<dyn Fn(&Parts) -> Option<String> + Send + Sync>;
type Operation = Arc<dyn Fn(&Parts) -> String + Send + Sync>;

/// How the key of a client becomes a key of the store.
#[derive(Clone)]
pub(crate) struct KeyComposition {
    /// `None`: all requests are of one tenant.
    pub(crate) scope: Option<Scope>,
    pub(crate) operation: Operation,
}

impl Default for KeyComposition {
    fn default() -> Self {
        Self {
            scope: None,
            operation: Arc::new(operation),
        }
    }
}

impl KeyComposition {
    /// The key of the store; `client_key` is in its canonical spelling.
    pub(crate) fn key(&self, parts: &Parts, client_key: &str) -> Result<Key, Refusal> {
        let scope = self.scope_of(parts)?;
        let operation = (self.operation)(parts);
        if scope.len() > SCOPE_BYTES_MAX {
            let detail = "the scope of the request is over 255 bytes: the hook `scope` must return a shorter name";
            return Err(Refusal::new(Reason::MissingScope, detail));
        }
        if operation.len() > OPERATION_BYTES_MAX {
            let detail = "the method and the path are over 500 bytes: send the variable parts in the query or the body";
            return Err(Refusal::new(Reason::OperationTooLong, detail));
        }
        Ok(KeyParts::new(&scope, &operation, client_key).to_key())
    }

    fn scope_of(&self, parts: &Parts) -> Result<String, Refusal> {
        let Some(scope) = &self.scope else {
            return Ok(String::new());
        };
        // An empty name often means a failed lookup, and all tenants that are not found would share one scope.
        let scope = scope(parts).filter(|scope| !scope.is_empty());
        scope.ok_or_else(|| {
            let detail = "the service did not say whose request this is, so nothing ran";
            Refusal::new(Reason::MissingScope, detail)
        })
    }
}
