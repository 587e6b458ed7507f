//! The bytes of records, frames, marks, the manifest, audit entries and the note of the log's kind.
//! What comes in: plain values to be written, or untrusted bytes of a medium.
//! It does no I/O, and it does not know what a key's state means.

pub(crate) mod audit;
pub(crate) mod bad_record;
pub(crate) mod codec;
pub(crate) mod fields;
pub(crate) mod frame;
#[cfg(test)]
mod golden;
pub(crate) mod log_kind_note;
pub(crate) mod manifest;
pub(crate) mod manifest_file;
pub(crate) mod marks;
