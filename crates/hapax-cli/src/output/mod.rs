//! What a verb shows: rows as columns or JSON on standard output, everything else on standard error.
//! May come in: values to show, and the options of the output.
//! Must not know: verbs, how a store is opened, and which keys are chosen.

pub(crate) mod body_kind;
pub(crate) mod change;
pub(crate) mod format;
pub(crate) mod progress_bar;
pub(crate) mod report;
pub(crate) mod row;
pub(crate) mod screen;
pub(crate) mod stderr;
pub(crate) mod table;
