//! [`Tally`] and [`Problem`]: the results of an import.

use crate::output::row::Row;

/// How many keys had which result.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) imported: u64,
    pub(crate) there: u64,
    pub(crate) expired: u64,
    pub(crate) differ: u64,
    pub(crate) refused: u64,
}

impl Tally {
    /// Whether keys differ or were refused.
    pub(crate) fn has_problems(&self) -> bool {
        self.differ + self.refused > 0
    }

    pub(crate) fn row(&self, done: bool) -> Row {
        Row::new()
            .flag("done", done)
            .number("imported", self.imported)
            .number("there_already", self.there)
            .number("expired", self.expired)
            .number("differ", self.differ)
            .number("refused", self.refused)
    }
}

/// A key that was not imported, and why.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) line: u64,
    pub(crate) namespace: String,
    pub(crate) key: Vec<u8>,
    pub(crate) result: &'static str,
    pub(crate) text: String,
}

impl Problem {
    pub(crate) fn row(&self, key_hex: bool) -> Row {
        Row::new()
            .number("line", self.line)
            .text("namespace", &self.namespace)
            .key(&self.key, key_hex)
            .text("result", self.result)
            .text("text", &self.text)
    }
}
