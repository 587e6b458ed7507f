//! Imports point one way. A layer may name itself and those before it in this list, never those
//! after it; `state` and `journal` are siblings, and neither knows of the other.

use crate::check;
use crate::source::{Source, library, words};

const VALUES: &[&str] = &["observe", "runtime", "value"];
const PUBLIC: &[&str] = &[
    "claim",
    "operator",
    "scan",
    "sim",
    "store",
    "compile_fail",
    "fuzzing",
];

/// The place of a module in the order of imports.
fn rank(module: &str) -> Option<u32> {
    match module {
        "wheel" => Some(1),
        "state" | "journal" => Some(2),
        "engine" => Some(3),
        _ if VALUES.contains(&module) => Some(0),
        _ if PUBLIC.contains(&module) => Some(4),
        _ => None,
    }
}

fn may_import(from: &str, to: &str) -> bool {
    match (rank(from), rank(to)) {
        (Some(2), Some(2)) => from == to,
        (Some(from), Some(to)) => to <= from,
        _ => false,
    }
}

/// The top-level module that a file belongs to; `lib` names them all and belongs to none.
fn module_of(path: &str) -> Option<&str> {
    let module = path.strip_prefix("src/")?.split(['/', '.']).next()?;
    (module != "lib").then_some(module)
}

/// The modules that follow `crate::` in some code, with their lines.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        let group = rest
            .strip_prefix('{')
            .map_or(rest, |inside| top_of_group(inside));
        if rest.starts_with('{') {
            found.extend(heads(group).into_iter().map(|head| (line, head)));
        } else {
            found.extend(heads(rest).into_iter().take(1).map(|head| (line, head)));
        }
    }
    found
}

/// A group of imports up to its closing brace.
fn top_of_group(inside: &str) -> &str {
    let mut depth = 1;
    for (at, c) in inside.char_indices() {
        depth += crate::source::depth_of(&c.to_string());
        if depth == 0 {
            return &inside[..at];
        }
    }
    inside
}

/// The first name of each path in a list of paths.
fn heads(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = vec![String::new()];
    for c in list.chars() {
        if c == ',' && depth == 0 {
            heads.push(String::new());
        }
        depth += crate::source::depth_of(&c.to_string());
        heads.last_mut().expect("there is one").push(c);
    }
    let name = |head: String| {
        let head = head.trim_start_matches([',', ' ', '\n']);
        head.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .map(str::to_owned)
    };
    heads
        .into_iter()
        .filter_map(name)
        .filter(|head| !head.is_empty())
        .collect()
}

#[test]
fn imports_are_found() {
    let code = "use crate::a::B;\nuse crate::{c, d::{e, f},\n  g};\nlet x: &crate::h::I;";
    let found: Vec<_> = imports(code).into_iter().map(|(_, head)| head).collect();
    assert_eq!(found, ["a", "c", "d", "g", "h"]);
}

#[test]
fn every_module_has_its_place_in_the_order() {
    let missing = |source: &Source| {
        let module = module_of(&source.path)?;
        rank(module)
            .is_none()
            .then(|| format!("{}: `{module}` is in no layer", source.path))
    };
    check(&library().iter().filter_map(missing).collect::<Vec<_>>());
}

#[test]
fn imports_point_one_way() {
    let mut faults = Vec::new();
    for source in library() {
        let Some(module) = module_of(&source.path) else {
            continue;
        };
        for (line, to) in imports(&source.code) {
            // A constant or function of `lib.rs` would be a layer above all.
            if !may_import(module, &to) {
                faults.push(format!(
                    "{}:{line}: `{module}` may not know `{to}`",
                    source.path
                ));
            }
        }
    }
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
    (
        "bincode",
        &["src/journal/format/codec.rs", "src/journal/format/codec/"],
    ),
    ("sha2", &["src/journal/format/audit.rs"]),
    ("Instant", &["src/runtime/clock.rs", "src/runtime/sync.rs"]),
    ("SystemTime", &["src/runtime/clock.rs"]),
    ("UNIX_EPOCH", &["src/runtime/clock.rs"]),
    (
        "rustix",
        &[
            "src/journal/log/file_log/writing.rs",
            "src/journal/log/lock.rs",
            "src/journal/log/place.rs",
        ],
    ),
    ("parking_lot", &["src/runtime/sync.rs", "src/runtime/sync/"]),
    ("atomic", &["src/runtime/sync/"]),
    ("libc", &["src/runtime/sync/forks.rs"]),
    ("unsafe", &["src/runtime/sync/forks.rs"]),
    (
        "thread",
        &[
            "src/runtime/sync.rs",
            "src/runtime/sync/",
            // They wait for the lock of a file: see ARCHITECTURE.md.
            "src/journal/log/lock.rs",
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

/// What code without locks, clocks, threads and I/O has no use for.
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
    for source in library() {
        let is_pure =
            source.path.starts_with("src/state/") || source.path.starts_with("src/wheel/");
        if !is_pure {
            continue;
        }
        for (line, word) in words(&source.code) {
            if IMPURE.contains(&word) {
                faults.push(format!("{}:{line}: names `{word}`", source.path));
            }
        }
        for (at, _) in source.code.match_indices("crate::runtime::sync") {
            let line = source.code[..at].matches('\n').count() + 1;
            faults.push(format!("{}:{line}: waits or wakes", source.path));
        }
    }
    check(&faults);
}
