//! [`RemoteHeld`]: a held key of a store over a backend.

use std::sync::Arc;

use crate::engine::call::granted::Granted;
use crate::engine::namespaces::NamespaceCore;
use crate::remote::hold::Hold;
use crate::remote::home::RemoteInner;
use crate::remote::receipt::Receipt;
use crate::remote::remote::Remote;
use crate::state::transition::Command;
use crate::value::error::Result;

/// A held key of a store over a backend. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RemoteHeld {
    /// Keeps the store open.
    inner: Arc<RemoteInner>,
    hold: Arc<Hold>,
}

impl RemoteHeld {
    pub(crate) fn new(inner: &Arc<RemoteInner>, hold: Arc<Hold>) -> Self {
        Self {
            inner: Arc::clone(inner),
            hold,
        }
    }

    pub(crate) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    pub(crate) fn remote(&self) -> &Arc<Remote> {
        &self.inner.remote
    }

    pub(crate) fn granted(&self) -> &Granted {
        &self.hold.granted
    }

    pub(crate) fn namespace(&self) -> &Arc<NamespaceCore> {
        &self.hold.core
    }

    /// Refuses what no holder may say.
    pub(crate) fn check(&self, command: Command<'_>) -> Result<()> {
        self.remote().check_command(&self.hold, command)
    }

    /// Carries out what the holder does. It is sent when this returns.
    pub(crate) fn act(&self, command: Command<'_>) -> Receipt<()> {
        self.remote().act(&self.hold, command)
    }
}
