//! [`Target`]: which server, which schema, and how long to wait for it.

use std::time::Duration;

use hapax::ErrorKind;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::fault::Fault;
use crate::options::Options;
#[cfg(feature = "tls")]
use crate::server::tls::Tls;
use crate::wire::statements::Statements;

/// A schema has a name that needs no care in SQL.
const SCHEMA_LEN_MAX: usize = 63;

/// How long a connection may be quiet before the system asks whether its server is there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// Which server, which schema, and how long to wait for it.
pub(crate) struct Target {
    pub(crate) config: Config,
    pub(crate) encryption: Encryption,
    /// Quoted.
    pub(crate) schema: String,
    pub(crate) statements: Statements,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_deadline: Duration,
}

impl Target {
    /// Reads a URL or a connection string. No error shows any of it, because it may have the password.
    pub(crate) fn new(url: &str, options: &Options) -> Result<Self, Fault> {
        let invalid = |text: &str| Fault::new(ErrorKind::Invalid, text);
        // Whatever is encrypted is verified too, so the stricter modes are no other ones.
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        let url = url.replace("sslmode=verify-ca", "sslmode=require");
        let mut config: Config = url.parse().map_err(|_| {
            invalid(
                "the URL of the server is malformed: postgres://user:password@host:port/database",
            )
        })?;
        let encryption = match config.get_ssl_mode() {
            SslMode::Require => Encryption::demanded(options)?,
            _ => Encryption::None,
        };
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid("the URL names no server"));
        }
        if !is_plain(&options.schema) {
            return Err(invalid(
                "the name of the schema has lower-case letters, digits and _ only, and at most 63",
            ));
        }
        if config.get_application_name().is_none() {
            config.application_name(&options.application_name);
        }
        config.connect_timeout(options.connect_timeout);
        // A server that vanished is noticed before the next call would wait for it.
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.tcp_user_timeout(options.statement_deadline);
        // Of several hosts, only the primary is of use.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let schema = format!("\"{}\"", options.schema);
        Ok(Self {
            config,
            encryption,
            statements: Statements::of(&schema),
            schema,
            connect_timeout: options.connect_timeout,
            statement_deadline: options.statement_deadline,
        })
    }

    /// The hosts, for people.
    pub(crate) fn hosts(&self) -> String {
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let names: Vec<String> = self.config.get_hosts().iter().map(name).collect();
        names.join(",")
    }
}

/// Whether connections are encrypted: where the URL demands it, and nowhere else.
pub(crate) enum Encryption {
    None,
    #[cfg(feature = "tls")]
    Tls(Tls),
}

impl Encryption {
    #[cfg(feature = "tls")]
    fn demanded(options: &Options) -> Result<Self, Fault> {
        Tls::new(options.root_certificates.as_deref()).map(Self::Tls)
    }

    #[cfg(not(feature = "tls"))]
    fn demanded(_: &Options) -> Result<Self, Fault> {
        Err(Fault::new(
            ErrorKind::Unsupported,
            "the URL demands TLS: build hapax-postgres with its feature `tls`",
        ))
    }
}

fn is_plain(schema: &str) -> bool {
    let plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let starts = schema
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    starts && schema.len() <= SCHEMA_LEN_MAX && schema.bytes().all(plain)
}
