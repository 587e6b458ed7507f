//! Stores over the reference backend: several processes in one test, on one clock, with a link that fails.

mod history;
mod link;
mod processes;
mod world;
