//! `get`: one key, with all that is known of it.

use clap::Args;
use hapax::{KeyInfo, State};

use crate::choice::KeyBytes;
use crate::escaped;
use crate::opening::{NamespaceArgs, StoreArgs};
use crate::row::Row;
use crate::screen::Screen;
use crate::span;
use crate::trouble::{Outcome, Result};

/// The options of `get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The key
    #[arg(value_parser = escaped::parse_key)]
    key: KeyBytes,

    #[command(flatten)]
    namespace: NamespaceArgs,

    /// Show the response, the error or the checkpoint too
    #[arg(long)]
    body: bool,

    /// With --body: at most this many characters of it in a table
    #[arg(long, value_name = "CHARS", default_value_t = 1000)]
    length: usize,

    /// Write the bytes of the response, the error or the checkpoint as they are, and nothing else
    #[arg(long, conflicts_with = "body")]
    raw: bool,
}

pub(crate) fn run(args: &GetArgs, screen: &mut Screen) -> Result<Outcome> {
    let store = args.store.read()?;
    let namespace = args.namespace.open(&store)?;
    let Some(info) = namespace.get(&args.key)? else {
        if !args.raw {
            screen.record(&absent(namespace.name(), &args.key, screen.key_hex()))?;
        }
        return Ok(Outcome::Found);
    };
    if args.raw {
        screen.raw(info.body())?;
        return Ok(Outcome::Done);
    }
    screen.record(&row(&info, args, store.stats().store_secs(), screen))?;
    Ok(Outcome::Done)
}

fn absent(namespace: &str, key: &[u8], key_hex: bool) -> Row {
    Row::new()
        .text("namespace", namespace)
        .key(key, key_hex)
        .named_state("state", None)
}

fn row(info: &KeyInfo, args: &GetArgs, now_secs: u64, screen: &Screen) -> Row {
    let age_secs = now_secs.saturating_sub(info.recorded_at());
    let row = Row::new()
        .text("namespace", info.namespace())
        .key(info.key(), screen.key_hex())
        .state(info.state())
        .text("token", &info.token().to_string())
        .number("attempt", u64::from(info.attempt()))
        .moment("first_claimed_at", Some(info.first_claimed_at()))
        .moment("recorded_at", Some(info.recorded_at()))
        .span("age_secs", age_secs)
        .moment("expires_at", info.expires_at())
        .bytes("reason", "reason_base64", info.reason())
        .bytes("metadata", "metadata_base64", info.metadata());
    let row = match info.fingerprint() {
        Some(fingerprint) => {
            let labels: Vec<&str> = fingerprint.labels().collect();
            row.only_table("fingerprint", labels.join(", "))
                .only_json("fingerprint_scheme", fingerprint.scheme())
                .only_json("fingerprint_labels", labels)
        }
        None => row
            .only_table("fingerprint", "-")
            .only_json("fingerprint_scheme", serde_json::Value::Null)
            .only_json("fingerprint_labels", serde_json::Value::Null),
    };
    body(row, info, args)
}

/// What the body of a key in this state is.
pub(crate) fn body_kind(state: State) -> &'static str {
    match state {
        State::Completed => "response",
        State::Failed => "error",
        _ => "checkpoint",
    }
}

fn body(row: Row, info: &KeyInfo, args: &GetArgs) -> Row {
    let kind = body_kind(info.state());
    let bytes = u64::try_from(info.body().len()).unwrap_or(u64::MAX);
    let hint = if args.body || bytes == 0 {
        ""
    } else {
        " (--body or --raw shows it)"
    };
    let size = if info.body_omitted() {
        "left out: it was over its limit".to_owned()
    } else {
        format!("{}{hint}", span::size(bytes))
    };
    let row = row
        .only_table(kind, size)
        .only_json("body_kind", kind)
        .only_json("body_bytes", bytes)
        .only_json("body_omitted", info.body_omitted());
    if !args.body {
        return row;
    }
    row.only_table("body", escaped::cut(info.body(), args.length))
        .json_bytes("body", "body_base64", info.body())
}
