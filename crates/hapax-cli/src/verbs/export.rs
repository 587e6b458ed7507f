//! `export`: writes namespaces, then keys, as JSON lines, and an end line that shows that none is missing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use hapax::{KeyInfo, Store};
use serde_json::Value;

use crate::input::key_choice::KeyChoice;
use crate::input::store_args::StoreArgs;
use crate::notation::count::counted;
use crate::notation::json_line;
use crate::outcome::Outcome;
use crate::output::body_kind::body_kind;
use crate::output::progress_bar::ProgressBar;
use crate::output::row::Row;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::export_end::ExportEnd;
use crate::verbs::verb::Verb;

/// The options of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    choice: KeyChoice,

    /// Write to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Verb for ExportArgs {
    fn run(&self, screen: &mut Screen) -> Result<Outcome> {
        let store = self.store.read()?;
        let mut bar = ProgressBar::new("writing");
        let total = store.stats().keys();
        let keys = self.choice.keys(&store, &[])?;
        let mut lines = head(&store, self.choice.namespace().namespace.as_deref())?;
        let mut file = self.output.as_ref().map(Output::create).transpose()?;
        let mut ending = ExportEnd::default();
        let mut write = |line: &str| match &mut file {
            Some(file) => file.line(line).map(|()| true),
            None => screen.line(line).map(|()| !screen.is_unread()),
        };
        for line in lines.drain(..) {
            ending.add(line.as_bytes());
            write(&line)?;
        }
        let (mut count, mut goes_on) = (0, true);
        for info in keys {
            let line = key(&info?);
            ending.add(line.as_bytes());
            goes_on = write(&line)?;
            count += 1;
            bar.keys(count, total);
            if !goes_on {
                break;
            }
        }
        if goes_on {
            write(&ending.line())?;
        }
        drop(bar);
        if let Some(file) = file {
            file.close()?;
        }
        screen.note(&counted(count, "key"));
        Ok(Outcome::Done)
    }
}

/// The file that an export writes to.
struct Output {
    path: PathBuf,
    out: BufWriter<File>,
    /// Whether the export is complete.
    is_whole: bool,
}

impl Drop for Output {
    /// Removes an incomplete export, which looks like a complete one of fewer keys.
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Output {
    fn create(path: &PathBuf) -> Result<Self> {
        let mut options = File::options();
        options.write(true).create_new(true);
        // Only the owner may read the keys in it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let made = options.open(path);
        let file = made.map_err(Trouble::file(format!("making {}", path.display())))?;
        Ok(Self {
            path: path.clone(),
            out: BufWriter::new(file),
            is_whole: false,
        })
    }

    fn line(&mut self, line: &str) -> Result<()> {
        writeln!(self.out, "{line}")
            .map_err(Trouble::file(format!("writing {}", self.path.display())))
    }

    /// Syncs the file to the medium.
    fn close(mut self) -> Result<()> {
        let written = self.out.flush();
        written
            .and_then(|()| self.out.get_ref().sync_all())
            .map_err(Trouble::file(format!("writing {}", self.path.display())))?;
        self.is_whole = true;
        Ok(())
    }
}

/// The lines before the keys.
fn head(store: &Store, only: Option<&str>) -> Result<Vec<String>> {
    let version = [("type", Value::from("export")), ("version", Value::from(1))];
    let mut lines = vec![json_line::object(&version)];
    for name in store.namespaces() {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let namespace = store.open_namespace(&name)?;
        let policy = serde_json::to_value(namespace.policy()).map_err(|error| {
            Trouble::Refused(format!("the policy of {name} cannot be written: {error}"))
        })?;
        let fields = [
            ("type", Value::from("namespace")),
            ("namespace", Value::from(name)),
            ("policy", policy),
        ];
        lines.push(json_line::object(&fields));
    }
    Ok(lines)
}

fn key(info: &KeyInfo) -> String {
    let row = Row::new()
        .only_json("type", "key")
        .only_json("namespace", info.namespace())
        .bare_key(info.key(), false)
        .state(info.state())
        .only_json("token", info.token().to_string())
        .only_json("attempt", info.attempt())
        .moment("first_claimed_at", Some(info.first_claimed_at()))
        .moment("recorded_at", Some(info.recorded_at()))
        .moment("expires_at", info.expires_at())
        .json_bytes("reason", "reason_base64", info.reason())
        .json_bytes("metadata", "metadata_base64", info.metadata())
        .only_json("body_kind", body_kind(info.state()))
        .only_json("body_omitted", info.body_omitted())
        .json_bytes("body", "body_base64", info.body());
    row.json()
}
