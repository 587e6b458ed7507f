//! The thread of a backend: what waits, what is under way, and on which connection.
//! What comes in: calls of any thread. What queues up while statements are under way goes out together.
//! It knows no SQL.

pub(crate) mod queue;
pub(crate) mod sweeper;
pub(crate) mod worker;
