//! [`Table`]: one compact slot per key.
//!
//! Linear probing in the order of the digests: a slot stands at its home, or as little after it as
//! the ones before allow, so the whole table is sorted. One run of neighbouring cache lines answers a
//! lookup, of an absent key too; growing and sweeping are passes from front to back that leave
//! everything in order; nothing is ever marked as deleted. (Ordered hash tables: O. Amble and
//! D. E. Knuth, The Computer Journal 17(2), 1974.) Digests are pseudo-random under a secret of this
//! process, so no outsider can make runs grow.
//!
//! A table grows while it is used: it has a second part for a while, and each new slot moves the next
//! [`STEP`] slots of the old part to the new one. As both are sorted, one word says which digests have moved.

use crate::value::digest::Digest;

use crate::state::slot::{Place, STATE_NUMBERS, Settled, Slot};
use crate::state::table::part::{Part, Words, is_taken};

mod part;

/// The slots of one shard.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(crate) struct Table {
    /// The part where all slots are, and while the table moves the one that they come from. Invariants: those of
    /// each [`Part`]; the second has room only while the table moves; the slots of the first come before
    /// [`moved`](Self::moved), and those of the second do not.
    parts: [Part; 2],
    /// Digests whose first word is less have moved. Invariant: [`ALL`] unless the table moves.
    moved: u64,
    /// Where the first slot that has not moved is at the earliest.
    from: usize,
    /// Slots that are taken. Invariant: at most [`most`] of the homes.
    len: usize,
    /// Slots that may be taken before something has to be done. Invariant: [`most`] of the homes, or none while the
    /// table moves.
    room: usize,
    /// Slots by the number of their state. Invariant: their sum is `len`.
    by_state: [usize; STATE_NUMBERS],
}

/// More than any first word of a digest.
const ALL: u64 = 1 << 32;

/// A table that grows has so many homes at least.
const HOMES_MIN: usize = 16;

/// Slots that are looked at in one go, while the lock of the shard is held.
const STEP: usize = 4096;

/// Slots that are looked at to learn how many have expired.
const SAMPLE: usize = 1024;

/// How many of so many homes may be taken: beyond that runs become long.
const fn most(homes: usize) -> usize {
    homes / 4 * 3
}

/// The next size of a table: not much more, because what is not used is memory all the same, and
/// moving everything is cheap.
fn grown(homes: usize) -> usize {
    (homes + homes / 3).next_multiple_of(4).max(HOMES_MIN)
}

/// Where a digest is, or would be, until the table changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    part: usize,
    found: part::Found,
}

/// Where the slots of a table were in memory, and how many homes they had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    pub(crate) slots: usize,
    pub(crate) homes: usize,
}

impl Location {
    /// The address of the slot of a digest, or of one a little before it.
    #[inline]
    pub(crate) fn address(self, digest: Digest) -> usize {
        let place = part::home(digest.words[0], self.homes);
        self.slots.wrapping_add(place * size_of::<Slot>())
    }
}

/// What a sweep lets go.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    /// Slots that expired up to here.
    store_secs: u32,
    /// Forgotten slots whose removal lies up to this frame.
    durable: u64,
}

impl Sweep {
    #[inline]
    fn stays(self, slot: Slot) -> bool {
        let lasts = slot.expires_at() > self.store_secs && !slot.is_forgotten();
        lasts || self.stays_yet(slot)
    }

    fn stays_yet(self, slot: Slot) -> bool {
        match slot.place() {
            Place::Running(_) => true,
            Place::Settled(Settled::Forgotten, locator) => locator.frame > self.durable,
            Place::Settled(..) => !slot.is_expired(self.store_secs),
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self {
            parts: [Part::default(), Part::default()],
            moved: ALL,
            from: 0,
            len: 0,
            room: 0,
            by_state: [0; STATE_NUMBERS],
        }
    }
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
        spot.found
            .is_taken
            .then(|| Slot::from_words(self.parts[spot.part].slots[spot.found.at]))
    }

    /// The part where a digest with this first word belongs.
    #[inline]
    fn part(&self, word: u32) -> usize {
        usize::from(u64::from(word) >= self.moved)
    }

    #[inline]
    fn find(&self, words: [u32; 3]) -> Spot {
        let part = self.part(words[0]);
        let found = self.parts[part].find(words);
        Spot { part, found }
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
        let part = &self.parts[self.part(a)];
        part.slots
            .get(part::home(a, part.homes))
            .map_or(0, |words| words[0])
    }

    /// Where the slots are, or most of them while they move.
    #[inline]
    pub(super) fn location(&self) -> Location {
        let [part, _] = &self.parts;
        Location {
            slots: part.slots.as_ptr().addr(),
            homes: part.homes,
        }
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
        let (at, words) = (spot.found.at, slot.words());
        if spot.found.is_taken {
            let replaced = std::mem::replace(&mut self.parts[spot.part].slots[at], words);
            self.by_state[Slot::state_number(&replaced)] -= 1;
            self.by_state[Slot::state_number(&words)] += 1;
        } else if self.len < self.room {
            self.insert(spot, words);
        } else {
            self.put_moving(slot, store_secs);
        }
    }

    #[inline]
    fn insert(&mut self, spot: Spot, words: Words) {
        self.parts[spot.part].insert(spot.found.at, words);
        self.len += 1;
        self.by_state[Slot::state_number(&words)] += 1;
    }

    /// Puts a new slot into a table that is full, or that moves.
    #[cold]
    fn put_moving(&mut self, slot: Slot, store_secs: u32) {
        let sweep = Sweep {
            store_secs,
            durable: 0,
        };
        if !self.is_moving() {
            self.make_room(sweep);
        }
        if self.is_moving() {
            self.move_on(sweep);
        }
        // Less may go than it seemed.
        while self.len >= most(self.parts[0].homes) {
            match self.is_moving() {
                true => drop(self.move_on(sweep)),
                false => self.begin_move(grown(self.parts[0].homes)),
            }
        }
        let words = slot.words();
        let spot = self.find([words[0], words[1], words[2]]);
        self.insert(spot, words);
    }

    /// Lets expired slots go where there are many, and begins to grow where that made no room for a while: else every
    /// further slot would sweep everything.
    fn make_room(&mut self, sweep: Sweep) {
        let homes = self.parts[0].homes;
        if self.parts[0].slots.len() <= STEP {
            if sweep.store_secs > 0 {
                self.sweep_part(0, usize::MAX, sweep);
            }
            if self.len >= most(homes) / 8 * 7 {
                self.begin_move(grown(homes));
            }
            return;
        }
        let many = sweep.store_secs > 0 && self.many_go(sweep);
        self.begin_move(if many { homes } else { grown(homes) });
    }

    /// Whether at least an eighth of the slots would go, judged by slots from all over the table.
    fn many_go(&self, sweep: Sweep) -> bool {
        let slots = &self.parts[0].slots;
        let sample = slots.iter().step_by(slots.len() / SAMPLE + 1);
        let (mut taken, mut gone) = (0, 0);
        for words in sample.filter(|words| is_taken(words)) {
            taken += 1;
            gone += usize::from(!sweep.stays(Slot::from_words(*words)));
        }
        gone * 8 >= taken
    }

    fn is_moving(&self) -> bool {
        self.parts[1].homes > 0
    }

    /// Begins to move everything to a part of so many homes.
    fn begin_move(&mut self, homes: usize) {
        let [part, before] = &mut self.parts;
        debug_assert!(before.homes == 0, "a table moves once at a time");
        *before = std::mem::replace(part, Part::with_homes(homes));
        (self.moved, self.from, self.room) = (0, 0, 0);
        if before.homes == 0 {
            part.close_end(None);
            self.end_move();
        }
    }

    /// Moves the slots among the next [`STEP`] places that stay, and lets the others go. Gives the number of those.
    fn move_on(&mut self, sweep: Sweep) -> usize {
        let (len, by_state) = (&mut self.len, &mut self.by_state);
        let [part, before] = &mut self.parts;
        let had = *len;
        // One word says what has moved, so slots of equal words move together.
        let cut = before.cut(self.from + STEP);
        let until = cut.map_or(before.slots.len(), |(at, _)| at);
        part.append(
            &before.slots[self.from..until],
            |slot| sweep.stays(slot),
            |words| {
                *len -= 1;
                by_state[Slot::state_number(words)] -= 1;
            },
        );
        part.close_end(cut.map(|(_, word)| word));
        let gone = had - *len;
        match cut {
            Some((at, word)) => (self.moved, self.from) = (u64::from(word), at),
            None => self.end_move(),
        }
        gone
    }

    fn end_move(&mut self) {
        let [part, before] = &mut self.parts;
        *before = Part::default();
        (self.moved, self.from) = (ALL, 0);
        self.room = most(part.homes);
    }

    pub(crate) fn remove(&mut self, digest: Digest) -> Option<Slot> {
        let spot = self.spot(digest);
        let removed = self.at(spot)?;
        self.parts[spot.part].remove(spot.found.at);
        self.len -= 1;
        self.by_state[Slot::state_number(&removed.words())] -= 1;
        Some(removed)
    }

    /// Removes expired slots, and forgotten ones whose removal is durable. Gives their number.
    pub(crate) fn sweep(&mut self, store_secs: u32, durable: u64) -> usize {
        let (mut swept, mut from) = (0, Some(0));
        while let Some(at) = from {
            let piece = self.sweep_piece(at, store_secs, durable);
            (swept, from) = (swept + piece.0, piece.1);
        }
        swept
    }

    /// As [`sweep`](Self::sweep), but looks at some [`STEP`] places only, from those of the digests with this first word. Gives
    /// where to go on.
    pub(crate) fn sweep_piece(
        &mut self,
        from: u32,
        store_secs: u32,
        durable: u64,
    ) -> (usize, Option<u32>) {
        let sweep = Sweep {
            store_secs,
            durable,
        };
        if self.is_moving() {
            return (self.move_on(sweep), Some(from));
        }
        let at = part::home(from, self.parts[0].homes);
        let (swept, end) = self.sweep_part(at, at + STEP, sweep);
        let next = self.parts[0].taken(end).next().map(|words| words[0]);
        if next.is_none() && self.give_back() {
            return (swept, Some(u32::MAX));
        }
        (swept, next)
    }

    /// Gives the slots that went, and where the sweep ended.
    fn sweep_part(&mut self, from: usize, until: usize, sweep: Sweep) -> (usize, usize) {
        let (len, by_state) = (&mut self.len, &mut self.by_state);
        let before = *len;
        let end = self.parts[0].sweep(
            from,
            until,
            |slot| sweep.stays(slot),
            |words| {
                *len -= 1;
                by_state[Slot::state_number(words)] -= 1;
            },
        );
        (before - self.len, end)
    }

    /// Memory follows the live keys down, but not so closely that it has to grow again at once. Whether slots begin
    /// to move for that.
    fn give_back(&mut self) -> bool {
        let homes = self.parts[0].homes;
        let gives = homes > 1024 && self.len < homes / 8;
        if gives {
            self.begin_move((self.len * 2).next_multiple_of(4).max(HOMES_MIN));
        }
        gives
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Slots of keys that are settled like this.
    pub(crate) fn settled(&self, settled: Settled) -> usize {
        self.by_state[settled.state_number()]
    }

    fn taken(&self) -> impl Iterator<Item = &Words> {
        let [part, before] = &self.parts;
        part.taken(0).chain(before.taken(self.from))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> {
        self.taken().map(|words| Slot::from_words(*words))
    }

    /// Bytes that the table occupies.
    pub(crate) fn memory_bytes(&self) -> usize {
        let slots: usize = self.parts.iter().map(|part| part.slots.capacity()).sum();
        slots * size_of::<Words>()
    }

    /// Panics where an invariant does not hold.
    pub(crate) fn validate(&self) {
        let [part, before] = &self.parts;
        assert_eq!(self.taken().count(), self.len, "slots that are taken");
        assert!(self.len <= most(part.homes), "so many homes may be taken");
        part.validate();
        before.validate();
        let moved = |words: &&Words| u64::from(words[0]) < self.moved;
        assert!(part.taken(0).all(|words| moved(&words)), "what has moved");
        assert!(
            !before.taken(self.from).any(|words| moved(&words)),
            "what has not moved"
        );
        let (room, moving) = (most(part.homes), self.is_moving());
        let calm = (self.moved, self.from, self.room) == (ALL, 0, room);
        assert!(
            if moving { self.room == 0 } else { calm },
            "a table has no room only while it moves"
        );
        let mut by_state = [0; STATE_NUMBERS];
        for words in self.taken() {
            by_state[Slot::state_number(words)] += 1;
        }
        assert_eq!(by_state, self.by_state, "slots by state");
    }
}

#[cfg(test)]
impl Table {
    /// Slots that are looked at to find a digest.
    pub(crate) fn comparisons(&self, digest: Digest) -> usize {
        let spot = self.spot(digest);
        let homes = self.parts[spot.part].homes;
        spot.found.at - part::home(digest.words[0], homes) + 1
    }
}

#[cfg(test)]
mod tests;
