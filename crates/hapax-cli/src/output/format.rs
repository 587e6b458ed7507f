//! [`OutputArgs`]: how results are written; options of every verb.

use clap::{Args, ValueEnum};

/// How results are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// The options of the output.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print columns for people, or JSON lines for machines
    #[arg(long, value_enum, default_value_t = Format::Table, global = true, help_heading = "Output")]
    pub(crate) format: Format,

    /// Show every key in hexadecimal
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) key_hex: bool,
}
