//! Looking at a key without claiming it.

use crate::engine::call::answer::Read;
use crate::engine::engine::Engine;
use crate::engine::named::{Named, check_same_key};
use crate::engine::told::state_of;
use crate::state::found::Found;
use crate::state::slot::Settled;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;

impl Engine {
    /// What a key is now; `None` when it is absent.
    pub(crate) async fn get(&self, named: Named<'_>) -> Result<Option<KeyInfo>> {
        self.check_alive()?;
        let mut read: Option<Read> = None;
        loop {
            let (found, running) = self.look(named)?;
            match found {
                Found::Absent => return Ok(None),
                Found::Forgotten(locator) => {
                    self.rest(self.rests_on(named.namespace, locator)).await?;
                    return Ok(None);
                }
                Found::Running(_) => return Ok(running),
                Found::Settled(_, _, locator) => {
                    if let Some((_, record)) = read.take().filter(|(at, _)| *at == locator) {
                        check_same_key(&record.key, named.key)?;
                        self.rest(self.rests_on(named.namespace, locator)).await?;
                        let state = state_of(&record, named.namespace.policy.guarantee);
                        return Ok(Some(self.info(named.namespace, state, record)));
                    }
                    read = self.fetch(locator).await?.map(|record| (locator, record));
                }
            }
        }
    }

    fn look(&self, named: Named<'_>) -> Result<(Found, Option<KeyInfo>)> {
        let (shard, now) = self.lock(named.digest);
        let found = shard.find(named.digest, now.store_secs);
        let running = match found {
            Found::Running(at) => shard.get(at),
            _ => None,
        };
        let told = running.map(|running| -> Result<KeyInfo> {
            check_same_key(&running.key, named.key)?;
            Ok(self.running_info(named, running, now))
        });
        Ok((found, told.transpose()?))
    }

    /// Whether a key was completed; reads no record.
    pub(crate) async fn contains(&self, named: Named<'_>) -> Result<bool> {
        self.check_alive()?;
        match self.look(named)?.0 {
            Found::Settled(_, settled, locator) => {
                self.rest(self.rests_on(named.namespace, locator)).await?;
                Ok(settled == Settled::Completed)
            }
            Found::Forgotten(locator) => {
                self.rest(self.rests_on(named.namespace, locator)).await?;
                Ok(false)
            }
            Found::Absent | Found::Running(_) => Ok(false),
        }
    }
}
