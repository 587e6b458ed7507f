//! [`Table`]: one compact slot per key.

use hashbrown::HashTable;

use crate::clock::NEVER;
use crate::key::Digest;
use crate::record::Locator;

use super::slab::SlabRef;

/// What a settled slot says, without reading its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    Completed,
    Failed,
    InDoubt,
    Released,
    /// Removed; the slot stays until the removal is on the medium.
    Forgotten,
}

/// Where the state of a key is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the slab: someone runs it.
    Running(SlabRef),
    /// In the journal.
    Settled(Settled, Locator),
}

/// One key: 24 bytes.
///
/// Four bits of state, then either a locator (44 bits of frame, 16 of offset) or a slab reference
/// (32 bits of index, 28 of generation).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    digest: [u32; 3],
    place: [u32; 2],
    expires_at: u32,
}

const _: () = assert!(size_of::<Slot>() == 24, "a settled key costs 24 bytes");

const RUNNING: u64 = 0;
const COMPLETED: u64 = 1;
const FAILED: u64 = 2;
const IN_DOUBT: u64 = 3;
const RELEASED: u64 = 4;
const FORGOTTEN: u64 = 5;

impl Slot {
    pub(crate) fn new(digest: Digest, place: Place, expires_at: u32) -> Self {
        Self {
            digest: digest.words,
            place: pack(place),
            expires_at,
        }
    }

    pub(crate) fn place(&self) -> Place {
        unpack(self.place)
    }

    pub(crate) fn expires_at(&self) -> u32 {
        self.expires_at
    }

    pub(crate) fn is_expired(&self, store_secs: u32) -> bool {
        self.expires_at != NEVER && self.expires_at <= store_secs
    }
}

fn pack(place: Place) -> [u32; 2] {
    let bits = match place {
        Place::Running(at) => RUNNING | u64::from(at.index) << 4 | u64::from(at.generation) << 36,
        Place::Settled(settled, locator) => {
            let state = match settled {
                Settled::Completed => COMPLETED,
                Settled::Failed => FAILED,
                Settled::InDoubt => IN_DOUBT,
                Settled::Released => RELEASED,
                Settled::Forgotten => FORGOTTEN,
            };
            state | u64::from(locator.offset) << 4 | locator.frame << 20
        }
    };
    let bytes = bits.to_le_bytes();
    let [a, b, c, d, e, f, g, h] = bytes;
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

fn unpack([low, high]: [u32; 2]) -> Place {
    let bits = u64::from(low) | u64::from(high) << 32;
    let masked = |shift: u32, mask: u64| bits >> shift & mask;
    let settled = match bits & 0xf {
        RUNNING => {
            let index = u32::try_from(masked(4, 0xffff_ffff)).expect("32 bits");
            let generation = u32::try_from(masked(36, 0x0fff_ffff)).expect("28 bits");
            return Place::Running(SlabRef { index, generation });
        }
        COMPLETED => Settled::Completed,
        FAILED => Settled::Failed,
        IN_DOUBT => Settled::InDoubt,
        RELEASED => Settled::Released,
        _ => Settled::Forgotten,
    };
    let offset = u16::try_from(masked(4, 0xffff)).expect("16 bits");
    Place::Settled(
        settled,
        Locator {
            frame: bits >> 20,
            offset,
        },
    )
}

/// The slots of one shard.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: HashTable<Slot>,
}

/// The hash for the table: digests are pseudo-random already.
fn hash([a, b, _]: [u32; 3]) -> u64 {
    u64::from(a) | u64::from(b) << 32
}

impl Table {
    pub(crate) fn get(&self, digest: Digest) -> Option<&Slot> {
        self.slots
            .find(hash(digest.words), |slot| slot.digest == digest.words)
    }

    /// Puts a slot in, in place of the one of the same digest. A table that would have to grow
    /// lets go of its expired slots first.
    pub(crate) fn put(&mut self, slot: Slot, store_secs: u32) {
        if let Some(there) = self
            .slots
            .find_mut(hash(slot.digest), |other| other.digest == slot.digest)
        {
            *there = slot;
            return;
        }
        if self.slots.len() == self.slots.capacity() {
            self.sweep(store_secs, 0);
        }
        self.slots
            .insert_unique(hash(slot.digest), slot, |slot| hash(slot.digest));
    }

    pub(crate) fn remove(&mut self, digest: Digest) -> Option<Slot> {
        let entry = self
            .slots
            .find_entry(hash(digest.words), |slot| slot.digest == digest.words);
        entry.ok().map(|entry| entry.remove().0)
    }

    /// Removes expired slots, and forgotten ones whose removal is durable. Gives their number.
    pub(crate) fn sweep(&mut self, store_secs: u32, durable: u64) -> usize {
        let before = self.slots.len();
        self.slots.retain(|slot| match slot.place() {
            Place::Running(_) => true,
            Place::Settled(Settled::Forgotten, locator) => locator.frame > durable,
            Place::Settled(..) => !slot.is_expired(store_secs),
        });
        let removed = before - self.slots.len();
        // Memory follows the live keys down, but not so closely that it has to grow again at once.
        if self.slots.capacity() > 1024 && self.slots.len() < self.slots.capacity() / 8 {
            self.slots
                .shrink_to(self.slots.len() * 2, |slot| hash(slot.digest));
        }
        removed
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// Bytes that the table occupies.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.allocation_size()
    }
}

#[cfg(test)]
impl Table {
    /// Slots that are compared with a digest to find its slot: those of the same hash bits, and the
    /// slot itself.
    pub(crate) fn comparisons(&self, digest: Digest) -> usize {
        let mut compared = 0;
        let _ = self.slots.find(hash(digest.words), |slot| {
            compared += 1;
            slot.digest == digest.words
        });
        compared
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Settled, pack, unpack};
    use crate::record::Locator;
    use crate::state::slab::SlabRef;

    #[test]
    fn a_place_survives_packing_at_its_limits() {
        for settled in [
            Settled::Completed,
            Settled::Failed,
            Settled::InDoubt,
            Settled::Released,
            Settled::Forgotten,
        ] {
            for locator in [
                Locator {
                    frame: 0,
                    offset: 0,
                },
                Locator {
                    frame: (1 << 44) - 1,
                    offset: u16::MAX,
                },
                Locator {
                    frame: 1 << 43,
                    offset: 1,
                },
            ] {
                let place = Place::Settled(settled, locator);
                assert_eq!(unpack(pack(place)), place);
            }
        }
        for at in [
            SlabRef {
                index: 0,
                generation: 0,
            },
            SlabRef {
                index: u32::MAX,
                generation: (1 << 28) - 1,
            },
        ] {
            assert_eq!(unpack(pack(Place::Running(at))), Place::Running(at));
        }
    }
}
