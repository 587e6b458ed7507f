//! What was found, as people and programs read it: a table, JSON, CSV and plots.

mod csv;
mod files;
mod json;
mod lines;
mod statistics;
mod svg;
mod table;

pub use self::lines::{Line, Report, Value, Verdict};
pub use self::statistics::Spread;

#[cfg(test)]
mod tests;
