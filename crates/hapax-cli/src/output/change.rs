//! [`Change`]: how a verb changes a key, or would change it.

use hapax::KeyState;

use crate::output::row::Row;

/// The change of one key, made or proposed.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) action: &'static str,
    pub(crate) namespace: &'a str,
    pub(crate) key: &'a [u8],
    /// The state before; `None` means absent.
    pub(crate) state: Option<KeyState>,
    /// The state after; `None` means absent.
    pub(crate) becomes: Option<KeyState>,
    pub(crate) done: bool,
}

impl Change<'_> {
    pub(crate) fn row(&self, key_hex: bool) -> Row {
        Row::new()
            .text("action", self.action)
            .text("namespace", self.namespace)
            .key(self.key, key_hex)
            .named_state("state", self.state)
            .named_state("becomes", self.becomes)
            .flag("done", self.done)
    }
}
