//! Redis (or Valkey), over a Unix socket: `SET NX` for a claim, `SET` for a completion.
//!
//! Where no caller waits for the medium, it gets what makes it fast: 50 connections, and 16 commands
//! sent together on each. Where a caller waits, it sends each of its commands alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use redis::{Client, Connection, ConnectionAddr, IntoConnectionInfo, Pipeline, Value};

use crate::engine::keys::{Key, PAIR_BYTES, claim_record, is_response, response};
use crate::engine::{Durability, Engine, Entry, Kind, Place, Role, Session};
use crate::host::server::{Server, Signal, find_program};
use crate::outcome::Outcome;

pub(super) const ENTRY: Entry = Entry {
    name: "redis",
    label: "Redis",
    role: Role::Peer,
    kind: Kind::Server,
    waits_per_pair: 2,
    pair_bytes: PAIR_BYTES,
    interval: "appendfsync everysec; 50 connections, 16 commands at a time on each",
    sync: "appendfsync always; a connection for each caller",
    only: &[],
    callers: 50,
    missing,
    open,
    serve: Some(serve),
};

/// Commands that a connection sends together when no caller waits for the medium.
const PIPELINE: usize = 16;

fn program() -> Option<PathBuf> {
    ["redis-server", "valkey-server"]
        .iter()
        .find_map(|name| find_program(name, &[]))
}

fn missing() -> Option<String> {
    let found = program();
    found
        .is_none()
        .then(|| "not installed: no redis-server or valkey-server in the search path".to_owned())
}

fn serve(dir: &Path, durability: Durability) -> Outcome<Server> {
    let socket = dir.join("redis.sock");
    let appendfsync = match durability {
        Durability::Interval => "everysec",
        Durability::Sync => "always",
    };
    let mut command = Command::new(program().ok_or("Redis is not installed")?);
    command
        .current_dir(dir)
        .args(["--port", "0", "--unixsocket"]);
    command.arg(&socket).arg("--dir").arg(dir);
    command.args(["--appendonly", "yes", "--appendfsync", appendfsync]);
    command.args(["--save", ""]);
    Server::start(
        command,
        socket,
        &dir.join("redis.log"),
        Signal::KILL,
        |socket| {
            connect(socket).is_ok_and(|mut connection| {
                redis::cmd("PING").query::<String>(&mut connection).is_ok()
            })
        },
    )
}

fn connect(socket: &Path) -> Outcome<Connection> {
    let info = ConnectionAddr::Unix(socket.to_owned()).into_connection_info()?;
    Ok(Client::open(info)?.get_connection()?)
}

struct Redis {
    socket: PathBuf,
    pipeline: usize,
}

fn open(place: &Place) -> Outcome<Box<dyn Engine>> {
    let (socket, _) = place.server.clone().ok_or("it has no server")?;
    let pipeline = match place.durability {
        Durability::Interval => PIPELINE,
        Durability::Sync => 1,
    };
    Ok(Box::new(Redis { socket, pipeline }))
}

impl Engine for Redis {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Caller {
            connection: connect(&self.socket)?,
            pipeline: self.pipeline,
        }))
    }

    fn sync(&self) -> Outcome<()> {
        // What it has answered lies in its log; the last second of that may still be unsynced.
        Ok(())
    }
}

struct Caller {
    connection: Connection,
    pipeline: usize,
}

impl Caller {
    /// Claims these keys with commands that are sent together; those that are new.
    fn claim_together(&mut self, keys: &[Key]) -> Outcome<Vec<Key>> {
        let mut commands = Pipeline::with_capacity(keys.len());
        for key in keys {
            let command = commands.cmd("SET").arg(&key[..]);
            command.arg(&claim_record(key)[..]).arg("NX");
        }
        let answers: Vec<Value> = commands.query(&mut self.connection)?;
        let new = keys.iter().zip(answers);
        Ok(new
            .filter(|(_, answer)| *answer == Value::Okay)
            .map(|(key, _)| *key)
            .collect())
    }

    fn complete_together(&mut self, keys: &[Key]) -> Outcome<()> {
        let mut commands = Pipeline::with_capacity(keys.len());
        for key in keys {
            commands
                .cmd("SET")
                .arg(&key[..])
                .arg(&response(key)[..])
                .ignore();
        }
        Ok(commands.query(&mut self.connection)?)
    }
}

impl Session for Caller {
    fn claim(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut granted = 0;
        for keys in keys.chunks(self.pipeline) {
            granted += self.claim_together(keys)?.len();
        }
        Ok(granted)
    }

    fn settle(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn insert(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.claim(keys)
    }

    fn pairs(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut granted = 0;
        for keys in keys.chunks(self.pipeline) {
            let new = self.claim_together(keys)?;
            self.complete_together(&new)?;
            granted += new.len();
        }
        Ok(granted)
    }

    fn claim_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        Ok(self.claim_together(keys)?.len())
    }

    fn insert_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        self.claim_batch(keys)
    }

    fn pair_batch(&mut self, keys: &[Key]) -> Outcome<usize> {
        let new = self.claim_together(keys)?;
        self.complete_together(&new)?;
        Ok(new.len())
    }

    fn replay(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut answered = 0;
        for key in keys {
            let stored: Vec<u8> = redis::cmd("GET")
                .arg(&key[..])
                .query(&mut self.connection)?;
            answered += usize::from(is_response(key, &stored));
        }
        Ok(answered)
    }
}
