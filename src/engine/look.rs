//! [`Look`]: one look at a key under its lock. The record of a settled key is read under it if it is at hand, else
//! without it, and the key is looked at again.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::state::found::Found;
use crate::state::slab::SlabRef;
use crate::state::slot::Settled;
use crate::value::digest::Digest;
use crate::value::error::{Error, Result};
use crate::value::locator::Locator;
use crate::value::record::Record;

/// The result of one look at a key.
#[derive(Debug)]
pub(crate) enum Look<T> {
    Done(T),
    /// The record that lies here decides; one that is not [at hand](Turn::read_at_hand) has to be read without
    /// the lock.
    Read(Locator),
}

/// A record that was read for a decision, and where it lay.
#[derive(Debug)]
pub(in crate::engine) struct Read {
    pub(in crate::engine) locator: Locator,
    pub(in crate::engine) record: Arc<Record>,
}

/// What a look meets.
#[derive(Debug)]
pub(in crate::engine) enum Met<'a> {
    Absent,
    /// Removed; the removal lies here.
    Forgotten(Locator),
    Running(SlabRef),
    /// Where its record lies, and the record if it has been read.
    Settled(Settled, Locator, Option<&'a Arc<Record>>),
}

impl Turn<'_> {
    /// The state of a key. Refuses a key that shares its digest with another, if the stored key is at hand.
    #[inline]
    pub(in crate::engine) fn meet<'r>(
        &self,
        named: Named<'_>,
        read: Option<&'r Read>,
    ) -> Result<Met<'r>> {
        Ok(match self.find(named.digest) {
            Found::Absent => Met::Absent,
            Found::Forgotten(locator) => Met::Forgotten(locator),
            Found::Running(at) => {
                named.check_same_key(&self.running(at).key)?;
                Met::Running(at)
            }
            Found::Settled(_, settled, locator) => {
                let record = read.filter(|read| read.locator == locator);
                let record = record.map(|read| &read.record);
                if let Some(record) = record {
                    named.check_same_key(&record.key)?;
                }
                Met::Settled(settled, locator, record)
            }
        })
    }

    /// Reads a record that takes neither the disk nor a wait, under the lock.
    #[inline]
    pub(in crate::engine) fn read_at_hand(&self, locator: Locator) -> Result<Option<Read>> {
        let record = self.engine.journal.read_at_hand(locator)?;
        Ok(record.map(|record| Read { locator, record }))
    }
}

impl Engine {
    /// Looks at a key until `judge` is done with it, on a thread that may block.
    #[inline]
    pub(in crate::engine) fn look<T, E: From<Error>>(
        &self,
        named: Named<'_>,
        judge: impl FnMut(&mut Turn<'_>, Option<&Read>) -> Result<Look<T>, E>,
    ) -> Result<T, E> {
        self.look_at(named.digest, judge)
    }

    /// As [`look`](Self::look), of a key whose bytes are not at hand.
    #[inline]
    pub(in crate::engine) fn look_at<T, E: From<Error>>(
        &self,
        digest: Digest,
        mut judge: impl FnMut(&mut Turn<'_>, Option<&Read>) -> Result<Look<T>, E>,
    ) -> Result<T, E> {
        let mut read = None;
        loop {
            let locator = match judge(&mut self.turn(digest), read.as_ref())? {
                Look::Done(done) => return Ok(done),
                Look::Read(locator) => locator,
            };
            let record = self.read(locator)?.map(Arc::new);
            read = record.map(|record| Read { locator, record });
        }
    }

    /// As [`look`](Self::look), without blocking.
    pub(in crate::engine) async fn look_async<T>(
        &self,
        named: Named<'_>,
        mut judge: impl FnMut(&mut Turn<'_>, Option<&Read>) -> Result<Look<T>>,
    ) -> Result<T> {
        let mut read = None;
        loop {
            let locator = match judge(&mut self.turn(named.digest), read.as_ref())? {
                Look::Done(done) => return Ok(done),
                Look::Read(locator) => locator,
            };
            read = self.fetch(locator).await?;
        }
    }
}
