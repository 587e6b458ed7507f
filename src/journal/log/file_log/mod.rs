//! The log on plain files: a file for each segment, written from front to back.
//! What comes in: frames as bytes, and the directory that the files lie in.
//! It does not know what frames contain, nor the other kind of log.

pub(crate) mod file_kind;
pub(crate) mod file_log;
mod frame_offsets;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod header;
mod lead;
mod scan;
pub(crate) mod segment;
mod segment_writer;
#[cfg(test)]
mod tests;
