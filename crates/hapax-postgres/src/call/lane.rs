//! [`Lane`]: a connection that comes back after it broke.

use std::sync::Arc;
use std::time::Duration;

use hapax::ErrorKind;
use tokio::time::Instant;
use tokio_postgres::Row as Tuple;

use crate::fault::{Fault, Trouble};
use crate::schema::check;
use crate::schema::migration::FORMAT;
use crate::server::connection::Connection;
use crate::server::target::Target;
use crate::wire::columns::Param;
use crate::wire::statements::Statements;

/// How long a server is left alone after the first failure. It doubles with each one.
const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

/// How long a statement waits for a lock before the call tries again.
pub(crate) const LOCK_MS: i32 = 100;

/// How long before its deadline a call that met a lock gives up: another statement could wait past it, and then
/// nothing would be known of it.
const MARGIN: Duration = Duration::from_millis(250);

/// How long a call rests after a conflict in which nothing waited.
const REST: Duration = Duration::from_millis(5);

/// Which statement.
pub(crate) type Text = fn(&Statements) -> &str;

/// The last failure to connect, and until when it stands for the next ones.
struct Failure {
    fault: Fault,
    span: Duration,
    until: Instant,
}

/// A connection that comes back after it broke.
pub(crate) struct Lane {
    target: Arc<Target>,
    connection: Option<Connection>,
    failure: Option<Failure>,
}

impl Lane {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            connection: None,
            failure: None,
        }
    }

    /// Until when a call that begins now is answered.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.target.statement_deadline
    }

    /// Sends one statement, over a new connection where the last one is gone.
    pub(crate) async fn rows(
        &mut self,
        text: Text,
        params: &[Param<'_>],
        until: Instant,
    ) -> Result<Vec<Tuple>, Trouble> {
        let target = Arc::clone(&self.target);
        let connection = self.connected(until).await?;
        let found = connection
            .rows(text(&target.statements), params, until)
            .await;
        let leave = match &found {
            Err(Trouble::Lost(_)) => true,
            // A server that lost its role, say: the next connection may find the one that has it.
            Err(Trouble::Refused(fault)) => fault.kind == ErrorKind::Unavailable,
            _ => false,
        };
        if leave {
            self.cut();
        }
        found
    }

    /// As [`rows`](Self::rows), again after each conflict until the deadline.
    pub(crate) async fn rows_in_the_end(
        &mut self,
        text: Text,
        params: &[Param<'_>],
    ) -> Result<Vec<Tuple>, Trouble> {
        let until = self.deadline();
        loop {
            let found = self.rows(text, params, until).await;
            let Err(Trouble::Conflict(fault)) = found else {
                return found;
            };
            if !has_time(until) {
                return Err(Trouble::Conflict(fault));
            }
            rest().await;
        }
    }

    /// Raises the epoch of tokens after a recovery of the server.
    pub(crate) async fn settle_epoch(&mut self, until: Instant) -> Result<(), Trouble> {
        let done = self.rows(|all| &all.settle_epoch, &[], until).await;
        done.map(drop)
    }

    /// The connection, a new one if need be. After a failure it fails at once for a while: a server that starts is
    /// not helped by many who knock.
    pub(crate) async fn connected(&mut self, until: Instant) -> Result<&Connection, Trouble> {
        let usable = self.connection.as_ref().is_some_and(|held| !held.is_over());
        if !usable {
            self.connection = None;
            if let Some(failure) = &self.failure {
                if Instant::now() < failure.until {
                    return Err(Trouble::NotSent(failure.fault.clone()));
                }
            }
            match open(&self.target, until).await {
                Ok(connection) => {
                    self.failure = None;
                    self.connection = Some(connection);
                }
                Err(fault) => {
                    self.remember(fault.clone());
                    return Err(Trouble::NotSent(fault));
                }
            }
        }
        let connection = self.connection.as_ref();
        connection.ok_or_else(|| Trouble::NotSent(Fault::unavailable("there is no connection")))
    }

    fn remember(&mut self, fault: Fault) {
        let before = self.failure.as_ref();
        let span = before.map_or(BACK_OFF_FIRST, |failure| {
            (failure.span * 2).min(BACK_OFF_MAX)
        });
        self.failure = Some(Failure {
            fault,
            span,
            until: Instant::now() + span,
        });
    }

    /// Drops the connection: what it carries has no answer.
    fn cut(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.cut();
        }
    }

    /// Says good-bye to the server.
    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }
}

/// Whether a call that met a lock may send its statement again.
pub(crate) fn has_time(until: Instant) -> bool {
    Instant::now() + MARGIN < until
}

/// Waits a little for what a call met to end.
async fn rest() {
    tokio::time::sleep(REST).await;
}

/// A connection to a server that this program can use.
async fn open(target: &Target, until: Instant) -> Result<Connection, Fault> {
    let until = until.min(Instant::now() + target.connect_timeout);
    let connection = Connection::open(target).await?;
    let checked = async {
        check::server(&connection, until).await?;
        let format = check::format(&connection, target, until).await?;
        check::expect_format(format, FORMAT, &target.schema).map_err(Trouble::Refused)?;
        connection
            .rows(&target.statements.settle_epoch, &[], until)
            .await
    };
    match checked.await {
        Ok(_) => Ok(connection),
        // No change was sent, so nothing is unknown.
        Err(trouble) => Err(trouble.of_a_look()),
    }
}
