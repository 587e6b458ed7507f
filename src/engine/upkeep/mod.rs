//! What keeps a store in order: opening, compaction, backups, moves, salvage, the workers.
//! What comes in: the journal's segments and the clock.
//! It decides nothing about a key: it carries, copies or drops records as they are.

pub(crate) mod alarm;
pub(crate) mod backup;
pub(crate) mod closing;
pub(crate) mod compaction;
pub(crate) mod copying;
pub(crate) mod disk;
pub(crate) mod moving;
pub(crate) mod numbering;
pub(crate) mod pin;
pub(crate) mod recovery;
pub(crate) mod restore;
pub(crate) mod room;
pub(crate) mod salvage;
pub(crate) mod sweep;
pub(crate) mod threads;
pub(crate) mod timers;
pub(crate) mod verify;
pub(crate) mod workers;
