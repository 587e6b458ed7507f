//! The directory of a store: its small files, the lock on it, and the names of everything in it.
//! What comes in: the path that a caller gives, and the bytes of the small files.
//! It does not know how a log writes its segments, only what their names are.

pub(crate) mod anchored_path;
pub(crate) mod archives;
pub(crate) mod contents;
pub(crate) mod directory;
pub(crate) mod directory_options;
pub(crate) mod files;
pub(crate) mod holder;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod marks_file;
pub(crate) mod open_failure;
pub(crate) mod read_only_directory;
pub(crate) mod reserve;
pub(crate) mod segment_name;
pub(crate) mod standard_streams;
pub(crate) mod unfinished;
