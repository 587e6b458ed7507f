//! The verbs: a file for each, with its options, and a few files for what verbs share.
//! May come in: the options of a verb, and the screen.
//! Must not know: the command line as a whole.

pub(crate) mod accept_salvage;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod export;
pub(crate) mod export_end;
pub(crate) mod forget;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod in_doubt;
pub(crate) mod in_turn;
pub(crate) mod info;
pub(crate) mod man;
pub(crate) mod reconcile;
pub(crate) mod release;
pub(crate) mod resolution;
pub(crate) mod resolve;
pub(crate) mod restore;
pub(crate) mod salvage;
pub(crate) mod scan;
pub(crate) mod stat;
pub(crate) mod stuck;
pub(crate) mod verb;
pub(crate) mod verify;
