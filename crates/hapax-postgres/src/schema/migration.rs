//! The migrations of the schema, in order, each applied once.

use hapax::ErrorKind;
use tokio::time::Instant;
use tokio_postgres::types::Type;

use crate::fault::{Fault, Trouble};
use crate::schema::check;
use crate::server::connection::Connection;
use crate::server::target::Target;

/// Each brings the format from its place to the next one.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_rows.sql"),
    include_str!("../../migrations/0002_calls.sql"),
];

/// The format that this program reads and writes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "there are few migrations"
)]
pub(crate) const FORMAT: i32 = MIGRATIONS.len() as i32;

/// What a migration found and did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigrateReport {
    before: Option<i32>,
    format: i32,
}

impl MigrateReport {
    /// The format that was there; `None` where the schema was new.
    #[must_use]
    pub fn before(&self) -> Option<i32> {
        self.before
    }

    /// The format that is there now.
    #[must_use]
    pub fn format(&self) -> i32 {
        self.format
    }

    /// Whether anything was changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.before != Some(self.format)
    }
}

/// Brings the schema to the format of this program, in one transaction. One process at a time does.
pub(crate) async fn migrate(
    connection: &Connection,
    target: &Target,
    until: Instant,
) -> Result<MigrateReport, Trouble> {
    connection
        .batch("BEGIN ISOLATION LEVEL READ COMMITTED", until)
        .await?;
    match apply(connection, target, until).await {
        Ok(report) => {
            connection.batch("COMMIT", until).await?;
            Ok(report)
        }
        Err(trouble) => {
            // Where this fails, the connection goes, and the transaction with it.
            let _rolled_back = connection.batch("ROLLBACK", until).await;
            Err(trouble)
        }
    }
}

async fn apply(
    connection: &Connection,
    target: &Target,
    until: Instant,
) -> Result<MigrateReport, Trouble> {
    let text = "SELECT pg_advisory_xact_lock(hashtextextended('hapax ' || $1, 0))";
    let schema = &target.schema;
    connection
        .rows(text, &[(schema, Type::TEXT)], until)
        .await?;
    let before = check::format(connection, target, until).await?;
    if before.is_some_and(|format| format > FORMAT) {
        let refusal = check::expect_format(before, FORMAT, schema);
        return Err(refusal.map_or_else(Trouble::Refused, |()| unexpected()));
    }
    if before.is_none() {
        create_schema(connection, schema, until).await?;
    }
    let done = usize::try_from(before.unwrap_or(0)).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        let text = migration.replace("{schema}", schema);
        connection.batch(&text, until).await?;
    }
    let text = format!("UPDATE {schema}.meta SET format = {FORMAT} WHERE format <> {FORMAT}");
    connection.batch(&text, until).await?;
    Ok(MigrateReport {
        before,
        format: FORMAT,
    })
}

/// An operator may have made the schema already, for a role that may not.
async fn create_schema(
    connection: &Connection,
    schema: &str,
    until: Instant,
) -> Result<(), Trouble> {
    let text = "SELECT to_regnamespace($1) IS NOT NULL";
    let rows = connection
        .rows(text, &[(&schema, Type::TEXT)], until)
        .await?;
    let is_there = rows.first().and_then(|tuple| tuple.try_get(0).ok());
    if is_there != Some(true) {
        let text = format!("CREATE SCHEMA {schema}");
        connection.batch(&text, until).await?;
    }
    Ok(())
}

fn unexpected() -> Trouble {
    Trouble::Refused(Fault::new(
        ErrorKind::Unsupported,
        "the format of the schema changed while it was read",
    ))
}
