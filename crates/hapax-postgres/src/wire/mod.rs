//! The bytes between a process and its server: changes as arrays, answers as rows, the text of statements.
//! What comes in: values of the seam. It sends nothing.
//! It knows no rule: a row is a row.

pub(crate) mod answers;
pub(crate) mod codes;
pub(crate) mod columns;
pub(crate) mod statements;
pub(crate) mod uuid;
