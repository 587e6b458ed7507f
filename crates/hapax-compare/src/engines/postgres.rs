//! `PostgreSQL`, over a Unix socket: `INSERT .. ON CONFLICT DO NOTHING`, `UPDATE`, prepared.

use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::{Client, Config, NoTls, Statement};

use crate::engine::keys::{Key, PAIR_BYTES, claim_record, response};
use crate::engine::{Durability, Engine, Entry, KeyValue, Kind, Place, Role, Session};
use crate::host::server::{Server, Signal, User, find_program};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "postgres",
    label: "PostgreSQL",
    role: Role::Peer,
    kind: Kind::Server,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "synchronous_commit = off; 8 connections",
    sync: "synchronous_commit = on; a connection for each caller",
    only: &[],
    callers: 8,
    missing,
    open,
    serve: Some(serve),
};

const USER: &str = "hapax";
const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS keys (key bytea PRIMARY KEY, record bytea NOT NULL)";
const INSERT: &str = "INSERT INTO keys VALUES ($1, $2) ON CONFLICT DO NOTHING";
const REPLACE: &str = "UPDATE keys SET record = $2 WHERE key = $1";
const READ: &str = "SELECT record FROM keys WHERE key = $1";
const INSERT_ALL: &str =
    "INSERT INTO keys SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING";
const REPLACE_ALL: &str = "UPDATE keys SET record = new.record \
     FROM unnest($1::bytea[], $2::bytea[]) AS new (key, record) WHERE keys.key = new.key";

/// Where distributions put the programs that only the server's own user runs; newest first.
fn folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = versions.flatten().map(|version| version.path()).collect();
    found.sort();
    found.iter().rev().map(|path| path.join("bin")).collect()
}

fn missing() -> Option<String> {
    let folders = folders();
    let found = |name| find_program(name, &folders).is_some();
    let both = found("postgres") && found("initdb");
    (!both).then(|| "not installed: no postgres and initdb".to_owned())
}

fn serve(dir: &Path, durability: Durability) -> Outcome<Server> {
    let folders = folders();
    let user = User::instead_of_root(&["postgres", "nobody"])?;
    let home = dir.join("postgres");
    std::fs::create_dir(&home)?;
    if let Some(user) = user {
        user.give(&home)?;
    }
    let data = home.join("data");
    let command = |name: &str| {
        let program = find_program(name, &folders).ok_or("PostgreSQL is not installed");
        program.map(|program| {
            let mut command = Command::new(program);
            command.current_dir(&home).arg("-D").arg(&data);
            if let Some(user) = user {
                user.run_as(&mut command);
            }
            command
        })
    };
    let made = command("initdb")?
        .args([
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ])
        .output()?;
    if !made.status.success() {
        return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
    }
    let commit = match durability {
        Durability::Interval => "synchronous_commit=off",
        Durability::Sync => "synchronous_commit=on",
    };
    let mut serving = command("postgres")?;
    serving
        .arg("-k")
        .arg(&home)
        .args(["-c", "listen_addresses="]);
    for setting in [
        commit,
        "max_connections=100",
        "shared_buffers=512MB",
        "max_wal_size=8GB",
    ] {
        serving.args(["-c", setting]);
    }
    // Its immediate end: a kill would leave its processes and its shared memory behind.
    let (log, end) = (dir.join("postgres.log"), Signal::QUIT);
    Server::start(serving, home, &log, end, |home| connect(home).is_ok())
}

fn connect(home: &Path) -> Outcome<Client> {
    let mut config = Config::new();
    config.host_path(home).user(USER).dbname("postgres");
    Ok(config.connect(NoTls)?)
}

struct Postgres(PathBuf);

fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
    let (home, _) = place.server.clone().ok_or("it has no server")?;
    connect(&home)?.batch_execute(TABLE)?;
    Ok(Box::new(Postgres(home)))
}

impl Engine for Postgres {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        let mut client = connect(&self.0)?;
        Ok(Box::new(Caller {
            insert: client.prepare(INSERT)?,
            replace: client.prepare(REPLACE)?,
            read: client.prepare(READ)?,
            insert_all: client.prepare(INSERT_ALL)?,
            replace_all: client.prepare(REPLACE_ALL)?,
            client,
        }))
    }

    fn sync(&self) -> Outcome<()> {
        Ok(connect(&self.0)?.batch_execute("CHECKPOINT")?)
    }
}

struct Caller {
    client: Client,
    insert: Statement,
    replace: Statement,
    read: Statement,
    insert_all: Statement,
    replace_all: Statement,
}

impl KeyValue for Caller {
    fn insert_new(&mut self, key: &Key, record: &[u8]) -> Outcome<bool> {
        let inserted = self.client.execute(&self.insert, &[&&key[..], &record])?;
        Ok(inserted == 1)
    }

    fn replace(&mut self, key: &Key, record: &[u8]) -> Outcome<()> {
        self.client.execute(&self.replace, &[&&key[..], &record])?;
        Ok(())
    }

    fn read(&mut self, key: &Key, read: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let row = self.client.query_opt(&self.read, &[&&key[..]])?;
        if let Some(row) = &row {
            read(row.get(0));
        }
        Ok(row.is_some())
    }

    fn insert_all(&mut self, keys: &[Key]) -> Outcome<usize> {
        let records: Vec<_> = keys.iter().map(claim_record).collect();
        let records: Vec<&[u8]> = records.iter().map(|record| &record[..]).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let inserted = self.client.execute(&self.insert_all, &[&keys, &records])?;
        Ok(usize::try_from(inserted)?)
    }

    fn replace_all(&mut self, keys: &[Key]) -> Outcome<()> {
        let records: Vec<_> = keys.iter().map(response).collect();
        let records: Vec<&[u8]> = records.iter().map(|record| &record[..]).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        self.client.execute(&self.replace_all, &[&keys, &records])?;
        Ok(())
    }
}
