//! The schema of a store: its migrations, and whether a server has it as this program expects it.
//! What comes in: a connection. Migrations run under one lock, each once.
//! It knows no row.

pub(crate) mod check;
pub(crate) mod migration;
