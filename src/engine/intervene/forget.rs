//! Removing keys.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::refusals::Refused;
use crate::engine::turn::Turn;
use crate::state::slab::SlabRef;
use crate::state::slot::Settled;
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::record::{Record, RecordRef};

impl Engine {
    /// Removes a key. A running one, or one in doubt, only when forced with its token.
    ///
    /// Returns whether the key was there, and the frame that the acknowledgement waits for. An earlier
    /// removal has such a frame too: no caller may be told of a removal that a power cut could undo.
    pub(crate) fn forget(
        &self,
        named: Named<'_>,
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Result<(bool, Option<u64>), Refused> {
        self.check_change()?;
        let by = Initiator::or_caller(by);
        self.look(named, |turn, read| turn.forget(named, force, by, read))
    }
}

impl Turn<'_> {
    fn forget(
        &mut self,
        named: Named<'_>,
        force: Option<FencingToken>,
        by: Initiator<'_>,
        read: Option<&Read>,
    ) -> Result<Look<(bool, Option<u64>)>, Refused> {
        let running = match self.meet(named, read)? {
            Met::Absent => return Ok(Look::Done((false, None))),
            Met::Forgotten(locator) => return Ok(Look::Done((false, Some(locator.frame)))),
            Met::Running(at) => {
                self.check_forced_running(named, at, force)?;
                Some(at)
            }
            Met::Settled(Settled::InDoubt, locator, None) => return Ok(Look::Read(locator)),
            Met::Settled(Settled::InDoubt, locator, Some(doubt)) => {
                self.check_forced_doubt(named, locator, doubt, force)?;
                None
            }
            Met::Settled(..) => None,
        };
        let frame = self.remove(named, running, by)?;
        Ok(Look::Done((true, Some(frame))))
    }

    fn check_forced_running(
        &self,
        named: Named<'_>,
        at: SlabRef,
        force: Option<FencingToken>,
    ) -> Result<()> {
        let running = self.running(at);
        let token = running.holder.token;
        if force == Some(token) {
            return Ok(());
        }
        let info = self.engine.running_info(named, running, self.now);
        Err(unforced(token, force).with_current(info))
    }

    fn check_forced_doubt(
        &self,
        named: Named<'_>,
        at: Locator,
        doubt: &Arc<Record>,
        force: Option<FencingToken>,
    ) -> Result<(), Refused> {
        let (engine, token) = (self.engine, doubt.head.token);
        if force == Some(token) {
            return Ok(());
        }
        let doubt = Arc::clone(doubt);
        let info = engine.info(named.namespace, KeyState::InDoubt, doubt);
        Err(engine.refused_by(named, at, unforced(token, force).with_current(info)))
    }

    fn remove(
        &mut self,
        named: Named<'_>,
        running: Option<SlabRef>,
        by: Initiator<'_>,
    ) -> Result<u64> {
        let token = self.admit_intervention()?;
        let store_secs = self.now.store_secs;
        let record = RecordRef::forgotten(named.namespace.id, named.key, token, store_secs);
        let forgotten = Transition::Forgotten;
        let appended = self.append(self.change_of(named, running, &record, forgotten, by));
        Ok(self.commit(appended).frame)
    }
}

pub(crate) fn unforced(current: FencingToken, forced: Option<FencingToken>) -> Error {
    match forced {
        None => Error::new(
            ErrorKind::InUse,
            "the key is in progress or in doubt: settle it first, or force this with its token",
        ),
        Some(forced) => Error::new(
            ErrorKind::Superseded,
            format!(
                "the key is held under token {current}, not {forced}: look at it again before forcing this"
            ),
        ),
    }
}
