//! [`Slot`]: what a shard knows of a key, in 24 bytes.

use crate::value::digest::Digest;
use crate::value::locator::Locator;
use crate::value::time::NEVER;

use crate::state::slab::SlabRef;

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
    /// In the slab: a holder runs it.
    Running(SlabRef),
    /// In the journal.
    Settled(Settled, Locator),
}

/// One key: 24 bytes, as six words: three of the digest, two of the place, the expiry.
///
/// A place is four bits of state, then either a locator (44 bits of frame, 16 of offset) or a slab
/// reference (32 bits of index, 28 of generation). All words zero is no slot at all, so that a new
/// table is memory that was never touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot([u32; 6]);

const _: () = assert!(size_of::<Slot>() == 24, "a settled key costs 24 bytes");

/// One more than the greatest number of a state.
pub(super) const STATE_NUMBERS: usize = 7;

const RUNNING: u64 = 1;
const COMPLETED: u64 = 2;
const FAILED: u64 = 3;
const IN_DOUBT: u64 = 4;
const RELEASED: u64 = 5;
const FORGOTTEN: u64 = 6;

impl Slot {
    #[inline]
    pub(crate) fn new(digest: Digest, place: Place, expires_at: u32) -> Self {
        let [a, b, c] = digest.words;
        let [low, high] = pack(place);
        Self([a, b, c, low, high, expires_at])
    }

    #[inline]
    pub(super) fn from_words(words: [u32; 6]) -> Self {
        Self(words)
    }

    #[inline]
    pub(super) fn words(self) -> [u32; 6] {
        self.0
    }

    #[inline]
    pub(crate) fn place(&self) -> Place {
        let [_, _, _, low, high, _] = self.0;
        unpack([low, high])
    }

    /// A small number for each state, never zero.
    #[inline]
    pub(super) fn state_number(words: &[u32; 6]) -> usize {
        // Four bits, which fit any word.
        (words[3] & 0xf) as usize
    }

    #[inline]
    pub(crate) fn expires_at(&self) -> u32 {
        self.0[5]
    }

    #[inline]
    pub(super) fn is_forgotten(&self) -> bool {
        Self::state_number(&self.0) == Settled::Forgotten.state_number()
    }

    #[inline]
    pub(crate) fn is_expired(&self, store_secs: u32) -> bool {
        self.expires_at() != NEVER && self.expires_at() <= store_secs
    }
}

#[inline]
fn pack(place: Place) -> [u32; 2] {
    let bits = match place {
        Place::Running(at) => RUNNING | u64::from(at.index) << 4 | u64::from(at.generation) << 36,
        Place::Settled(settled, locator) => {
            number(settled) | u64::from(locator.offset) << 4 | locator.frame << 20
        }
    };
    let bytes = bits.to_le_bytes();
    let [a, b, c, d, e, f, g, h] = bytes;
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

#[inline]
fn number(settled: Settled) -> u64 {
    match settled {
        Settled::Completed => COMPLETED,
        Settled::Failed => FAILED,
        Settled::InDoubt => IN_DOUBT,
        Settled::Released => RELEASED,
        Settled::Forgotten => FORGOTTEN,
    }
}

impl Settled {
    /// The number of the slots that say so.
    #[inline]
    pub(super) fn state_number(self) -> usize {
        usize::try_from(number(self)).expect("four bits fit")
    }
}

#[inline]
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

#[cfg(test)]
mod tests {
    use super::{Place, Settled, pack, unpack};
    use crate::state::slab::SlabRef;
    use crate::value::locator::Locator;

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
                assert_ne!(pack(place), [0, 0], "no place looks like an empty slot");
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
            assert_ne!(pack(Place::Running(at)), [0, 0]);
        }
    }
}
