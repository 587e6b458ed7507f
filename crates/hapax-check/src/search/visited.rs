//! [`Visited`]: which orders have been tried, so that no two of them do the same work.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::spec::{Key, Spans};

/// The orders that have been tried.
#[derive(Debug, Default)]
pub(super) struct Visited {
    hasher: RandomState,
    /// By stage, by what is in the order, and by a digest of the key but for its times: the times.
    tried: HashMap<(usize, u64, u64), Vec<Spans>>,
    at: HashMap<usize, usize>,
}

impl Visited {
    /// False where an order that was tried allows for all that this one does: the same calls led to
    /// the same key, with times at least as wide.
    pub(super) fn insert(&mut self, stage: usize, key: &Key<'_>, done: u64) -> bool {
        let (timeless, spans) = key.timeless();
        let digest = self.hasher.hash_one(timeless);
        let tried = self.tried.entry((stage, done, digest)).or_default();
        if tried.iter().any(|other| other.cover(&spans)) {
            return false;
        }
        tried.push(spans);
        *self.at.entry(stage).or_default() += 1;
        true
    }

    /// How many orders were tried at a stage.
    pub(super) fn at(&self, stage: usize) -> usize {
        self.at.get(&stage).copied().unwrap_or_default()
    }
}
