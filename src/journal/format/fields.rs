//! [`Fields`]: takes fields of a fixed size from the front of bytes.

/// The bytes that are left. Their length was checked before.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .expect("the caller checked the length");
        self.0 = rest;
        *field
    }
}
