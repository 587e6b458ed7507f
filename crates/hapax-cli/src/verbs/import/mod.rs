//! `import`: keys from JSON lines, as `export` wrote them.
//! May come in: a file that was exported, cut or written by hand, and a store to bring its keys into.
//! Must not know: how keys are exported, but for the last line, which says that a file is whole.

mod completeness;
mod export_line;
mod import_args;
mod key_import;
mod tally;

pub(crate) use import_args::ImportArgs;
