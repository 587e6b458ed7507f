//! Each folder is a room: it says at its door what it is, and little lies loose in the hall.

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
    for source in library() {
        if source.path.ends_with("/mod.rs") {
            let text = read(&source.path);
            let door = text.lines().take_while(|line| line.starts_with("//!"));
            if door.filter(|line| line.len() > "//!".len()).count() < DOOR_LINES_MIN {
                faults.push(format!(
                    "{}: fewer than {DOOR_LINES_MIN} lines",
                    source.path
                ));
            }
        }
    }
    check(&faults);
}
