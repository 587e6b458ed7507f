//! Work with an end: every kind of record, frames of every size, a full segment and its removal.

use std::time::Duration;

use hapax::{Claim, ErrorKind, Namespace, Store};

use super::child::{body, say, spaces};
use super::work::{granted, settle};

/// Bodies of a megabyte that fill a segment.
const FILL: u32 = 34;

/// What a script may do.
#[derive(Clone, Copy)]
pub(crate) struct Script<'a> {
    /// Put before its keys, so that each run has its own.
    pub(crate) name: &'a str,
    /// Fills a segment, and waits until compaction has removed it.
    pub(crate) rolls: bool,
}

impl Script<'_> {
    /// Works and closes the store.
    pub(crate) fn run(self, store: &Store) {
        self.work(store);
        match store.close() {
            Ok(()) => say("closed"),
            Err(error) => tell("close", &error),
        }
    }

    /// After an error it goes on, so that later acknowledgements are heard too.
    pub(crate) fn work(self, store: &Store) {
        let spaces = match spaces(store) {
            Ok(spaces) => spaces,
            Err(error) => return tell("namespace", &error),
        };
        say("open");
        self.mix(&spaces, "a");
        if self.rolls {
            self.fill(store, &spaces[0]);
            self.mix(&spaces, "b");
        }
    }

    fn mix(self, spaces: &[Namespace; 2], part: &str) {
        for step in 0..8 {
            for (which, space) in spaces.iter().enumerate() {
                let key = format!("{}-{part}-{step}", self.name);
                match space.claim(&key) {
                    Ok(Claim::Granted(lease)) => {
                        granted(which, &key, &lease);
                        if let Err(error) = settle(which, &key, lease, step) {
                            tell("settle", &error);
                        }
                    }
                    Ok(other) => panic!("{key} is new: {other:?}"),
                    Err(error) => tell("claim", &error),
                }
            }
        }
    }

    /// Fills a segment with keys that are forgotten at once: compaction carries its few survivors
    /// and removes it.
    fn fill(self, store: &Store, space: &Namespace) {
        for step in 0..FILL {
            let key = format!("fill-{}-{step}", self.name);
            match space.claim(&key) {
                Ok(Claim::Granted(lease)) => {
                    granted(0, &key, &lease);
                    let token = lease.token().as_i64();
                    match lease.complete(body(&key, token)) {
                        Ok(()) => forget(space, &key, token),
                        Err(error) => tell("complete", &error),
                    }
                }
                Ok(other) => panic!("{key} is new: {other:?}"),
                Err(error) => tell("claim", &error),
            }
        }
        // The janitor looks at least once a second; a poisoned store has no janitor.
        let dropped = || store.metrics().total("hapax_compacted_segments_total", &[]);
        for _ in 0..500 {
            if dropped() > 0 || store.sync().is_err() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        say(&format!("dropped {}", dropped()));
    }
}

fn forget(space: &Namespace, key: &str, token: i64) {
    say(&format!("completed 0 {key} {token}"));
    say(&format!("forgetting 0 {key} {token}"));
    match space.forget(key) {
        Ok(true) => say(&format!("forgotten 0 {key} {token}")),
        Ok(false) => panic!("{key} was there"),
        Err(error) => tell("forget", &error),
    }
}

pub(crate) fn tell(doing: &str, error: &hapax::Error) {
    say(&format!("error {:?} {doing} {error}", error.kind()));
    assert_ne!(error.kind(), ErrorKind::Damaged, "nothing is damaged");
}
