//! One level of the wheel, and the arithmetic that finds a tick's level and slot.
//!
//! A tick is read as a number in base 64. Level `n` looks at digit `n` only, so the digit of a
//! deadline is its slot, and no slot ever wraps around: what the digits above do not share with
//! the current tick belongs to a higher level.

/// Bits of a tick that one level looks at.
const SLOT_BITS: usize = 6;

/// Slots of one level.
pub(super) const SLOTS: usize = 1 << SLOT_BITS;

/// Levels of a wheel, enough for every `u64`.
pub(super) const LEVELS: usize = 11;

/// The link that points nowhere: the head of an empty list.
pub(super) const NIL: u32 = u32::MAX;

/// The digit that names a slot, once a tick is shifted down to its level.
const SLOT_MASK: u64 = SLOTS as u64 - 1;

const _: () = assert!(
    SLOTS == u64::BITS as usize,
    "a slot is a bit of the occupancy bitmap"
);
const _: () = assert!(
    LEVELS * SLOT_BITS >= u64::BITS as usize,
    "the levels span all of u64"
);
const _: () = assert!(
    (LEVELS - 1) * SLOT_BITS < u64::BITS as usize,
    "no level is out of reach"
);

/// Where a timer waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TimerPlace {
    /// In the list of timers whose deadline has passed.
    Due,
    /// In one slot of one level.
    Slot {
        /// Invariant: less than [`LEVELS`].
        level: usize,
        /// Invariant: less than [`SLOTS`].
        slot: usize,
    },
}

/// The heads of 64 lists of timers, and which of them are not empty.
#[derive(Debug)]
pub(super) struct Level {
    /// Invariant: bit `n` is set if and only if `heads[n]` is not [`NIL`].
    occupied: u64,
    /// The first timer of each slot's list.
    heads: [u32; SLOTS],
}

impl Level {
    /// Creates a level with no timers.
    pub(super) fn new() -> Self {
        Self {
            occupied: 0,
            heads: [NIL; SLOTS],
        }
    }

    /// Replaces the list of `slot`; [`NIL`] empties it.
    pub(super) fn set_head(&mut self, slot: usize, head: u32) {
        // In bounds, here and below: a slot is a tick's digit, so it is less than SLOTS.
        self.heads[slot] = head;
        let bit = 1 << slot;
        if head == NIL {
            self.occupied &= !bit;
        } else {
            self.occupied |= bit;
        }
    }

    /// Empties the first occupied slot before `end` and returns the list that was in it.
    pub(super) fn take_first_before(&mut self, end: usize) -> Option<u32> {
        let slot = self.first().filter(|slot| *slot < end)?;
        let head = self.head(slot);
        self.set_head(slot, NIL);
        Some(head)
    }

    /// Returns the list of `slot`, [`NIL`] if it is empty.
    pub(super) fn head(&self, slot: usize) -> u32 {
        self.heads[slot]
    }

    /// Returns the first occupied slot.
    pub(super) fn first(&self) -> Option<usize> {
        (self.occupied != 0).then_some(self.occupied.trailing_zeros() as usize)
    }

    /// Returns whether no slot is occupied.
    pub(super) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Panics unless the bitmap agrees with the lists.
    pub(super) fn validate(&self) {
        for (slot, head) in self.heads.iter().enumerate() {
            let marked = self.occupied & (1 << slot) != 0;
            assert_eq!(
                marked,
                *head != NIL,
                "bit {slot} of the bitmap contradicts its list"
            );
        }
    }
}

/// Finds where a timer waits when the wheel stands at `now`.
///
/// It depends on nothing else, so a timer does not store its place.
pub(super) fn place(now: u64, deadline: u64) -> TimerPlace {
    if deadline <= now {
        return TimerPlace::Due;
    }
    let level = level_of(now, deadline);
    TimerPlace::Slot {
        level,
        slot: slot_of(deadline, level),
    }
}

/// Returns the level of the highest digit in which two ticks differ, 0 if they are equal.
pub(super) fn level_of(now: u64, tick: u64) -> usize {
    let highest_bit = ((now ^ tick) | 1).ilog2() as usize;
    highest_bit / SLOT_BITS
}

/// Returns the digit of `tick` that `level` looks at, always less than [`SLOTS`].
pub(super) fn slot_of(tick: u64, level: usize) -> usize {
    ((tick >> (level * SLOT_BITS)) & SLOT_MASK) as usize
}

/// Returns the first tick of a slot: the digits of `now` above the level, then `slot`, then zeros.
pub(super) fn slot_start(now: u64, level: usize, slot: usize) -> u64 {
    let shift = level * SLOT_BITS;
    (((now >> shift) & !SLOT_MASK) | slot as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::{LEVELS, Level, NIL, SLOTS, TimerPlace, level_of, place, slot_of, slot_start};

    #[test]
    fn the_highest_digit_that_differs_is_the_level() {
        assert_eq!(level_of(0, 0), 0);
        assert_eq!(level_of(0, 63), 0);
        assert_eq!(level_of(0, 64), 1);
        assert_eq!(level_of(63, 64), 1);
        assert_eq!(level_of(64, 127), 0);
        assert_eq!(level_of(0, 4095), 1);
        assert_eq!(level_of(0, 4096), 2);
        for level in 0..LEVELS {
            let first = 1 << (6 * level);
            assert_eq!(level_of(0, first), level);
            assert_eq!(level_of(u64::MAX, u64::MAX ^ first), level);
        }
        assert_eq!(level_of(0, u64::MAX), LEVELS - 1);
    }

    #[test]
    fn the_digit_is_the_slot() {
        assert_eq!(slot_of(0, 0), 0);
        assert_eq!(slot_of(65, 0), 1);
        assert_eq!(slot_of(65, 1), 1);
        assert_eq!(slot_of(u64::MAX, 0), SLOTS - 1);
        assert_eq!(slot_of(u64::MAX, LEVELS - 1), 15);
    }

    #[test]
    fn a_slot_starts_after_now_and_not_after_its_deadlines() {
        let ticks = [
            0,
            1,
            63,
            64,
            4095,
            4096,
            1 << 60,
            (1 << 60) - 1,
            u64::MAX - 1,
            u64::MAX,
        ];
        for now in ticks {
            for deadline in ticks {
                let TimerPlace::Slot { level, slot } = place(now, deadline) else {
                    assert!(deadline <= now);
                    continue;
                };
                let start = slot_start(now, level, slot);
                assert!(
                    now < start && start <= deadline,
                    "{now} < {start} <= {deadline}"
                );
                assert!(level > 0 || start == deadline, "level 0 is exact");
            }
        }
    }

    #[test]
    fn the_bitmap_follows_the_heads() {
        let mut level = Level::new();
        assert!(level.is_empty());
        for slot in [63, 0, 17] {
            level.set_head(slot, 5);
            level.validate();
        }
        assert_eq!((level.first(), level.head(17)), (Some(0), 5));
        assert_eq!(level.take_first_before(18), Some(5));
        assert_eq!(level.take_first_before(18), Some(5));
        assert_eq!(level.take_first_before(63), None);
        assert_eq!((level.first(), level.head(17)), (Some(63), NIL));
        assert_eq!(level.take_first_before(SLOTS), Some(5));
        assert!(level.is_empty());
        level.validate();
    }

    #[test]
    #[should_panic(expected = "bit 5 of the bitmap contradicts its list")]
    fn a_mark_without_a_list_is_noticed() {
        let mut level = Level::new();
        level.set_head(5, 1);
        level.validate();
        level.heads[5] = NIL;
        level.validate();
    }
}
