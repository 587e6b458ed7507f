//! Which tests there are, and what each needs: the table, and the macro that makes tests of it.
//! What comes in: a world.
//! It knows the names of tests, and nothing of what they do.

pub(crate) mod case;
pub(crate) mod conformance;
pub(crate) mod run;
pub(crate) mod table;
