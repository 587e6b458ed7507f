//! What lies in a directory, looked at before anything in it is changed.

use std::io::{self, ErrorKind};

use crate::journal::format::manifest::Manifest;
use crate::journal::format::marks::Marks;
use crate::journal::log::directory::{
    LOGKIND, LOGKIND_NEW, MANIFEST, MANIFEST_NEW, MARKS, RESERVE, SEGMENTS, UNFINISHED, archives,
    named, read_slot,
};
use crate::journal::log::kind::{Note, is_segment_name};
use crate::journal::log::lock::LOCK;
use crate::journal::log::place::Place;

/// Names that a store may have in its directory.
const OURS: &[&str] = &[
    LOCK,
    MANIFEST,
    MANIFEST_NEW,
    MARKS,
    RESERVE,
    LOGKIND,
    LOGKIND_NEW,
    SEGMENTS,
    UNFINISHED,
    archives::AUDIT,
];

/// What a file system puts into an empty directory by itself.
const LOST_AND_FOUND: &str = "lost+found";

/// What a directory holds.
#[derive(Debug)]
pub(crate) enum Contents {
    Nothing,
    /// A store that was begun and never made: nothing was written to it.
    Begun,
    /// A store, or what is left of one.
    Store,
    /// A copy that is not all there: what it was to become.
    Unfinished(String),
    /// Something else, and why it is no store.
    Other(String),
}

/// Looks into a directory.
///
/// One damaged file does not make a store something else: where one part of a store is known by its
/// bytes or its name, the others are damaged or lost, and opening it says so.
pub(crate) fn look_at(place: &Place) -> io::Result<Contents> {
    let read = |name: &str| {
        let file = place.join(name);
        match file.is_file() {
            true => file
                .read_if_there()
                .map_err(|error| named(&error, "read", &file)),
            false => Ok(None),
        }
    };
    if let Some(note) = read(UNFINISHED)? {
        let note = String::from_utf8_lossy(&note);
        let note = match note.trim() {
            // A crash has taken what it says.
            "" => "a copy",
            note => note,
        };
        return Ok(Contents::Unfinished(note.to_owned()));
    }
    let manifest = read(MANIFEST)?;
    let is_known = manifest
        .as_ref()
        .is_some_and(|bytes| Manifest::is_one(bytes));
    if is_known || has_traces(place, manifest.is_some(), read(LOGKIND)?)? {
        return Ok(Contents::Store);
    }
    if manifest.is_some() {
        let reason = "its file MANIFEST is not one of hapax".to_owned();
        return Ok(Contents::Other(reason));
    }
    let names = place
        .names()
        .map_err(|error| named(&error, "list", place))?;
    let mut contents = Contents::Nothing;
    for name in names {
        match name.to_string_lossy() {
            name if name == LOST_AND_FOUND => {}
            name if OURS.contains(&&*name) => contents = Contents::Begun,
            name => return Ok(Contents::Other(format!("it holds {name}"))),
        }
    }
    Ok(contents)
}

/// Whether something else than the manifest shows that there is, or was, a store.
fn has_traces(place: &Place, has_manifest: bool, note: Option<Vec<u8>>) -> io::Result<bool> {
    let marks = place.join(MARKS);
    let marks = match marks.is_file() {
        true => marks
            .open()
            .and_then(|file| Ok([read_slot(&file, 0)?, read_slot(&file, 1)?]))
            .map_err(|error| named(&error, "read", &marks))?,
        false => Default::default(),
    };
    let marks = Marks::newest(&marks).0;
    // What is begun has its marks before its manifest, and an epoch only after it.
    let is_marked = marks.is_some_and(|marks| marks.epoch > 0);
    let is_noted = note.is_some_and(|bytes| Note::decode(&bytes).is_ok());
    let is_named = place.join(MARKS).is_file() && place.join(SEGMENTS).is_folder();
    Ok(is_marked || (has_manifest && (is_noted || is_named)) || has_segments(place)?)
}

fn has_segments(place: &Place) -> io::Result<bool> {
    let segments = place.join(SEGMENTS);
    if !segments.is_folder() {
        return Ok(false);
    }
    let names = segments
        .names()
        .map_err(|error| named(&error, "list", &segments))?;
    Ok(names
        .iter()
        .any(|name| is_segment_name(&name.to_string_lossy())))
}

/// Removes what a copy that was cut short has left, but for the note that says so.
pub(super) fn clear(place: &Place) -> io::Result<()> {
    for name in OURS
        .iter()
        .filter(|name| ![LOCK, UNFINISHED].contains(name))
    {
        let left = place.join(name);
        match left.remove_all() {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(named(&error, "remove", &left));
            }
            _ => {}
        }
    }
    Ok(())
}
