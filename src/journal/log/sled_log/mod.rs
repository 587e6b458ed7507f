//! The log on sled 0.34.7: a sled database for each segment. Only this folder names sled.
//! What comes in: frames as bytes, and the directory that the databases lie in.
//! It does not know what frames contain, nor the other kind of log.

pub(crate) mod db_file;
mod folder;
mod frame_index;
mod frame_stream;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub(crate) mod marker;
mod messages;
mod preconditions;
pub(crate) mod segment;
mod sled_call;
pub(crate) mod sled_log;
#[cfg(test)]
mod tests;
