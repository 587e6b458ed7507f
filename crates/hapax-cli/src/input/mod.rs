//! What a verb gets: a store, a namespace, keys and an actor from the command line, and lines from files.
//! May come in: arguments, and the files that they name.
//! Must not know: verbs, and what they do with the keys.

pub(crate) mod action_args;
pub(crate) mod json_file;
pub(crate) mod json_member;
pub(crate) mod key_choice;
pub(crate) mod namespace_args;
pub(crate) mod state_name;
pub(crate) mod store_args;
