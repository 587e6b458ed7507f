//! [`Granted`]: a grant that is on its way to its holder.

use std::num::NonZeroU64;

use crate::state::running::Running;
use crate::value::blob::Blob;
use crate::value::fencing_token::FencingToken;
use crate::value::key_bytes::KeyBytes;
use crate::value::record::Record;

/// A grant that is on its way to its holder. It is moved a few times, so it is small.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) key: KeyBytes,
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    pub(crate) first_claimed_at: u32,
    left: Option<Box<Inherited>>,
    /// The frame to wait for before it may be handed out: the first one has the number 1.
    rests_on: Option<NonZeroU64>,
    /// It is on its way: [`Engine::start_lease`] hands it out.
    pub(crate) undelivered: bool,
}

/// What the attempts before have left.
#[derive(Clone, Debug)]
struct Inherited {
    checkpoint: Blob,
    reason: Blob,
}

const _: () = assert!(
    size_of::<Granted>() <= 80,
    "a lease and a claim stay below the 128 bytes that are moved without a call"
);

impl Granted {
    /// That of a running key, which rests on nothing and is delivered.
    #[inline]
    pub(in crate::engine) fn of<W: 'static>(running: &Running<W>) -> Self {
        let mut granted = Self {
            key: running.key.clone(),
            token: running.holder.token,
            attempt: running.holder.attempt,
            first_claimed_at: running.first_claimed_at,
            left: None,
            rests_on: None,
            undelivered: false,
        };
        if !running.rest.is_empty() {
            granted.leave(&running.rest.holder.checkpoint, &running.rest.reason);
        }
        granted
    }

    /// That of a settled key, by its record.
    pub(crate) fn of_record(record: &Record) -> Self {
        let mut granted = Self {
            key: record.key.clone(),
            token: record.head.token,
            attempt: record.head.attempt,
            first_claimed_at: record.head.first_claimed_at,
            left: None,
            rests_on: None,
            undelivered: false,
        };
        granted.leave(&record.body, &record.reason);
        granted
    }

    fn leave(&mut self, checkpoint: &Blob, reason: &Blob) {
        if !checkpoint.is_empty() || !reason.is_empty() {
            self.left = Some(Box::new(Inherited {
                checkpoint: checkpoint.clone(),
                reason: reason.clone(),
            }));
        }
    }

    /// The last checkpoint of the attempts before; empty without one.
    pub(crate) fn checkpoint(&self) -> &[u8] {
        self.left.as_ref().map_or(&[], |left| &left.checkpoint)
    }

    /// Why the attempt before was given up; empty without a reason.
    pub(crate) fn reason(&self) -> &[u8] {
        self.left.as_ref().map_or(&[], |left| &left.reason)
    }

    #[inline]
    pub(crate) fn rests_on(&self) -> Option<u64> {
        self.rests_on.map(NonZeroU64::get)
    }

    #[inline]
    pub(in crate::engine) fn rest_on(&mut self, frame: Option<u64>) {
        self.rests_on = frame.and_then(NonZeroU64::new);
    }
}
