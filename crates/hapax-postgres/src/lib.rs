//! A hapax store on PostgreSQL: several processes share one set of keys, under the contract of the embedded store.
//!
//! ```no_run
//! use hapax::{Claim, Policy};
//! use hapax_postgres::Options;
//!
//! # fn main() -> hapax::Result<()> {
//! let options = Options::new().migrate(true).application_name("billing");
//! let store = hapax_postgres::connect("postgres://app:secret@db.internal/shop", &options)?;
//! let mail = store.namespace("welcome-mail", Policy::at_least_once())?;
//! if let Claim::Granted(lease) = mail.claim("user-7")? {
//!     lease.complete("sent")?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The server compares and sets whole rows, and its clock alone decides; hapax decides everything else, with the code
//! that the embedded store runs.
//!
//! # What it keeps
//!
//! - One winner per key while the history of the primary survives. With a synchronous standby nothing that was
//!   acknowledged is lost; an asynchronous failover may lose the newest changes.
//! - Tokens rise for the life of the store. A crash, a failover or a restored copy may set a sequence back, so each
//!   recovery of the server raises the upper half of the token first.
//! - A change without an answer is [`Unknown`](hapax::ErrorKind::Unknown); the same change sent again is recognised.
//!
//! # Limits
//!
//! PostgreSQL 14 or newer, at the isolation level read committed. Read replicas are refused.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `tls` | no | connections are encrypted, and the server's certificate is verified, where the URL says `sslmode=require` |
//!
//! Without the feature such a URL is refused. A URL that does not say so is not encrypted, with the feature or without.

mod call;
mod fault;
mod options;
mod postgres;
mod schema;
mod server;
mod wire;
mod work;

pub use call::ask::Swept;
pub use options::Options;
pub use postgres::{Postgres, backend, connect, migrate};
pub use schema::migration::MigrateReport;
