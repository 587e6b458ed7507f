//! [`Table`]: one compact slot per key.
//!
//! Linear probing in the order of the digests: a slot stands at its home, or as little after it as
//! the ones before allow, so the whole table is sorted. One run of neighbouring cache lines answers a
//! lookup, of an absent key too; growing and sweeping are passes from front to back that leave
//! everything in order; nothing is ever marked as deleted. (Ordered hash tables: O. Amble and
//! D. E. Knuth, The Computer Journal 17(2), 1974.) Digests are pseudo-random under a secret of this
//! process, so no outsider can make runs grow.

use crate::value::digest::Digest;

use crate::state::slot::{Place, STATE_NUMBERS, Settled, Slot};

/// A slot as it is stored; all zero while it is empty.
type Words = [u32; 6];

const EMPTY: Words = [0; 6];

/// The slots of one shard.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Invariants: what is not empty is sorted by the first word of its digest; between a slot and
    /// its home nothing is empty; the last one is empty.
    slots: Vec<Words>,
    /// Homes: the slots after them take what is pushed beyond the last home.
    homes: usize,
    /// Slots that are taken. Invariant: at most [`most`] of the homes.
    len: usize,
    /// Slots by the number of their state. Invariant: their sum is `len`.
    by_state: [usize; STATE_NUMBERS],
}

/// Slots after the last home: the last run ends there, as good as always.
const TAIL: usize = 64;

/// A table that grows has so many homes at least.
const HOMES_MIN: usize = 16;

/// How many of so many homes may be taken: beyond that runs become long.
const fn most(homes: usize) -> usize {
    homes / 4 * 3
}

/// Where a slot belongs: digests are spread over the homes in their order.
#[inline]
fn home(word: u32, homes: usize) -> usize {
    let homes = u64::try_from(homes).expect("a table is in memory");
    let scaled = (u64::from(word) * homes) >> 32;
    usize::try_from(scaled).expect("it is less than the homes")
}

#[inline]
fn is_taken(words: &Words) -> bool {
    // The state of a key is never zero.
    words[3] != 0
}

/// The next size of a table: not much more, because what is not used is memory all the same, and
/// moving everything is cheap.
fn grown(homes: usize) -> usize {
    (homes + homes / 3).next_multiple_of(4).max(HOMES_MIN)
}

/// Where a digest is, or would be, until the table changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot {
    Taken(usize),
    Free(usize),
}

impl Table {
    /// Where a digest is, or would be.
    #[inline]
    pub(super) fn spot(&self, digest: Digest) -> Spot {
        self.find(digest.words)
    }

    /// The slot at this spot.
    #[inline]
    pub(super) fn at(&self, spot: Spot) -> Option<Slot> {
        match spot {
            Spot::Taken(at) => Some(Slot::from_words(self.slots[at])),
            Spot::Free(_) => None,
        }
    }

    #[inline]
    fn find(&self, [a, b, c]: [u32; 3]) -> Spot {
        let mut at = home(a, self.homes);
        while let Some(words) = self.slots.get(at) {
            let [x, y, z, ..] = *words;
            if !is_taken(words) || x > a {
                return Spot::Free(at);
            }
            if [x, y, z] == [a, b, c] {
                return Spot::Taken(at);
            }
            at += 1;
        }
        Spot::Free(at)
    }

    #[inline]
    pub(crate) fn get(&self, digest: Digest) -> Option<Slot> {
        self.at(self.spot(digest))
    }

    /// Reads where a digest would be, and nothing more: many such reads, one after the other, wait
    /// for memory once and not each.
    #[inline]
    pub(crate) fn touch(&self, digest: Digest) -> u32 {
        let [a, ..] = digest.words;
        self.slots
            .get(home(a, self.homes))
            .map_or(0, |words| words[0])
    }

    /// Puts a slot in, in place of the one of the same digest. A table that would have to grow
    /// lets go of its expired slots first.
    #[inline]
    pub(crate) fn put(&mut self, slot: Slot, store_secs: u32) {
        let [a, b, c, ..] = slot.words();
        self.put_at(self.find([a, b, c]), slot, store_secs);
    }

    /// As [`put`](Self::put), at the spot of the digest.
    #[inline]
    pub(super) fn put_at(&mut self, spot: Spot, slot: Slot, store_secs: u32) {
        match spot {
            Spot::Taken(at) => {
                let replaced = std::mem::replace(&mut self.slots[at], slot.words());
                self.by_state[Slot::state_number(&replaced)] -= 1;
                self.by_state[Slot::state_number(&slot.words())] += 1;
            }
            Spot::Free(at) if self.len < most(self.homes) => self.insert(at, slot.words()),
            Spot::Free(_) => self.put_growing(slot, store_secs),
        }
    }

    /// Puts a slot where it belongs, and moves what is there up.
    #[inline]
    fn insert(&mut self, at: usize, words: Words) {
        let mut end = at;
        while self.slots.get(end).is_some_and(is_taken) {
            end += 1;
        }
        if end + 1 >= self.slots.len() {
            self.lengthen();
        }
        if end > at {
            self.slots.copy_within(at..end, at + 1);
        }
        self.slots[at] = words;
        self.len += 1;
        self.by_state[Slot::state_number(&words)] += 1;
    }

    /// Makes room after the last home, where the last run has come to the end.
    #[cold]
    fn lengthen(&mut self) {
        self.slots.resize(self.slots.len() + TAIL, EMPTY);
    }

    #[cold]
    fn put_growing(&mut self, slot: Slot, store_secs: u32) {
        if store_secs > 0 {
            self.sweep(store_secs, 0);
        }
        // Unless that made room for a while, else every further slot would sweep everything.
        if self.len >= most(self.homes) / 8 * 7 {
            self.rebuild(grown(self.homes));
        }
        let [a, b, c, ..] = slot.words();
        if let Spot::Free(at) = self.find([a, b, c]) {
            self.insert(at, slot.words());
        }
    }

    /// Moves everything to a table of so many homes, in one pass over both: what is empty is written when
    /// the pass comes to it, not before.
    fn rebuild(&mut self, homes: usize) {
        let mut slots = Vec::with_capacity(homes + TAIL);
        for words in self.slots.iter().filter(|words| is_taken(words)) {
            let home = home(words[0], homes);
            while slots.len() < home {
                slots.push(EMPTY);
            }
            slots.push(*words);
        }
        let len = (homes + TAIL).max(slots.len() + 1);
        slots.resize(len, EMPTY);
        (self.slots, self.homes) = (slots, homes);
    }

    pub(crate) fn remove(&mut self, digest: Digest) -> Option<Slot> {
        let Spot::Taken(at) = self.find(digest.words) else {
            return None;
        };
        let removed = Slot::from_words(self.slots[at]);
        let mut end = at + 1;
        // What is away from its home moves up.
        while self
            .slots
            .get(end)
            .is_some_and(|words| is_taken(words) && home(words[0], self.homes) < end)
        {
            end += 1;
        }
        self.slots.copy_within(at + 1..end, at);
        self.slots[end - 1] = EMPTY;
        self.len -= 1;
        self.by_state[Slot::state_number(&removed.words())] -= 1;
        Some(removed)
    }

    /// Removes expired slots, and forgotten ones whose removal is durable. Gives their number.
    pub(crate) fn sweep(&mut self, store_secs: u32, durable: u64) -> usize {
        let stays = |slot: Slot| match slot.place() {
            Place::Running(_) => true,
            Place::Settled(Settled::Forgotten, locator) => locator.frame > durable,
            Place::Settled(..) => !slot.is_expired(store_secs),
        };
        let before = self.len;
        let mut next = 0;
        for at in 0..self.slots.len() {
            let words = self.slots[at];
            if !is_taken(&words) {
                continue;
            }
            self.slots[at] = EMPTY;
            if stays(Slot::from_words(words)) {
                // Never after where it was: fewer stand before it.
                let to = home(words[0], self.homes).max(next);
                self.slots[to] = words;
                next = to + 1;
            } else {
                self.len -= 1;
                self.by_state[Slot::state_number(&words)] -= 1;
            }
        }
        // Memory follows the live keys down, but not so closely that it has to grow again at once.
        if self.homes > 1024 && self.len < self.homes / 8 {
            self.rebuild((self.len * 2).next_multiple_of(4).max(HOMES_MIN));
        }
        before - self.len
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Slots of keys that are settled like this.
    pub(crate) fn settled(&self, settled: Settled) -> usize {
        self.by_state[settled.state_number()]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> {
        let taken = self.slots.iter().filter(|words| is_taken(words));
        taken.map(|words| Slot::from_words(*words))
    }

    /// Bytes that the table occupies.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Words>()
    }

    /// Panics where an invariant does not hold.
    pub(crate) fn validate(&self) {
        let taken = self.slots.iter().filter(|words| is_taken(words));
        assert_eq!(taken.count(), self.len, "slots that are taken");
        assert!(self.len <= most(self.homes), "so many homes may be taken");
        assert!(
            self.slots.last().is_none_or(|words| *words == EMPTY),
            "the last slot is empty"
        );
        let mut before = 0;
        let mut run_from = 0;
        for (at, words) in self.slots.iter().enumerate() {
            if !is_taken(words) {
                run_from = at + 1;
                continue;
            }
            assert!(before <= words[0], "slots are sorted");
            before = words[0];
            let home = home(words[0], self.homes);
            assert!(
                run_from <= home && home <= at,
                "nothing is empty between a slot and its home"
            );
        }
        let mut by_state = [0; STATE_NUMBERS];
        for words in self.slots.iter().filter(|words| is_taken(words)) {
            by_state[Slot::state_number(words)] += 1;
        }
        assert_eq!(by_state, self.by_state, "slots by state");
    }
}

#[cfg(test)]
impl Table {
    /// Slots that are looked at to find a digest.
    pub(crate) fn comparisons(&self, digest: Digest) -> usize {
        let from = home(digest.words[0], self.homes);
        match self.find(digest.words) {
            Spot::Taken(at) | Spot::Free(at) => at - from + 1,
        }
    }
}

#[cfg(test)]
mod tests;
