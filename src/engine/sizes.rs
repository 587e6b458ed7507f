//! Sizes in memory as numbers of 64 bits.

pub(crate) fn to_u64(value: usize) -> u64 {
    u64::try_from(value).expect("a size fits 64 bits")
}
