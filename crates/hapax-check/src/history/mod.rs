//! The recorded history: one JSON object a line. `docs/history.md` describes it.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

mod line;

pub(crate) use self::line::millis;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Meta(Meta),
    Call(Call),
    Reopen(Reopen),
}

/// What the checker has to know of the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Meta {
    pub format: u32,
    /// The wall clock, in milliseconds since 1970, when the stamps were 0.
    pub wall_ms: u64,
    /// How far the store's clock of whole seconds may be from the wall clock.
    pub store_time_slack_ms: u64,
    pub namespaces: Vec<Rules>,
    pub seed: u64,
    pub threads: u32,
    pub durability: String,
}

/// What the checker has to know of a namespace's policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rules {
    pub name: String,
    pub at_most_once: bool,
    pub retention_secs: u64,
    pub failed_secs: u64,
    pub attempt_secs: u64,
    pub max_attempts: Option<u32>,
}

/// The store was closed and opened again. Stamps are nanoseconds of one monotonic clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Reopen {
    pub start: u64,
    pub end: u64,
}

/// A call, and what came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Which of the namespaces in the meta line.
    pub ns: usize,
    pub key: String,
    pub thread: u32,
    pub start: u64,
    /// `None` for a call that never returned.
    pub end: Option<u64>,
    pub op: Op,
    pub result: Answer,
}

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Claim(Ask),
    Complete {
        token: i64,
        body: String,
    },
    Fail {
        token: i64,
        body: String,
    },
    Release {
        token: i64,
        reason: String,
    },
    Doubt {
        token: i64,
        reason: String,
    },
    Checkpoint {
        token: i64,
        body: String,
    },
    Renew {
        token: i64,
    },
    /// The lease was dropped without an outcome.
    Drop {
        token: i64,
    },
    /// The lease was dropped inside of an error: nothing is released, it runs out.
    LetGo {
        token: i64,
    },
    Resolve {
        token: i64,
        how: How,
        force: bool,
    },
    Forget {
        force: Option<i64>,
    },
    Insert,
    Contains,
    Get,
}

/// A claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    pub lease_ms: u64,
    pub wait_ms: Option<u64>,
    /// Which of a few requests it is; its digest is the fingerprint.
    pub print: Option<u8>,
    /// The metadata, different for each claim.
    pub meta: String,
}

/// How a doubt is settled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Happened(String),
    Failed(String),
    NeverHappened,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Granted(Granted),
    InProgress {
        left_ms: u64,
        attempt: u32,
        meta: String,
    },
    Completed(Stored),
    Failed(Stored),
    InDoubt(Doubtful),
    Mismatch {
        state: Status,
    },
    /// A holder's call, or a resolution, that was carried out.
    Done,
    /// What `forget`, `insert` and `contains` answer.
    Flag(bool),
    Absent,
    Info(Info),
    Refused(Refused),
    /// The claim's future was dropped: what was granted, if anything, has been taken back.
    Cancelled,
    /// The store was closed or poisoned: whether the call had an effect is not known.
    Unknown,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Granted {
    pub token: i64,
    pub attempt: u32,
    /// Store time of the first claim, in seconds since 1970.
    pub first: u64,
    pub checkpoint: String,
    pub reason: String,
}

/// A stored outcome. Times are store time, in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stored {
    pub token: i64,
    pub attempts: u32,
    pub body: String,
    pub meta: String,
    pub first: u64,
    pub at: u64,
    pub expires: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Doubtful {
    pub token: i64,
    pub attempt: u32,
    pub reason: String,
    pub checkpoint: String,
    pub meta: String,
    pub alive: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Info {
    pub state: Status,
    pub token: i64,
    pub attempt: u32,
    pub body: String,
    pub reason: String,
    pub meta: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    InProgress,
    Completed,
    Failed,
    InDoubt,
    Released,
}

/// A refusal, with what the key is instead where it says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refused {
    pub kind: Refusal,
    pub current: Option<(Status, i64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    Superseded,
    NotHeld,
    AlreadySettled,
    InUse,
    /// At a limit: nothing was done.
    AtCapacity,
}

/// A whole history.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub meta: Meta,
    pub calls: Vec<Call>,
    pub reopens: Vec<Reopen>,
}

/// The format that this checker reads.
pub const FORMAT: u32 = 1;

impl History {
    /// The calls that were granted and answered, each with when it was.
    pub(crate) fn grants(&self) -> impl Iterator<Item = (&Call, &Granted, u64)> {
        self.calls.iter().filter_map(|call| match &call.result {
            Answer::Granted(granted) => Some((call, granted, call.end?)),
            _ => None,
        })
    }

    /// Reads a history.
    ///
    /// # Errors
    ///
    /// A line outside the format, named by its number; no meta line; another format.
    pub fn read(from: impl BufRead) -> io::Result<Self> {
        let mut history = Self::default();
        let mut found_meta = false;
        for (line, number) in from.lines().zip(1_u64..) {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let wrong = |text: &dyn std::fmt::Display| {
                io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {text}"))
            };
            match serde_json::from_str(&line).map_err(|error| wrong(&error))? {
                Line::Meta(meta) if meta.format != FORMAT => {
                    return Err(wrong(&format!(
                        "format {}, and this reads format {FORMAT}",
                        meta.format
                    )));
                }
                Line::Meta(meta) => {
                    history.meta = meta;
                    found_meta = true;
                }
                Line::Call(call) => history.calls.push(call),
                Line::Reopen(reopen) => history.reopens.push(reopen),
            }
        }
        let lost = |call: &Call| call.ns >= history.meta.namespaces.len();
        if !found_meta || history.calls.iter().any(lost) {
            let text = "the meta line is missing, or it lacks a namespace that a call names";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(history)
    }

    /// Writes a history.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        write_line(&mut to, &Line::Meta(self.meta.clone()))?;
        for call in &self.calls {
            write_line(&mut to, &Line::Call(call.clone()))?;
        }
        for reopen in &self.reopens {
            write_line(&mut to, &Line::Reopen(*reopen))?;
        }
        to.flush()
    }
}

/// Writes one line.
///
/// # Errors
///
/// Those of `to`.
pub fn write_line(to: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}
