//! [`Fields`]: takes fields of a fixed size from the front of bytes.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The bytes that are left. Their length was checked before.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The fields between a magic and the checksum of all before it. `None` if there are not so many bytes, or if either
    /// is another.
    pub(crate) fn checked(bytes: &'a [u8], length: usize, magic: [u8; 8]) -> Option<Self> {
        let (covered, checksum) = bytes.split_last_chunk::<8>()?;
        let fields = covered.strip_prefix(&magic)?;
        let is_whole = bytes.len() == length && *checksum == xxh3_64(covered).to_le_bytes();
        is_whole.then_some(Self(fields))
    }

    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .expect("the caller checked the length");
        self.0 = rest;
        *field
    }
}

/// The checksum of a header and the bytes behind it.
pub(crate) fn checksum(header: &[u8], behind: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(header);
    hasher.update(behind);
    hasher.digest()
}
