//! Sizes in memory as numbers of 64 bits, and numbers as sizes.

#[inline]
pub(crate) fn to_u64(value: usize) -> u64 {
    u64::try_from(value).expect("a size fits 64 bits")
}

#[inline]
pub(crate) fn to_index(value: u32) -> usize {
    usize::try_from(value).expect("32 bits fit")
}
