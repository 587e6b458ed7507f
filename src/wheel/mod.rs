//! A hierarchical timing wheel: timers that are cheap to set, to cancel and to leave alone.
//! What comes in: deadlines as ticks, each with an item, and the present tick.
//! It knows nothing of what an item is: time is a parameter, and a tick has no unit.
//!
//! After G. Varghese and T. Lauck, "Hashed and hierarchical timing wheels", SOSP 1987 (their
//! scheme 7), with a bitmap per level so that empty slots cost nothing. A timer waits on the level
//! of the highest base-64 digit in which its deadline differs from the current tick, in the slot
//! that this digit names:
//!
//! | level | a slot holds | the level reaches | if a tick is 1 ms | if a tick is 1 s |
//! | ----: | -----------: | ----------------: | ----------------: | ---------------: |
//! |     0 |       1 tick |        2^6  ticks |             64 ms |             64 s |
//! |     1 |  2^6   ticks |        2^12 ticks |             4.1 s |            68 min |
//! |     2 |  2^12  ticks |        2^18 ticks |           4.4 min |             3.0 d |
//! |     3 |  2^18  ticks |        2^24 ticks |             4.7 h |             194 d |
//! |     4 |  2^24  ticks |        2^30 ticks |            12.4 d |              34 y |
//! |     5 |  2^30  ticks |        2^36 ticks |             2.2 y |           2,200 y |
//! |   ... |              |                   |                   |                  |
//! |    10 |  2^60  ticks |        2^64 ticks |   584 million y   |   584 billion y  |
//!
//! Eleven levels span every `u64` (the last uses 16 of its slots), so the wheel needs no overflow
//! list, and no special case for a deadline of 0 or `u64::MAX`, or for a first look after years.
//!
//! Turning from one tick to another is a single pass. Take the highest digit in which the two ticks
//! differ: every level below it has expired whole, on its own level the slots before the new digit
//! have, the slot of the new digit is sorted into the levels below (a cascade), and nothing above
//! moves. So a turn costs the slots that expire and at most one cascade, at any distance, and a
//! timer cascades at most once per level in its life.

mod level;

use crate::wheel::level::{LEVELS, Level, NIL, SLOTS, TimerPlace};

/// A slab of at most this many entries keeps its memory when the last timer leaves.
const SLAB_KEEP: usize = 32;

/// The most vacant entries that one removal or turn gives back, so that no call pays for a long
/// run.
const TRIM_MAX: usize = 32;

/// Timers that each hold an item until their deadline.
pub(crate) struct Wheel<T> {
    /// The tick that the wheel has been advanced to. Invariant: never decreases.
    now: u64,
    /// The list of timers to fire next. Invariant: holds exactly the timers with deadline <= now.
    due: u32,
    /// Invariant: not later than any deadline in `due`; `u64::MAX` while `due` is empty.
    due_from: u64,
    /// Invariant: every timer that is not due is in the list of its [`level::place`]; so all of
    /// level `n` is earlier than all of level `n + 1`. `None` until used.
    levels: [Option<Box<Level>>; LEVELS],
    /// Every timer. Invariant: an occupied entry is in exactly one list of the wheel.
    slab: Lists<T>,
    /// Levels and slots looked at and timers moved by all turns so far: their cost.
    #[cfg(test)]
    visited: u64,
}

/// Names one timer of one wheel, for [`Wheel::cancel`].
///
/// A key outlives its timer safely: the generation is new for every insert, and comes back only
/// after 2^32 of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimerKey {
    /// The entry of the slab.
    index: u32,
    /// The insert that filled the entry.
    generation: u32,
}

impl<T> Wheel<T> {
    /// Creates a wheel that stands at `now` and has no timers; it allocates nothing.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            now,
            due: NIL,
            due_from: u64::MAX,
            levels: [const { None }; LEVELS],
            slab: Lists::new(),
            #[cfg(test)]
            visited: 0,
        }
    }

    /// Sets a timer; one whose deadline is not after [`Wheel::now`] fires at the next advance.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: u64, item: T) -> TimerKey {
        let key = self.slab.insert(deadline, item);
        self.link(key.index);
        key
    }

    /// Removes a timer and returns its item, `None` if it fired or was cancelled before.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let deadline = self.slab.find(key)?.deadline;
        self.unlink(level::place(self.now, deadline), key.index);
        let (_, item) = self.slab.remove(key.index);
        Some(item)
    }

    /// When a timer fires; `None` if it has fired or was cancelled.
    pub(crate) fn deadline(&self, key: TimerKey) -> Option<u64> {
        self.slab.find(key).map(|entry| entry.deadline)
    }

    /// Moves time to `now` and gives every timer with deadline <= `now` to `fire`, once, not early.
    ///
    /// Timers fire in no particular order. Time does not go back: an earlier `now` counts as
    /// [`Wheel::now`], where nothing is left but what was inserted too late. A panic in `fire`
    /// loses the item that it was given and no other: the rest fires at the next advance.
    pub(crate) fn advance(&mut self, now: u64, fire: &mut impl FnMut(u64, T)) {
        self.turn_to(now);
        while self.due != NIL {
            let index = self.due;
            self.unlink(TimerPlace::Due, index);
            let (deadline, item) = self.slab.remove(index);
            fire(deadline, item);
        }
    }

    /// Returns the tick to advance to next, at most the earliest deadline; `None` if empty.
    ///
    /// Advancing to it fires a timer or moves one to a lower level, so a loop that does so reaches
    /// every deadline on its tick, after at most one step per level for each timer. It is later
    /// than [`Wheel::now`] unless a timer is due already.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        if self.due != NIL {
            return Some(self.due_from);
        }
        self.levels.iter().enumerate().find_map(|(index, level)| {
            let slot = level.as_ref()?.first()?;
            Some(level::slot_start(self.now, index, slot))
        })
    }

    /// Returns the number of timers.
    pub(crate) fn len(&self) -> usize {
        self.slab.live
    }

    /// Returns whether there are no timers.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.slab.live == 0
    }

    /// Returns the tick that the wheel has been advanced to.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Panics if an invariant is broken; counts everything again, so it is for tests.
    pub(crate) fn validate(&self) {
        self.slab.validate();
        let mut linked = self.validate_list(TimerPlace::Due);
        for (index, level) in self.levels.iter().enumerate() {
            let Some(level) = level else { continue };
            level.validate();
            for slot in 0..SLOTS {
                linked += self.validate_list(TimerPlace::Slot { level: index, slot });
            }
        }
        assert_eq!(
            linked, self.slab.live,
            "timers in lists against timers in the slab"
        );
        if self.due == NIL {
            assert_eq!(self.due_from, u64::MAX, "nothing is due");
        }
    }

    /// Makes `now` the current tick and collects in `due` the timers that expire on the way.
    fn turn_to(&mut self, now: u64) {
        if now <= self.now {
            return;
        }
        let top = level::level_of(self.now, now);
        let slot = level::slot_of(now, top);
        for below in 0..top {
            self.expire(below, SLOTS);
        }
        self.expire(top, slot);

        let opened = TimerPlace::Slot { level: top, slot };
        let mut cascade = self.head(opened);
        if cascade != NIL {
            self.set_head(opened, NIL);
        }
        self.now = now;
        while cascade != NIL {
            let index = cascade;
            cascade = self.slab.unlink(cascade, index);
            self.link(index);
            self.visit();
        }

        self.slab.trim();
        // Only here, not in `cancel`: a level that is filled and emptied within a tick stays.
        for level in &mut self.levels {
            if level.as_ref().is_some_and(|level| level.is_empty()) {
                *level = None;
            }
        }
    }

    /// Appends to `due` what is in a level's slots before `end`, while `now` is the old tick.
    fn expire(&mut self, level: usize, end: usize) {
        self.visit();
        // In bounds, here and below: `level_of` is less than LEVELS for every pair of ticks.
        while let Some(head) = self.levels[level]
            .as_mut()
            .and_then(|l| l.take_first_before(end))
        {
            self.due = self.slab.join(self.due, head);
            // Every timer on a level has its deadline after the old tick.
            self.due_from = self.due_from.min(self.now.saturating_add(1));
            self.visit();
        }
    }

    /// Puts a timer that is in no list into the list of its place.
    fn link(&mut self, index: u32) {
        let deadline = self.slab.entry(index).deadline;
        let place = level::place(self.now, deadline);
        if place == TimerPlace::Due {
            self.due_from = self.due_from.min(deadline);
        }
        let head = self.slab.join(self.head(place), index);
        self.set_head(place, head);
    }

    /// Takes a timer out of the list of `place`, which must be its own.
    fn unlink(&mut self, place: TimerPlace, index: u32) {
        let head = self.slab.unlink(self.head(place), index);
        self.set_head(place, head);
    }

    /// Returns the list of a place.
    fn head(&self, place: TimerPlace) -> u32 {
        match place {
            TimerPlace::Due => self.due,
            TimerPlace::Slot { level, slot } => self.levels[level]
                .as_ref()
                .map_or(NIL, |level| level.head(slot)),
        }
    }

    /// Replaces the list of a place.
    fn set_head(&mut self, place: TimerPlace, head: u32) {
        match place {
            TimerPlace::Due => {
                self.due = head;
                if head == NIL {
                    self.due_from = u64::MAX;
                }
            }
            TimerPlace::Slot { level, slot } => {
                let level = self.levels[level].get_or_insert_with(|| Box::new(Level::new()));
                level.set_head(slot, head);
            }
        }
    }

    /// Panics unless the list of `place` holds only timers that belong there; returns how many.
    fn validate_list(&self, place: TimerPlace) -> usize {
        self.slab.validate_list(self.head(place), &mut |entry| {
            assert!(
                entry.item.is_some(),
                "a vacant entry is in the list of {place:?}"
            );
            assert_eq!(
                level::place(self.now, entry.deadline),
                place,
                "a timer is misplaced"
            );
            if place == TimerPlace::Due {
                assert!(
                    self.due_from <= entry.deadline,
                    "a due timer is earlier than `due_from`"
                );
            }
        })
    }

    /// Counts one step of a turn, in tests.
    fn visit(&mut self) {
        #[cfg(test)]
        {
            self.visited += 1;
        }
    }
}

/// Entries that keep their index, in circular doubly linked lists that are named by their head.
///
/// In a circle the head knows its tail, so lists are joined and entries leave in constant time.
struct Lists<T> {
    entries: Vec<TimerEntry<T>>,
    /// The list of vacant entries. Invariant: holds every vacant entry, and no other.
    free: u32,
    /// Invariant: the number of occupied entries.
    live: usize,
    /// The generation of the next insert. It counts for the whole slab, so that an index which was
    /// given back and is used again never repeats the key of an earlier timer.
    generation: u32,
}

/// One timer, or a vacancy.
struct TimerEntry<T> {
    deadline: u64,
    /// `None` marks a vacant entry.
    item: Option<T>,
    generation: u32,
    /// Invariant: the `next` of the entry at `prev` is this entry, as is the `prev` of `next`.
    prev: u32,
    next: u32,
}

impl<T> Lists<T> {
    fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: NIL,
            live: 0,
            generation: 0,
        }
    }

    /// Fills an entry, which becomes its own list.
    #[inline]
    fn insert(&mut self, deadline: u64, item: T) -> TimerKey {
        let generation = self.generation;
        let index = if self.free == NIL {
            u32::try_from(self.entries.len())
                .ok()
                .filter(|index| *index != NIL)
                .expect("memory ends before a wheel holds u32::MAX timers")
        } else {
            self.free
        };
        let entry = TimerEntry {
            deadline,
            item: Some(item),
            generation,
            prev: index,
            next: index,
        };
        if self.free == NIL {
            self.entries.push(entry);
        } else {
            self.free = self.unlink(self.free, index);
            *self.entry_mut(index) = entry;
        }
        self.generation = generation.wrapping_add(1);
        self.live += 1;
        TimerKey { index, generation }
    }

    /// Vacates an entry that is in no list.
    fn remove(&mut self, index: u32) -> (u64, T) {
        let entry = self.entry_mut(index);
        let item = entry
            .item
            .take()
            .expect("lists of the wheel hold occupied entries only");
        let deadline = entry.deadline;
        self.live -= 1;
        self.free = self.join(index, self.free);
        self.trim();
        (deadline, item)
    }

    /// Gives memory back: all of a large slab that is empty, else some of its vacant end.
    fn trim(&mut self) {
        if self.live == 0 {
            self.free = NIL;
            self.entries.clear();
        }
        for _ in 0..TRIM_MAX {
            let Some(last) = self.entries.last().filter(|last| last.item.is_none()) else {
                break;
            };
            // What comes before it in the circle knows its index.
            let index = self.entry(last.prev).next;
            self.free = self.unlink(self.free, index);
            self.entries.pop();
        }
        let (len, capacity) = (self.entries.len(), self.entries.capacity());
        if capacity > SLAB_KEEP && len <= capacity / 4 {
            self.entries.shrink_to(len * 2);
        }
    }

    /// Appends one list to another and returns the head of both; either may be [`NIL`].
    fn join(&mut self, first: u32, second: u32) -> u32 {
        if first == NIL {
            return second;
        }
        if second == NIL {
            return first;
        }
        let (first_tail, second_tail) = (self.entry(first).prev, self.entry(second).prev);
        self.entry_mut(first_tail).next = second;
        self.entry_mut(second).prev = first_tail;
        self.entry_mut(second_tail).next = first;
        self.entry_mut(first).prev = second_tail;
        first
    }

    /// Takes an entry out of the list of `head`, makes it its own list, returns the new head.
    fn unlink(&mut self, head: u32, index: u32) -> u32 {
        let entry = self.entry_mut(index);
        let (prev, next) = (entry.prev, entry.next);
        (entry.prev, entry.next) = (index, index);
        if next == index {
            return NIL;
        }
        self.entry_mut(prev).next = next;
        self.entry_mut(next).prev = prev;
        if head == index { next } else { head }
    }

    /// Returns the timer of `key` while it waits.
    fn find(&self, key: TimerKey) -> Option<&TimerEntry<T>> {
        let entry = self.entries.get(key.index as usize)?;
        (entry.item.is_some() && entry.generation == key.generation).then_some(entry)
    }

    fn entry(&self, index: u32) -> &TimerEntry<T> {
        self.entries
            .get(index as usize)
            .expect("a link points into the slab")
    }

    fn entry_mut(&mut self, index: u32) -> &mut TimerEntry<T> {
        self.entries
            .get_mut(index as usize)
            .expect("a link points into the slab")
    }

    /// Panics unless the counts and the list of vacant entries are right.
    fn validate(&self) {
        let live = self
            .entries
            .iter()
            .filter(|entry| entry.item.is_some())
            .count();
        assert_eq!(live, self.live, "occupied entries");
        let vacant = self.validate_list(self.free, &mut |entry| {
            assert!(
                entry.item.is_none(),
                "an occupied entry is in the list of vacant ones"
            );
        });
        assert_eq!(
            live + vacant,
            self.entries.len(),
            "every entry is occupied or in the free list"
        );
        if live == 0 {
            assert!(
                self.entries.capacity() <= SLAB_KEEP,
                "an empty slab keeps too much memory"
            );
        }
    }

    /// Panics unless the links of a list agree; shows each entry to `check` and counts them.
    fn validate_list(&self, head: u32, check: &mut impl FnMut(&TimerEntry<T>)) -> usize {
        let mut count = 0;
        let mut index = head;
        while index != NIL {
            let entry = self.entry(index);
            assert_eq!(
                self.entry(entry.next).prev,
                index,
                "the links of two neighbours disagree"
            );
            check(entry);
            count += 1;
            assert!(
                count <= self.entries.len(),
                "a list does not return to its head"
            );
            index = if entry.next == head { NIL } else { entry.next };
        }
        count
    }
}

impl<T> std::fmt::Debug for Wheel<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wheel")
            .field("now", &self.now())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
