//! How keys, bytes, times and sizes are written for people, shells and JSON, and read back.
//! May come in: bytes, text and numbers.
//! Must not know: stores, verbs, screens and files.

pub(crate) mod count;
pub(crate) mod escaped;
pub(crate) mod json_line;
pub(crate) mod key_text;
pub(crate) mod shell;
pub(crate) mod size;
pub(crate) mod time;

#[cfg(test)]
mod tests;
