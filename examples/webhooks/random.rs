//! Chance that can be repeated: everything is drawn from the seed.

/// A small generator (splitmix64): the same seed gives the same numbers everywhere.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Drawn from the seed and a name, so that it does not depend on what was drawn before.
    pub(crate) fn named(seed: u64, name: &str) -> Self {
        Self(seed ^ digest(name.as_bytes()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; the bias of the remainder does not matter here.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in this many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < u64::from(percent)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let end = u64::try_from(last + 1).unwrap_or(u64::MAX);
            let other = usize::try_from(self.below(end)).unwrap_or(last);
            items.swap(last, other);
        }
    }
}

/// FNV-1a: a checksum, and a way to spend time on a body.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    digest_from(0xcbf2_9ce4_8422_2325, bytes)
}

/// As [`digest`], going on from another one.
pub(crate) fn digest_from(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |digest, byte| {
        (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
