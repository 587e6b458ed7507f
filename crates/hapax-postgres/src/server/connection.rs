//! [`Connection`]: one session with a server.

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{Client, NoTls, Row as Tuple};

use crate::fault::{Fault, Trouble, connect_fault, trouble_of};
use crate::server::target::{Encryption, Target};
use crate::wire::columns::Param;

/// One session with a server.
pub(crate) struct Connection {
    client: Client,
    /// Moves bytes until the client goes.
    driver: JoinHandle<()>,
}

impl Connection {
    /// A new session, whatever server answers.
    pub(crate) async fn open(target: &Target) -> Result<Self, Fault> {
        let span = target.connect_timeout;
        match timeout(span, connect(target)).await {
            Ok(opened) => opened.map_err(|error| connect_fault(&error)),
            Err(_) => Err(Fault::unavailable(format!(
                "PostgreSQL did not answer within {span:?}"
            ))),
        }
    }

    /// Whether it has ended already.
    pub(crate) fn is_over(&self) -> bool {
        self.client.is_closed()
    }

    /// Sends one statement in one round trip.
    pub(crate) async fn rows(
        &self,
        text: &str,
        params: &[Param<'_>],
        until: Instant,
    ) -> Result<Vec<Tuple>, Trouble> {
        match timeout_at(until, self.client.query_typed(text, params)).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(trouble_of(&error)),
            Err(_) => Err(Trouble::Lost(
                "PostgreSQL did not answer before the deadline of the call".to_owned(),
            )),
        }
    }

    /// Sends statements without parameters.
    pub(crate) async fn batch(&self, text: &str, until: Instant) -> Result<(), Trouble> {
        match timeout_at(until, self.client.batch_execute(text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(trouble_of(&error)),
            Err(_) => Err(Trouble::Lost(
                "PostgreSQL did not answer before the deadline of the call".to_owned(),
            )),
        }
    }

    /// Drops the socket at once. What it carries may be carried out all the same.
    pub(crate) fn cut(self) {
        self.driver.abort();
    }

    /// Says good-bye.
    pub(crate) async fn close(self) {
        let Self { client, driver } = self;
        drop(client);
        let _ended = driver.await;
    }
}

async fn connect(target: &Target) -> Result<Connection, tokio_postgres::Error> {
    let (client, driver) = match &target.encryption {
        Encryption::None => {
            let (client, connection) = target.config.connect(NoTls).await?;
            (client, tokio::spawn(drive(connection)))
        }
        #[cfg(feature = "tls")]
        Encryption::Tls(tls) => {
            let (client, connection) = target.config.connect(tls.clone()).await?;
            (client, tokio::spawn(drive(connection)))
        }
    };
    Ok(Connection { client, driver })
}

/// Moves the bytes of a connection until its client goes.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    // The client hears of its end too.
    let _ended = connection.await;
}
