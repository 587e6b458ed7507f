//! What the handles of a store over a backend share: [`RemoteInner`], and the [`RemoteHome`] of a namespace.

use std::sync::Arc;

use crate::engine::namespaces::NamespaceCore;
use crate::remote::remote::Remote;

/// What the handles of a store share; dropping the last one closes the store.
#[derive(Debug)]
pub(crate) struct RemoteInner {
    pub(crate) remote: Arc<Remote>,
}

impl Drop for RemoteInner {
    fn drop(&mut self) {
        // Nothing waits here: what was sent is carried out, then the process leaves.
        self.remote.close_later();
    }
}

/// A namespace of such a store: what a lease keeps alive.
#[derive(Clone, Debug)]
pub(crate) struct RemoteHome {
    pub(crate) inner: Arc<RemoteInner>,
    pub(crate) core: Arc<NamespaceCore>,
}

impl RemoteHome {
    pub(crate) fn remote(&self) -> &Arc<Remote> {
        &self.inner.remote
    }
}
