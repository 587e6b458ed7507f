//! [`LocalHeld`]: a held key of a store in this process.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crossbeam_utils::CachePadded;

use crate::engine::call::granted::Granted;
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::refusals::Refused;
use crate::observe::trace::{Decision, TraceSubject, decided};
use crate::runtime::sync::block_on;
use crate::state::transition::Command;
use crate::store::handle::{Home, Homes};
use crate::value::digest::Digest;
use crate::value::error::{ErrorKind, Result};

/// A key, and the token under which it is held. It does not have to be settled.
#[derive(Clone)]
pub(crate) struct LocalHeld {
    pub(crate) home: Arc<CachePadded<Home>>,
    pub(crate) digest: Digest,
    pub(crate) granted: Granted,
}

impl LocalHeld {
    #[inline]
    pub(crate) fn new(homes: &Homes, digest: Digest, granted: Granted) -> Self {
        Self {
            home: Arc::clone(homes.of_key(digest)),
            digest,
            granted,
        }
    }

    #[inline]
    pub(crate) fn named(&self) -> Named<'_> {
        Named {
            namespace: self.namespace(),
            digest: self.digest,
            key: self.key(),
        }
    }

    #[inline]
    pub(crate) fn engine(&self) -> &Engine {
        &self.home.store.engine
    }

    #[inline]
    pub(crate) fn namespace(&self) -> &Arc<NamespaceCore> {
        &self.home.core
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.granted.key
    }

    #[inline]
    pub(crate) fn act(&self, command: Command<'_>) -> Result<Option<u64>, Refused> {
        let acted = self.engine().act(self.named(), self.granted.token, command);
        let failed = acted.as_ref().err().map(Refused::kind);
        decided(
            command.name(),
            || self.subject(),
            || Decision {
                warns: failed.is_some_and(is_lost) || matches!(command, Command::Doubt(_)),
                ..self.decision(failed.map_or("ok", ErrorKind::name))
            },
        );
        acted
    }

    pub(crate) fn subject(&self) -> TraceSubject {
        self.engine().subject(self.namespace(), self.key())
    }

    pub(crate) fn decision(&self, outcome: &'static str) -> Decision<'static> {
        Decision {
            outcome,
            token: Some(self.granted.token),
            attempt: Some(self.granted.attempt),
            ..Decision::default()
        }
    }

    /// Waits for the acknowledgement of what was done, or for what its refusal rests on.
    #[inline]
    pub(crate) fn is_acknowledged(&self, frame: Option<u64>) -> bool {
        let engine = self.engine();
        engine.is_acknowledged(engine.is_sync(self.namespace()), frame)
    }

    pub(crate) async fn acknowledged(&self, acted: Result<Option<u64>, Refused>) -> Result<()> {
        let acted = acted.map(|frame| ((), frame));
        self.engine().acknowledged(self.namespace(), acted).await
    }

    /// Carries out a command that does not settle the key, and waits for its acknowledgement.
    pub(crate) fn do_and_wait(&self, command: Command<'_>) -> Result<()> {
        block_on(self.acknowledged(self.act(command)))
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.engine().is_lost(self.digest, self.granted.token)
    }

    pub(crate) async fn lost(self) {
        poll_fn(|context| {
            if self
                .engine()
                .watch_lost(self.digest, self.granted.token, context.waker())
            {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

fn is_lost(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Superseded | ErrorKind::NotHeld)
}
