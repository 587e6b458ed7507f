<<<<<<< HEAD
//! [`Config`]: the options of a store and the policies of its namespaces, as a file has them.
//! What comes in: tables of any format that serde reads, and builders and policies to be explained.
//! It knows no store that is open, and no log.
=======
//! The configuration of a store: its options, its limits and the policies of its namespaces, as a file has them.
//! What comes in: values of serde, from whatever format a service uses; options in force, to be explained.
//! It opens nothing, and does not know where a file lies.
>>>>>>> 60b31ac (Leave every mod.rs of observe, sim and the configuration with names alone, and declare an option of a section once)

mod config;
mod explained;
mod form;
mod raw;
mod sections;
#[cfg(test)]
mod tests;

pub use crate::store::config::config::Config;
pub use crate::store::config::explained::{Explained, ExplainedOption, Source};
pub use crate::store::config::sections::{LimitsConfig, PolicyConfig, StoreConfig};
