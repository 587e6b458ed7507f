//! Imports point one way: from a room to those below it.

use std::collections::{BTreeMap, BTreeSet};

use crate::check;
use crate::circles::{core_imports, ranks};
use crate::source::{library, words};

/// The rooms of the core, the lowest layer first. A room may know rooms of lower layers, but no other room of its own
/// layer. A file with a place of its own is lower than its folder if the folder rests on it, and higher if it adds
/// to a room above.
const LAYERS: &[&[&str]] = &[
    &["value", "wheel"],
    &["runtime", "observe"],
    &["state", "journal", "backend"],
    &["engine"],
    &["remote"],
    &["store/handle"],
    &["claim"],
    &["store"],
    &["claim/ticket", "scan"],
    &["operator"],
    &["sim", "fuzzing", "guide", "compile_fail"],
];

/// The room in which a file lies, with its layer. `lib.rs` shows what all rooms have, and lies in no
/// room.
fn room_of(path: &str) -> Option<(usize, &'static str)> {
    let within = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let layers = LAYERS.iter().enumerate();
    let rooms = layers.flat_map(|(layer, rooms)| rooms.iter().map(move |room| (layer, *room)));
    rooms
        .filter(|(_, room)| lies_in(within, room))
        .max_by_key(|(_, room)| room.len())
}

fn lies_in(path: &str, room: &str) -> bool {
    let rest = path.strip_prefix(room);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn may_know(from: (usize, &str), to: (usize, &str)) -> bool {
    from == to || to.0 < from.0
}

#[test]
fn every_file_lies_in_a_room() {
    let missing = |path: &&String| *path != "src/lib.rs" && room_of(path).is_none();
    let imports = core_imports();
    let files: Vec<_> = imports.keys().filter(missing).cloned().collect();
    check(&files);
    let rooms: Vec<&str> = LAYERS.concat();
    let empty = rooms.into_iter().filter(|room| {
        let path = crate::root().join("src").join(room);
        !path.is_dir() && !path.with_extension("rs").is_file()
    });
    check(&empty.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn a_room_knows_only_those_below_it() {
    let mut faults = Vec::new();
    for (from, ties) in core_imports() {
        let Some(room) = room_of(from) else {
            continue;
        };
        for (to, names) in ties {
            // Items in `lib.rs` itself are above every room.
            if room_of(to).is_none_or(|other| !may_know(room, other)) {
                faults.push(format!(
                    "{from}: `{}` may not know {names:?} of {to}",
                    room.1
                ));
            }
        }
    }
    check(&faults);
}

/// `cargo test --test tidy has_a_rank -- --nocapture` shows the ranks of each room.
#[test]
fn every_file_has_a_rank() {
    let imports = core_imports();
    let ranks = ranks(imports);
    let mut rooms: BTreeMap<_, BTreeSet<usize>> = BTreeMap::new();
    for (file, rank) in &ranks {
        rooms.entry(room_of(file)).or_default().insert(*rank);
    }
    for (room, ranks) in rooms {
        println!("{}: {ranks:?}", room.map_or("lib", |(_, name)| name));
    }
    let mut faults: Vec<_> = imports.keys().cloned().collect();
    faults.retain(|file| !ranks.contains_key(file.as_str()));
    check(&faults);
}

#[test]
fn imports_name_what_they_mean() {
    let mut faults = Vec::new();
    for source in library() {
        let is_top = source.path.matches('/').count() == 1;
        for (line, number) in source.code.lines().zip(1..) {
            let plain = line.replace(' ', "");
            let wide = plain.contains("super::*") || plain.contains("crate::*");
            let far = plain.contains("super::super") || (is_top && plain.contains("super::"));
            if wide || far {
                faults.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    check(&faults);
}

/// Words that only some files may use, and which.
const KEPT: &[(&str, &[&str])] = &[
    ("sled", &["src/journal/log/sled_log/"]),
    ("bincode", &["src/journal/format/codec/"]),
    ("sha2", &["src/journal/format/audit/chain.rs"]),
    ("Instant", &["src/runtime/clock.rs", "src/runtime/sync/"]),
    (
        "SystemTime",
        &[
            "src/runtime/clock.rs",
            // Where callers are told a time; none of these reads a clock, which is checked below.
            "src/claim/answer.rs",
            "src/claim/doubt.rs",
            "src/claim/lease.rs",
            "src/observe/stats.rs",
            "src/scan/keys.rs",
            "src/store/survey.rs",
            "src/value/audit/entry.rs",
            "src/value/audit/filter.rs",
            "src/value/key_info.rs",
            "src/value/scan_position.rs",
            "src/value/time.rs",
        ],
    ),
    ("UNIX_EPOCH", &["src/runtime/clock.rs", "src/value/time.rs"]),
    (
        "rustix",
        &[
            "src/journal/log/directory/anchored_path.rs",
            "src/journal/log/directory/holder.rs",
            "src/journal/log/directory/lock.rs",
            "src/journal/log/directory/standard_streams.rs",
            "src/journal/log/file_log/segment_writer.rs",
        ],
    ),
    ("parking_lot", &["src/runtime/sync/"]),
    ("atomic", &["src/runtime/sync/"]),
    ("libc", &["src/runtime/sync/forks.rs"]),
    (
        "unsafe",
        &["src/runtime/prefetch.rs", "src/runtime/sync/forks.rs"],
    ),
    (
        "thread",
        &[
            "src/runtime/sync/",
            // They wait for the lock of a file: see ARCHITECTURE.md.
            "src/journal/log/directory/lock.rs",
            "src/journal/log/sled_log/folder.rs",
        ],
    ),
];

#[test]
fn what_may_be_replaced_is_named_in_one_place() {
    let mut faults = Vec::new();
    for source in library() {
        for (line, word) in words(&source.code) {
            let kept = KEPT.iter().find(|(kept, _)| *kept == word);
            if kept.is_some_and(|(_, places)| !places.iter().any(|at| source.path.starts_with(at)))
            {
                faults.push(format!("{}:{line}: names `{word}`", source.path));
            }
        }
    }
    check(&faults);
}

#[test]
fn one_file_reads_a_clock() {
    let mut faults = Vec::new();
    for source in library() {
        for (line, number) in source.code.lines().zip(1..) {
            let plain = line.replace(' ', "");
            let reads = ["Time::now", "Instant::now", ".elapsed("];
            if source.path != "src/runtime/clock.rs"
                && reads.iter().any(|read| plain.contains(read))
            {
                faults.push(format!("{}:{number}: reads a clock", source.path));
            }
        }
    }
    check(&faults);
}

/// Paths that code without locks, clocks, threads and I/O must not use.
const IMPURE: &[&str] = &[
    "Condvar",
    "Instant",
    "Mutex",
    "OnceLock",
    "RwLock",
    "SystemTime",
    "atomic",
    "env",
    "fs",
    "io",
    "net",
    "parking_lot",
    "println",
    "process",
    "rustix",
    "sync_file",
    "thread",
];

#[test]
fn state_and_wheel_are_pure() {
    let mut faults = Vec::new();
    let is_pure = |path: &str| path.starts_with("src/state/") || path.starts_with("src/wheel/");
    for (from, ties) in core_imports() {
        let outside = ties.keys().filter(|to| to.starts_with("src/runtime/"));
        faults.extend(
            outside
                .filter(|_| is_pure(from))
                .map(|to| format!("{from}: knows {to}")),
        );
    }
    for source in library() {
        if !is_pure(&source.path) {
            continue;
        }
        for (line, word) in words(&source.code) {
            if IMPURE.contains(&word) {
                faults.push(format!("{}:{line}: names `{word}`", source.path));
            }
        }
    }
    check(&faults);
}
