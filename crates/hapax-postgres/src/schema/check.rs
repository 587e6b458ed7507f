//! Whether this server, and its schema, are ones that this program can use.

use hapax::ErrorKind;
use tokio::time::Instant;
use tokio_postgres::types::Type;

use crate::fault::{Fault, Trouble};
use crate::server::connection::Connection;
use crate::server::target::Target;

/// The first with scans of ranges of the heap, by which the sweeper goes.
const SERVER_VERSION_MIN: i32 = 140_000;

/// Refuses a server that takes no changes, or lacks what the statements use.
pub(crate) async fn server(connection: &Connection, until: Instant) -> Result<(), Trouble> {
    let text = "SELECT pg_is_in_recovery(), current_setting('server_version_num')::int, \
                current_setting('default_transaction_isolation')";
    let rows = connection.rows(text, &[], until).await?;
    let tuple = rows.first().ok_or_else(no_answer)?;
    let replica: bool = tuple.try_get(0).map_err(|_| no_answer())?;
    let version: i32 = tuple.try_get(1).map_err(|_| no_answer())?;
    let isolation: String = tuple.try_get(2).map_err(|_| no_answer())?;
    if replica {
        return Err(Trouble::NotSent(Fault::unavailable(
            "the server is a read replica, which may answer with the past: name its primary",
        )));
    }
    let unsupported = |text: String| Trouble::Refused(Fault::new(ErrorKind::Unsupported, text));
    if version < SERVER_VERSION_MIN {
        let major = version / 10_000;
        return Err(unsupported(format!(
            "the server is PostgreSQL {major}; hapax needs 14 or newer"
        )));
    }
    if isolation != "read committed" {
        return Err(unsupported(format!(
            "the isolation level is `{isolation}`; hapax needs `read committed`: ALTER ROLE .. SET \
             default_transaction_isolation = 'read committed'"
        )));
    }
    Ok(())
}

/// The format that the schema has; `None` where there is no store.
pub(crate) async fn format(
    connection: &Connection,
    target: &Target,
    until: Instant,
) -> Result<Option<i32>, Trouble> {
    let table = format!("{}.meta", target.schema);
    let text = "SELECT to_regclass($1) IS NOT NULL";
    let rows = connection
        .rows(text, &[(&table, Type::TEXT)], until)
        .await?;
    let is_there = rows.first().ok_or_else(no_answer)?.try_get(0);
    if !is_there.map_err(|_| no_answer())? {
        return Ok(None);
    }
    let rows = connection
        .rows(&target.statements.format, &[], until)
        .await?;
    let format = rows.first().ok_or_else(no_answer)?.try_get(0);
    Ok(Some(format.map_err(|_| no_answer())?))
}

/// Refuses a format that is not the one of this program.
pub(crate) fn expect_format(found: Option<i32>, known: i32, schema: &str) -> Result<(), Fault> {
    let remedy = "call `hapax_postgres::migrate`, or open it with `Options::migrate(true)`";
    match found {
        None => Err(Fault::new(
            ErrorKind::NotAStore,
            format!("there is no store in the schema {schema}: {remedy}"),
        )),
        Some(format) if format < known => Err(Fault::new(
            ErrorKind::Unsupported,
            format!("the schema {schema} has format {format}, this program has {known}: {remedy}"),
        )),
        Some(format) if format > known => Err(Fault::new(
            ErrorKind::Unsupported,
            format!(
                "the schema {schema} has format {format}, this program knows up to {known}: use a newer hapax"
            ),
        )),
        Some(_) => Ok(()),
    }
}

fn no_answer() -> Trouble {
    Trouble::Refused(Fault::damaged(
        "the server did not answer what it was asked",
    ))
}
