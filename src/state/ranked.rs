//! [`Ranked`]: a key and its place in a list; and [`Doubts`], the settled keys that are in doubt.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::Head;
use crate::value::scan_position::ScanPosition;
use crate::value::time::NEVER;

use crate::state::running::Running;
use crate::state::slot::Slot;

/// A key that a list has, and where. It names the key without its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranked {
    pub(crate) rank: ScanPosition,
    pub(crate) namespace: NamespaceId,
    pub(crate) digest: Digest,
}

impl Ranked {
    /// It is running: its age is that of the claim.
    pub(crate) fn of_running<W>(running: &Running<W>) -> Self {
        Self {
            rank: ScanPosition::of_second(
                u64::from(running.holder.claimed_at),
                running.holder.token,
            ),
            namespace: running.namespace,
            digest: running.digest,
        }
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Tokens are unique, but for logs that no store has written: those have an order too.
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.rank, self.digest).cmp(&(other.rank, other.digest))
    }
}

/// What a list needs to know of a doubt before its record is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    namespace: NamespaceId,
    token: FencingToken,
    since: u32,
    expires_at: u32,
}

impl Known {
    pub(super) fn of(head: &Head) -> Self {
        Self {
            namespace: head.namespace,
            token: head.token,
            since: head.recorded_at,
            expires_at: head.expires_at,
        }
    }

    /// A key that is in doubt because a run of it ended without a record of its own: as it was before
    /// the run, or else by the record of the claim, which is newer.
    pub(super) fn left_by<W: 'static>(running: &Running<W>, slot: Slot) -> Self {
        let before = running
            .rest
            .previous
            .and(running.rest.previous_record.as_ref());
        let claimed = Self {
            namespace: running.namespace,
            token: running.holder.token,
            since: running.holder.claimed_at,
            expires_at: slot.expires_at(),
        };
        before.map_or(claimed, |record| Self::of(&record.head))
    }

    fn is_expired(&self, store_secs: u32) -> bool {
        self.expires_at != NEVER && self.expires_at <= store_secs
    }
}

/// The settled keys of a shard that are in doubt: few, and a slot has no room for their ages.
#[derive(Debug, Default)]
pub(super) struct Doubts(BTreeMap<Digest, Known>);

impl Doubts {
    pub(super) fn put(&mut self, digest: Digest, known: Known) {
        self.0.insert(digest, known);
    }

    pub(super) fn remove(&mut self, digest: Digest) {
        self.0.remove(&digest);
    }

    /// The whole digest of the key whose slot has these words, if it is one of them.
    pub(super) fn digest_of(&self, words: [u32; 3]) -> Option<Digest> {
        let (first, last) = (0, u32::MAX);
        let at = |route| Digest { words, route };
        let mut named = self.0.range(at(first)..=at(last));
        named.next().map(|(digest, _)| *digest)
    }

    /// Lets go of those whose slot is gone.
    pub(super) fn retain(&mut self, mut has_slot: impl FnMut(Digest) -> bool) {
        self.0.retain(|digest, _| has_slot(*digest));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that have not expired, in no order that means anything.
    pub(super) fn iter(&self, store_secs: u32) -> impl Iterator<Item = Ranked> {
        let entries = self.0.iter();
        let living = entries.filter(move |(_, known)| !known.is_expired(store_secs));
        living.map(|(digest, known)| Ranked {
            rank: ScanPosition::of_second(u64::from(known.since), known.token),
            namespace: known.namespace,
            digest: *digest,
        })
    }

    /// Gives how many have a slot; panics where one has none and has not expired.
    pub(super) fn validate(&self, expired_secs: u32, has_slot: impl Fn(Digest) -> bool) -> usize {
        let gone = self.0.iter().filter(|(digest, _)| !has_slot(**digest));
        let mut count = 0;
        for (_, known) in gone {
            assert!(known.is_expired(expired_secs), "a doubt has a slot");
            count += 1;
        }
        self.0.len() - count
    }
}
