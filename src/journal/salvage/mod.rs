//! Salvage: which frames are left of a journal, and which of them count.
//! What comes in: a store that may be damaged anywhere, as raw bytes.
//! It does not know what records mean. Unlike recovery it goes on past damage; like recovery it trusts
//! only checksums, and it knows of every gap.

mod arrangement;
mod contradictions;
mod inventory;
mod piece;

pub(crate) use crate::journal::salvage::arrangement::Arrangement;
pub(crate) use crate::journal::salvage::inventory::{Inventory, take_inventory};
pub(crate) use crate::journal::salvage::piece::Piece;
