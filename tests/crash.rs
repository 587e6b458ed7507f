//! `kill -9`, round after round, on one directory.
//!
//! A child runs this same program, claims and settles keys under `Sync`, and reports each call that
//! returned on its standard output. The parent kills it at a random moment and holds the store to
//! every acknowledgement that it has read.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod rig;

use std::path::Path;

use hapax::LogKind;

use rig::Draw;
use rig::child::{self, Orders, say};
use rig::known::Known;

/// Kills for each kind of log.
const ROUNDS: u64 = 30;
/// A full check takes a moment, so only some of the kills are followed by one.
const CHECK_EVERY: u64 = 5;

/// The child. Run as a plain test, it does nothing.
#[test]
fn child() {
    let Some(orders) = Orders::read() else {
        return;
    };
    say("start");
    let store = orders.store().open().unwrap();
    rig::work::work(&store, orders.seed, false);
}

/// Reads what the child says until it has said `lines`, kills it, and reads the rest.
fn round(directory: &Path, log: LogKind, known: &mut Known, draw: &mut Draw) {
    let (mut child, mut out) = child::spawn(directory, "work", log, draw.below(1 << 30));
    // The first line comes before the store is opened, the second one after.
    let lines = match draw.below(5) {
        0 => 1,
        1 => 2,
        _ => 3 + draw.below(400),
    };
    let mut said = 0;
    while let Some(words) = child::next_line(&mut out) {
        known.hear(&words);
        said += 1;
        if said == lines {
            (0..draw.below(2_000_000)).for_each(|_| std::hint::spin_loop());
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(
        status.code().is_none(),
        "the child ended on its own: {status}"
    );
    known.next_round();
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9_with_sled() {
    rounds(LogKind::Sled);
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9_with_files() {
    rounds(LogKind::Files);
}

fn rounds(log: LogKind) {
    if Orders::read().is_some() {
        return;
    }
    let mut draw = Draw::from_seed();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut known = Known::default();
    for number in 1..=ROUNDS {
        round(&path, log, &mut known, &mut draw);
        if number % CHECK_EVERY == 0 {
            rig::reading::check(&path);
            known.check(&path);
        }
    }
    println!(
        "{log:?}: {} acknowledgements, {} completed",
        known.acknowledged,
        known.completed.len()
    );
    assert!(known.completed.len() > 100, "the children completed keys");
}
