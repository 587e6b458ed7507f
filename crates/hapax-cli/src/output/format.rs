//! [`OutputArgs`]: the options that every verb has, of how its results are written.

use clap::{Args, ValueEnum};

/// How results are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// How results are written, and keys in them.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Columns for people, or JSON lines for machines
    #[arg(long, value_enum, default_value_t = Format::Table, global = true, help_heading = "Output")]
    pub(crate) format: Format,

    /// Show every key in hexadecimal
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) key_hex: bool,
}
