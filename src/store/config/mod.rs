//! [`Config`]: the options of a store and the policies of its namespaces, as a file has them.
//! What comes in: tables of any format that serde reads, and the limits and policies that it explains.
//! It knows no store that is open, and no log.

mod config;
mod explained;
mod form;
mod raw;
mod sections;
#[cfg(test)]
mod tests;

pub use crate::store::config::config::Config;
pub use crate::store::config::explained::{Explained, ExplainedOption, OptionSource};
pub use crate::store::config::sections::{LimitsConfig, PolicyConfig, StoreConfig};
