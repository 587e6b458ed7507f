//! What is known of each engine in each row.

use std::collections::BTreeMap;

use crate::rows::row::Measured;

/// What is known of one engine in one row.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// A measurement of each round.
    pub runs: Vec<Measured>,
    /// Why the cell has no figure.
    pub absent: Option<String>,
    /// Why one failed.
    pub failure: Option<String>,
}

/// By the names of row and engine.
pub type Cells = BTreeMap<(&'static str, &'static str), Cell>;
