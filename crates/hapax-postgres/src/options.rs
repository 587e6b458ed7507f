//! [`Options`]: how a process uses its server.

use std::time::Duration;

use hapax::OpenOptions;

/// How a process uses its PostgreSQL server. The defaults fit a service of several replicas.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let options = hapax_postgres::Options::new()
///     .migrate(true)
///     .schema("billing_hapax")
///     .connections(8)
///     .statement_deadline(Duration::from_secs(10));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) migrate: bool,
    pub(crate) schema: String,
    pub(crate) connections: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_deadline: Duration,
    pub(crate) application_name: String,
    pub(crate) sweep: bool,
    pub(crate) store: OpenOptions,
    #[cfg(feature = "tls")]
    pub(crate) root_certificates: Option<std::sync::Arc<[u8]>>,
}

impl Options {
    /// The defaults: no migration, the schema `hapax`, 4 connections, 5 seconds to connect, 20 for a statement.
    #[must_use]
    pub fn new() -> Self {
        Self {
            migrate: false,
            schema: "hapax".to_owned(),
            connections: 4,
            connect_timeout: Duration::from_secs(5),
            statement_deadline: Duration::from_secs(20),
            application_name: "hapax".to_owned(),
            sweep: true,
            store: OpenOptions::new(),
            #[cfg(feature = "tls")]
            root_certificates: None,
        }
    }

    /// Creates or migrates the schema when the store is opened. Safe when several processes start at once.
    #[must_use]
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// The schema that has the tables of this store: lower-case letters, digits and `_`, at most 63 of them.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// How many connections this process uses, at least one. They are opened when they are needed.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How long one attempt to connect may take.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a call may stay without an answer. Then its connection is dropped, and what became of a change is
    /// unknown. No statement is ever cancelled: a cancelled commit may stand on the primary alone.
    #[must_use]
    pub fn statement_deadline(mut self, deadline: Duration) -> Self {
        self.statement_deadline = deadline;
        self
    }

    /// The name of these connections in `pg_stat_activity`.
    #[must_use]
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }

    /// Trusts these certificates, in PEM, and no others. Without them those of the system are trusted.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.root_certificates = Some(pem.as_ref().into());
        self
    }

    /// How the store is opened: its durability, limits, heartbeat, and how often it looks for callers that wait.
    #[must_use]
    pub fn store(mut self, options: OpenOptions) -> Self {
        self.store = options;
        self
    }

    /// Whether this process removes expired rows in the background. At least one process should.
    #[must_use]
    pub fn sweep(mut self, sweep: bool) -> Self {
        self.sweep = sweep;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
