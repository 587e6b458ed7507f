//! Looking at a key without claiming it.

use std::sync::Arc;

use crate::engine::description::{state_and_record, state_of};
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::state::slot::Settled;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::record::Record;

/// The state of a key, and the frame that it rests on.
type Told = (Option<(KeyState, Arc<Record>)>, Option<u64>);

impl Engine {
    /// The present state of a key; `None` if it is absent.
    pub(crate) async fn get(&self, named: Named<'_>) -> Result<Option<KeyInfo>> {
        self.check_alive()?;
        let told = self.look_async(named, |turn, read| turn.tell(named, read));
        let (told, rests_on) = told.await?;
        self.rest(rests_on).await?;
        Ok(told.map(|(state, record)| self.info(named.namespace, state, record)))
    }

    /// Whether a key was completed; reads no record.
    pub(crate) async fn contains(&self, named: Named<'_>) -> Result<bool> {
        self.check_alive()?;
        let (locator, is_completed) = match self.turn(named.digest).meet(named, None)? {
            Met::Absent | Met::Running(_) => return Ok(false),
            Met::Forgotten(locator) => (locator, false),
            Met::Settled(settled, locator, _) => (locator, settled == Settled::Completed),
        };
        self.rest(self.rests_on(named.namespace, locator)).await?;
        Ok(is_completed)
    }
}

impl Turn<'_> {
    fn tell(&self, named: Named<'_>, read: Option<&Read>) -> Result<Look<Told>> {
        let rests_on = |locator| self.engine.rests_on(named.namespace, locator);
        Ok(match self.meet(named, read)? {
            Met::Absent => Look::Done((None, None)),
            Met::Forgotten(locator) => Look::Done((None, rests_on(locator))),
            Met::Running(at) => {
                let (state, record) = state_and_record(self.running(at), self.now);
                Look::Done((Some((state, Arc::new(record))), None))
            }
            Met::Settled(_, locator, None) => Look::Read(locator),
            Met::Settled(_, locator, Some(record)) => {
                let state = state_of(record, named.namespace.policy.guarantee);
                Look::Done((Some((state, Arc::clone(record))), rests_on(locator)))
            }
        })
    }
}
