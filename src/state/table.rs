//! [`Table`]: one compact slot per key.
//!
//! Linear probing in the order of the digests: a slot stands at its home, or as little after it as
//! the ones before allow, so the whole table is sorted. One run of neighbouring cache lines answers a
//! lookup, of an absent key too; growing and sweeping are passes from front to back that leave
//! everything in order; nothing is ever marked as deleted. (Ordered hash tables: O. Amble and
//! D. E. Knuth, The Computer Journal 17(2), 1974.) Digests are pseudo-random under a secret of this
//! process, so no outsider can make runs grow.
//!
//! A table that grows has two arrays for a while: what lies before a boundary has moved to the new
//! one, and each new slot moves it on by a few. So a lookup searches one array, and no insert waits
//! until everything has moved. What has expired by then stays behind.

use crate::value::digest::Digest;

use crate::state::slot::{Place, STATE_NUMBERS, Settled, Slot};
use crate::state::table::array::{Array, Words, is_taken};

mod array;

/// The slots of one shard.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Invariant: all slots, or while some are moved those before the boundary.
    slots: Array,
    moving: Option<Moving>,
    /// Slots that are taken. Invariant: at most [`limit`] of the homes.
    len: usize,
    /// Slots by the number of their state. Invariant: their sum is `len`.
    by_state: [usize; STATE_NUMBERS],
}

/// Slots that are on their way to another array.
#[derive(Debug)]
struct Moving {
    /// Invariant: none of its slots is before the boundary, and none stands before `next`.
    from: Array,
    /// Places before it have been left.
    next: usize,
    /// A first word of a digest: what is less has been moved.
    boundary: u64,
}

/// A table that grows has so many homes at least.
const HOMES_MIN: usize = 16;

/// How many places are left for each new slot while slots are moved. Their number is far above what
/// moving everything before the new array is full takes, see [`limit`].
const STEP: usize = 64;

/// Slots that are looked at to learn how many have expired.
const SAMPLE: usize = 256;

/// Places that a part of a sweep looks at.
const PART: usize = 4096;

/// How many of so many homes may be taken before a table grows: four fifths, because beyond that runs
/// become long.
const fn most(homes: usize) -> usize {
    homes - homes.div_ceil(5)
}

/// How many of so many homes may be taken while slots are moved: a 32nd more. All have been moved
/// before that is used up, because a step leaves 64 places.
const fn limit(homes: usize) -> usize {
    most(homes) + homes / 32
}

/// The next size of a table: not much more, because what is not used is memory all the same.
fn grown(homes: usize) -> usize {
    homes + (homes / 6).next_multiple_of(4).max(HOMES_MIN)
}

/// What may stay, and what has expired or is durably forgotten.
#[derive(Clone, Copy)]
struct Sieve {
    store_secs: u32,
    durable: u64,
}

impl Sieve {
    #[inline]
    fn keeps(self, words: &Words) -> bool {
        Slot::is_fresh(words, self.store_secs) || self.keeps_old(words)
    }

    fn keeps_old(self, words: &Words) -> bool {
        let slot = Slot::from_words(*words);
        match slot.place() {
            Place::Running(_) => true,
            Place::Settled(Settled::Forgotten, locator) => locator.frame > self.durable,
            Place::Settled(..) => self.store_secs == 0 || !slot.is_expired(self.store_secs),
        }
    }
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

    /// The slot at this spot of the digest.
    #[inline]
    pub(super) fn at(&self, digest: Digest, spot: Spot) -> Option<Slot> {
        let Spot::Taken(at) = spot else {
            return None;
        };
        let words = self.array(digest.words[0]).get(at)?;
        Some(Slot::from_words(*words))
    }

    /// The array in which slots of this first word lie.
    #[inline]
    fn array(&self, word: u32) -> &Array {
        match &self.moving {
            Some(moving) if u64::from(word) >= moving.boundary => &moving.from,
            _ => &self.slots,
        }
    }

    #[inline]
    fn array_mut(&mut self, word: u32) -> &mut Array {
        match &mut self.moving {
            Some(moving) if u64::from(word) >= moving.boundary => &mut moving.from,
            _ => &mut self.slots,
        }
    }

    #[inline]
    fn find(&self, words: [u32; 3]) -> Spot {
        let [a, ..] = words;
        let found = match &self.moving {
            Some(moving) if u64::from(a) >= moving.boundary => {
                let from = moving.from.home(a).max(moving.next);
                moving.from.find(from, words)
            }
            _ => self.slots.find(self.slots.home(a), words),
        };
        match found {
            (true, at) => Spot::Taken(at),
            (false, at) => Spot::Free(at),
        }
    }

    #[inline]
    pub(crate) fn get(&self, digest: Digest) -> Option<Slot> {
        self.at(digest, self.spot(digest))
    }

    /// Reads where a digest would be, and nothing more: many such reads, one after the other, wait
    /// for memory once and not each.
    #[inline]
    pub(crate) fn touch(&self, digest: Digest) -> u32 {
        let [a, ..] = digest.words;
        let array = self.array(a);
        array.get(array.home(a)).map_or(0, |words| words[0])
    }

    /// Puts a slot in, in place of the one of the same digest. A table that would have to grow
    /// lets go of its expired slots.
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
                let words = slot.words();
                let place = self.array_mut(words[0]).place(at);
                let replaced = std::mem::replace(place, words);
                self.by_state[Slot::state_number(&replaced)] -= 1;
                self.by_state[Slot::state_number(&words)] += 1;
            }
            Spot::Free(at) if self.moving.is_none() && self.len < most(self.slots.homes) => {
                self.insert(at, slot.words());
            }
            Spot::Free(at) => self.put_moving(at, slot, store_secs),
        }
    }

    #[inline]
    fn insert(&mut self, at: usize, words: Words) {
        self.array_mut(words[0]).insert(at, words);
        self.len += 1;
        self.by_state[Slot::state_number(&words)] += 1;
    }

    /// Puts a slot in while slots are moved, or where they have to be from now on.
    #[cold]
    fn put_moving(&mut self, at: usize, slot: Slot, store_secs: u32) {
        let sieve = Sieve {
            store_secs,
            durable: 0,
        };
        let words = slot.words();
        let [a, b, c, ..] = words;
        if self.moving.is_some() && self.len < limit(self.slots.homes) {
            self.insert(at, words);
        } else {
            // Nothing moves here any more, unless the digests are no random ones.
            self.settle(sieve);
            if self.len >= most(self.slots.homes) {
                self.move_to(self.next_homes(sieve));
                self.step(sieve);
            }
            if let Spot::Free(at) = self.find([a, b, c]) {
                self.insert(at, words);
            }
        }
        self.step(sieve);
    }

    /// The size of a table that is full: as large as it is, where enough has expired to make room
    /// for a while, else every further slot would move everything.
    fn next_homes(&self, sieve: Sieve) -> usize {
        let homes = self.slots.homes;
        let middle = (homes / 2).saturating_sub(SAMPLE / 2);
        let mut sample = [0; 2];
        for (_, words) in self.slots.places(middle).take(SAMPLE) {
            if is_taken(words) {
                sample[usize::from(sieve.keeps(words))] += 1;
            }
        }
        let [go, stay] = sample;
        let makes_room = go > 0 && go >= (go + stay) / 8 && self.len < limit(homes);
        if makes_room { homes } else { grown(homes) }
    }

    /// Begins to move everything to an array of so many homes.
    fn move_to(&mut self, homes: usize) {
        self.moving = Some(Moving {
            from: std::mem::replace(&mut self.slots, Array::new(homes)),
            next: 0,
            boundary: 0,
        });
    }

    /// Moves what is left of a move.
    fn settle(&mut self, sieve: Sieve) {
        while self.moving.is_some() {
            self.step(sieve);
        }
    }

    /// Moves the slots of the next places, or drops them.
    fn step(&mut self, sieve: Sieve) {
        let Some(moving) = &mut self.moving else {
            return;
        };
        let part = moving.from.same_part(moving.next + STEP, self.slots.homes);
        self.slots.reach(part);
        let mut places = STEP;
        loop {
            // Of what has been moved nothing is greater than this, so the last run ends after its home.
            let last = u32::try_from(moving.boundary.saturating_sub(1)).expect("a first word");
            let to = self.slots.free_from(self.slots.home(last));
            let rest = moving.from.rest(moving.next);
            let left = &rest[..rest.len().min(places)];
            let (mut dropped, by_state) = (0, &mut self.by_state);
            self.slots.append(to, left, |words| {
                let drops = !sieve.keeps(words);
                if drops {
                    dropped += 1;
                    by_state[Slot::state_number(words)] -= 1;
                }
                drops
            });
            self.len -= dropped;
            if let Some(last) = left.iter().rfind(|words| is_taken(words)) {
                moving.boundary = u64::from(last[0]) + 1;
            }
            moving.next += left.len();
            moving.from.leave(moving.next);
            let Some(words) = moving.from.get(moving.next) else {
                self.moving = None;
                return;
            };
            // Slots of one first word go together, because the boundary is between first words.
            if !is_taken(words) || u64::from(words[0]) >= moving.boundary {
                return;
            }
            places = 1;
        }
    }

    pub(crate) fn remove(&mut self, digest: Digest) -> Option<Slot> {
        let Spot::Taken(at) = self.find(digest.words) else {
            return None;
        };
        let array = self.array_mut(digest.words[0]);
        let removed = Slot::from_words(*array.place(at));
        array.remove(at);
        self.len -= 1;
        self.by_state[Slot::state_number(&removed.words())] -= 1;
        Some(removed)
    }

    /// Removes expired slots, and forgotten ones whose removal is durable. Gives their number.
    pub(crate) fn sweep(&mut self, store_secs: u32, durable: u64) -> usize {
        let before = self.len;
        let mut from = Some(0);
        while let Some(word) = from {
            from = self.sweep_part(word, store_secs, durable);
        }
        before - self.len
    }

    /// A bounded part of a sweep, of digests from this first word on. Gives where the next part goes on.
    pub(crate) fn sweep_part(&mut self, word: u32, store_secs: u32, durable: u64) -> Option<u32> {
        let sieve = Sieve {
            store_secs,
            durable,
        };
        for _ in 0..PART / STEP {
            self.step(sieve);
        }
        if self.moving.is_some() {
            return Some(word);
        }
        let (mut at, mut looked_at) = (self.slots.home(word), 0);
        // The places after the last home are the end of one run: they go together.
        while looked_at < PART || at >= self.slots.homes {
            looked_at += 1;
            match self.slots.get(at) {
                Some(words) if is_taken(words) && !sieve.keeps(words) => {
                    self.by_state[Slot::state_number(words)] -= 1;
                    self.len -= 1;
                    // What comes after it may stand here now.
                    self.slots.remove(at);
                }
                Some(_) => at += 1,
                None => {
                    self.shrink();
                    return self.moving.is_some().then_some(u32::MAX);
                }
            }
        }
        Some(self.slots.word_of(at))
    }

    /// Memory follows the live keys down, but not so closely that it has to grow again at once.
    fn shrink(&mut self) {
        let homes = self.slots.homes;
        if homes > 1024 && self.len < homes / 8 {
            self.move_to(grown(self.len * 2));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Slots of keys that are settled like this.
    pub(crate) fn settled(&self, settled: Settled) -> usize {
        self.by_state[settled.state_number()]
    }

    /// All slots, in the order of their digests.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> {
        let moving = self.moving.iter();
        let waiting = moving.flat_map(|moving| moving.from.taken(moving.next));
        let taken = self.slots.taken(0).chain(waiting);
        taken.map(|words| Slot::from_words(*words))
    }

    /// Bytes that the table occupies.
    pub(crate) fn memory_bytes(&self) -> usize {
        let moving = self.moving.iter();
        let waiting: usize = moving.map(|moving| moving.from.memory_bytes()).sum();
        self.slots.memory_bytes() + waiting
    }

    /// Panics where an invariant does not hold.
    pub(crate) fn validate(&self) {
        assert_eq!(self.iter().count(), self.len, "slots that are taken");
        assert!(
            self.len <= limit(self.slots.homes),
            "so many homes may be taken"
        );
        self.slots.validate(0);
        if let Some(moving) = &self.moving {
            moving.from.validate(moving.next);
            let is_before = |words: &&Words| u64::from(words[0]) < moving.boundary;
            assert!(
                self.slots.taken(0).all(|words| is_before(&words))
                    && !moving
                        .from
                        .taken(moving.next)
                        .any(|words| is_before(&words)),
                "the boundary is between what was moved and what was not"
            );
        }
        let mut by_state = [0; STATE_NUMBERS];
        for slot in self.iter() {
            by_state[Slot::state_number(&slot.words())] += 1;
        }
        assert_eq!(by_state, self.by_state, "slots by state");
    }
}

#[cfg(test)]
impl Table {
    /// Slots that are looked at to find a digest.
    pub(crate) fn comparisons(&self, digest: Digest) -> usize {
        let array = self.array(digest.words[0]);
        let passed = self.moving.as_ref().map_or(0, |moving| moving.next);
        let from = array.home(digest.words[0]).max(passed);
        match self.find(digest.words) {
            Spot::Taken(at) | Spot::Free(at) => at - from + 1,
        }
    }
}

#[cfg(test)]
mod tests;
