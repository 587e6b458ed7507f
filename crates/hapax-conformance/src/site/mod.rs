//! What the tests share: a store that is open in a world, and short ways to an answer of one kind.
//! What comes in: a world, policies and settings.
//! It tests nothing by itself.

pub(crate) mod site;

pub(crate) mod answers;
pub(crate) mod polls;
pub(crate) mod times;
