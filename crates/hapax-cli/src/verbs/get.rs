//! `get`: shows one key, with everything known about it.

use clap::Args;
use hapax::KeyInfo;

use crate::input::namespace_args::NamespaceArgs;
use crate::input::store_args::StoreArgs;
use crate::notation::escaped;
use crate::notation::key_text::{self, KeyBytes};
use crate::notation::size;
use crate::notation::time;
use crate::outcome::Outcome;
use crate::output::body_kind::body_kind;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::Result;
use crate::verbs::verb::Verb;

/// The options of `get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// The key
    #[arg(value_parser = key_text::parse_key)]
    key: KeyBytes,

    #[command(flatten)]
    namespace: NamespaceArgs,

    /// Also show the response, the error or the checkpoint
    #[arg(long)]
    body: bool,

    /// With --body: show at most this many characters in a table
    #[arg(long, value_name = "CHARS", default_value_t = 1000)]
    length: usize,

    /// Write only the bytes of the response, the error or the checkpoint, as they are
    #[arg(long, conflicts_with = "body")]
    raw: bool,
}

impl Verb for GetArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let store = self.store.read()?;
        let namespace = self.namespace.open(&store)?;
        let Some(info) = namespace.get(&self.key)? else {
            if !self.raw {
                screen.record(&absent(namespace.name(), &self.key, screen.key_hex()))?;
            }
            return Ok(Outcome::Found);
        };
        if self.raw {
            screen.raw(info.body())?;
            return Ok(Outcome::Done);
        }
        screen.record(&row(
            &info,
            self,
            time::secs(store.stats().store_time()),
            screen,
        ))?;
        Ok(Outcome::Done)
    }
}

fn absent(namespace: &str, key: &[u8], key_hex: bool) -> Row {
    Row::new()
        .text("namespace", namespace)
        .key(key, key_hex)
        .named_state("state", None)
}

fn row(info: &KeyInfo, args: &GetArgs, now_secs: u64, screen: &Screen) -> Row {
    let age_secs = now_secs.saturating_sub(time::secs(info.recorded_at()));
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

fn body(row: Row, info: &KeyInfo, args: &GetArgs) -> Row {
    let kind = body_kind(info.state());
    let bytes = u64::try_from(info.body().len()).unwrap_or(u64::MAX);
    let hint = if args.body || bytes == 0 {
        ""
    } else {
        " (--body or --raw shows it)"
    };
    let size = if info.body_omitted() {
        "omitted: it exceeded its limit".to_owned()
    } else {
        format!("{}{hint}", size::size(bytes))
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
