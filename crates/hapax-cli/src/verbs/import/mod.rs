//! `import`: reads keys from JSON lines into a store.
//! May come in: a file from `export`, or one that was cut or written by hand, and the store.
//! Must not know: how `export` writes keys, except for its end line.

mod completeness;
mod export_line;
mod import_args;
mod key_import;
mod tally;

pub(crate) use import_args::ImportArgs;
