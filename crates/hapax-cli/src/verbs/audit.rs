//! `audit`: shows who did what to which key and why, and checks the log for tampering.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use hapax::ErrorKind;
use hapax::audit::{AuditEntry, AuditFilter, AuditHead, Origin};
use serde_json::Value;

use crate::input::namespace_args::NamespaceArgs;
use crate::input::store_args::StoreArgs;
use crate::notation::key_text::{self, KeyBytes};
use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::verb::Verb;

/// The options of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List entries, oldest first
    List(ListArgs),
    /// Check that no entry was changed, removed or inserted
    Verify(VerifyArgs),
}

/// The options of `audit list`.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// Only entries of this namespace
    #[command(flatten)]
    namespace: NamespaceArgs,

    /// Only entries of this key
    #[arg(long, value_parser = key_text::parse_key)]
    key: Option<KeyBytes>,

    /// Only entries from this moment on
    #[arg(long, value_name = "MOMENT", value_parser = time::parse_moment)]
    since: Option<SystemTime>,

    /// Only entries before this moment
    #[arg(long, value_name = "MOMENT", value_parser = time::parse_moment)]
    until: Option<SystemTime>,

    /// Only entries of operators
    #[arg(long)]
    operators: bool,
}

/// The options of `audit verify`.
#[derive(Debug, Args)]
struct VerifyArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// A head noted earlier: also checks the entries up to it
    #[arg(long, value_name = "NUMBER:LINK")]
    against: Option<AuditHead>,
}

impl Verb for AuditArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        match &self.what {
            What::List(args) => list(args, screen),
            What::Verify(args) => verify(args, screen),
        }
    }
}

fn list(args: &ListArgs, screen: &mut Screen) -> Result<Outcome> {
    let store = args.store.read()?;
    let mut filter = AuditFilter::new();
    if let Some(key) = &args.key {
        filter = filter.namespace(args.namespace.name(&store)?).key(key);
    } else if let Some(name) = &args.namespace.namespace {
        filter = filter.namespace(name.clone());
    }
    if let Some(since) = args.since {
        filter = filter.from(since);
    }
    if let Some(until) = args.until {
        filter = filter.before(until);
    }
    if args.operators {
        filter = filter.origin(Origin::Operator);
    }
    let key_hex = screen.key_hex();
    let entries = store.audit(filter)?;
    let count = screen.list(entries.map(|entry| Ok(row(&entry?, key_hex))))?;
    screen.note(&format!("{count} entries"));
    Ok(Outcome::Done)
}

fn row(entry: &AuditEntry, key_hex: bool) -> Row {
    let row = Row::new()
        .number("number", entry.number())
        .moment("at", Some(entry.at()))
        .text("transition", entry.transition().name())
        .optional_text("namespace", entry.namespace());
    let digest = entry.key_digest().map(|digest| digest.to_string());
    // Shows a digest if the policy keeps no keys.
    let row = match entry.key() {
        Some(key) => row.key(key, key_hex),
        None => row
            .only_table("key", digest.as_deref().unwrap_or("-"))
            .only_json("key", Value::Null)
            .only_json("key_hex", Value::Null)
            .only_json("key_parts", Value::Null),
    };
    let digest_of = |digest: Option<u128>| digest.map(|digest| format!("{digest:032x}"));
    row.only_json("key_digest", digest)
        .optional_text(
            "token",
            entry.token().map(|token| token.to_string()).as_deref(),
        )
        .only_json("attempt", entry.attempt())
        .text("origin", origin(entry.origin()))
        .text("actor", entry.actor())
        .text("reason", entry.reason())
        .only_json("fingerprint_digest", digest_of(entry.fingerprint_digest()))
        .only_json("outcome_digest", digest_of(entry.outcome_digest()))
        .only_json("expires_at", time::moment(entry.expires_at()))
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Caller => "caller",
        Origin::Engine => "engine",
        Origin::Operator => "operator",
        _ => "other",
    }
}

fn verify(args: &VerifyArgs, screen: &mut Screen) -> Result<Outcome> {
    let store = args.store.read()?;
    let report = match args.against {
        Some(head) => store.verify_audit_against(head),
        None => store.verify_audit(),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) if error.kind() == ErrorKind::Damaged => {
            let row = Row::new()
                .text("verdict", "damaged")
                .text("place", &error.to_string());
            screen.record(&row)?;
            return Ok(Outcome::Found);
        }
        Err(error) => return Err(Trouble::from(error)),
    };
    // The link just before the first remaining entry can still be checked.
    let gone = |noted: AuditHead| noted.number().saturating_add(1) < report.first();
    let is_gone = args.against.is_some_and(gone);
    let against = args.against.map(|_| if is_gone { "gone" } else { "met" });
    let row = Row::new()
        .text("verdict", "whole")
        .number("entries", report.entries())
        .number("first", report.first())
        .number("archived", report.archived())
        .text("head", &report.head().to_string())
        .optional_text("against", against);
    screen.record(&row)?;
    if is_gone {
        screen.note(&format!(
            "the noted head cannot be checked: all entries before entry {} have expired, or were removed",
            report.first()
        ));
        return Ok(Outcome::Found);
    }
    screen.note("note the head elsewhere: later, --against finds changes to the entries up to it");
    Ok(Outcome::Done)
}
