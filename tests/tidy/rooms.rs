//! Folders are rooms: each `mod.rs` says what lives there, and few files lie outside.

use crate::source::library;
use crate::{check, files, read};

/// The files that may lie beside the folders of a `src/`.
const LOOSE_MAX: usize = 5;

/// What lives here, what may come in, what it must not know.
const DOOR_LINES_MIN: usize = 3;

#[test]
fn few_files_lie_outside_of_rooms() {
    let mut faults = Vec::new();
    for (_, folder) in crate::circles::packages() {
        let loose = files(&folder, "rs").into_iter();
        let loose: Vec<_> = loose
            .filter(|path| {
                path.rsplit_once('/')
                    .is_some_and(|(parent, _)| parent == folder)
            })
            .collect();
        if loose.len() > LOOSE_MAX {
            faults.push(format!(
                "{folder}: {} loose files: {}",
                loose.len(),
                loose.join(", ")
            ));
        }
    }
    check(&faults);
}

#[test]
fn every_room_says_what_it_is() {
    let mut faults = Vec::new();
    let sources = library();
    for source in &sources {
        let folder = source.path.trim_end_matches(".rs").to_owned() + "/";
        let is_head = source.path.ends_with("/mod.rs")
            || sources.iter().any(|other| other.path.starts_with(&folder));
        let text = read(&source.path);
        let door = text.lines().take_while(|line| line.starts_with("//!"));
        let lines = door.filter(|line| line.len() > "//!".len()).count();
        if is_head && lines < DOOR_LINES_MIN {
            faults.push(format!(
                "{}: {lines} lines, not {DOOR_LINES_MIN}",
                source.path
            ));
        }
    }
    check(&faults);
}
