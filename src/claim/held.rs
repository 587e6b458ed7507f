//! [`Held`]: a held key, which leases, runs and doubts share.

use std::sync::Arc;

use crate::claim::local_held::LocalHeld;
use crate::claim::remote_held::RemoteHeld;
use crate::engine::call::granted::Granted;
use crate::engine::namespaces::NamespaceCore;
use crate::observe::trace::{Decision, TraceSubject};
use crate::state::transition::Command;
use crate::value::digest::Hasher128;
use crate::value::error::Result;

/// A held key, wherever its store lies.
#[derive(Clone)]
pub(crate) enum Held {
    Local(LocalHeld),
    Remote(RemoteHeld),
}

const _: () = assert!(
    size_of::<Held>() <= 112,
    "a lease and a claim stay below the 128 bytes that are moved without a call"
);

impl Held {
    #[inline]
    pub(crate) fn granted(&self) -> &Granted {
        match self {
            Self::Local(held) => &held.granted,
            Self::Remote(held) => held.granted(),
        }
    }

    #[inline]
    pub(crate) fn namespace(&self) -> &Arc<NamespaceCore> {
        match self {
            Self::Local(held) => held.namespace(),
            Self::Remote(held) => held.namespace(),
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.granted().key
    }

    /// Draws derived keys and the digests of keys.
    pub(crate) fn seeded(&self) -> &Hasher128 {
        match self {
            Self::Local(held) => &held.engine().seeded,
            Self::Remote(held) => &held.remote().seeded,
        }
    }

    pub(crate) fn subject(&self) -> TraceSubject {
        match self {
            Self::Local(held) => held.subject(),
            Self::Remote(held) => held.remote().subject(held.namespace(), self.key()),
        }
    }

    pub(crate) fn decision(&self, outcome: &'static str) -> Decision<'static> {
        let granted = self.granted();
        Decision {
            outcome,
            token: Some(granted.token),
            attempt: Some(granted.attempt),
            ..Decision::default()
        }
    }

    pub(crate) fn do_and_wait(&self, command: Command<'_>) -> Result<()> {
        match self {
            Self::Local(held) => held.do_and_wait(command),
            Self::Remote(held) => crate::runtime::sync::block_on(held.act(command)),
        }
    }

    /// How long the lease still runs; zero once it has lapsed or is no longer current.
    pub(crate) fn lease_left_ms(&self) -> u64 {
        match self {
            Self::Local(held) => {
                let (engine, token) = (held.engine(), held.granted.token);
                engine.lease_left_ms(held.digest, token)
            }
            Self::Remote(held) => held.remote().lease_left_ms(held.hold()),
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::Local(held) => held.is_lost(),
            Self::Remote(held) => held.remote().is_lost(held.hold()),
        }
    }

    pub(crate) async fn lost(self) {
        match self {
            Self::Local(held) => held.lost().await,
            Self::Remote(held) => {
                // A store that is closed holds nothing any more.
                let _ = held.remote().lost(held.hold()).await;
            }
        }
    }

    pub(crate) fn derived_key(&self, label: &str) -> String {
        crate::engine::named::derived_key(self.seeded(), self.namespace().id, self.key(), label)
    }

    /// The grant is taken back: no work was begun under it.
    pub(crate) fn withdraw(&self) {
        match self {
            Self::Local(held) => held.engine().withdraw(held.digest, held.granted.token),
            Self::Remote(held) => held.remote().withdraw(held.hold()),
        }
    }

    /// A ticket has taken the place of the guard.
    pub(crate) fn disarm(&self) {
        match self {
            Self::Local(held) => held.engine().disarm(held.digest, held.granted.token),
            // The row says so since the ticket was made.
            Self::Remote(_) => {}
        }
    }

    /// The guard goes away without an outcome.
    pub(crate) fn abandon(&self) {
        match self {
            Self::Local(held) => held.engine().abandon(held.named(), held.granted.token),
            Self::Remote(held) => held.remote().abandon(held.hold()),
        }
    }

    /// The guard lies in an error that is dropped: the lease runs out.
    pub(crate) fn let_run_out(&self) {
        match self {
            Self::Local(held) => held.engine().let_run_out(held.digest, held.granted.token),
            Self::Remote(held) => held.remote().let_run_out(held.hold()),
        }
    }
}
