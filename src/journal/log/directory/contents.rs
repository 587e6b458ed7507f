//! [`Contents`]: what a directory holds, looked at before anything in it is changed.

use std::io;

use crate::journal::format::log_kind_note::LogKindNote;
use crate::journal::format::manifest_file;
use crate::journal::format::marks::Marks;
use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, read_if_there, remove_all_if_there};
use crate::journal::log::directory::layout::{
    LOCK, LOGKIND, MANIFEST, MARKS, NAMES, SEGMENTS, UNFINISHED,
};
use crate::journal::log::directory::marks_file::read_slots;
use crate::journal::log::directory::{segment_name, unfinished};

/// A folder that a file system puts into its root by itself.
const LOST_AND_FOUND: &str = "lost+found";

/// What a directory holds.
#[derive(Debug)]
pub(crate) enum Contents {
    Nothing,
    /// A store whose creation was cut short: nothing was written to it.
    Begun,
    /// A store, or what is left of one.
    Store,
    /// A copy that is not whole: what it was to become.
    Unfinished(String),
    /// Something else, and why it is no store.
    Other(String),
}

/// Looks into a directory.
///
/// A store stays a store when one of its files is damaged: if the bytes or the name of any part show
/// a store, the other parts are damaged or lost, and opening it says so.
pub(crate) fn look_at(directory: &AnchoredPath) -> io::Result<Contents> {
    if let Some(note) = read(directory, UNFINISHED)? {
        return Ok(Contents::Unfinished(unfinished::decode(&note)));
    }
    let manifest = read(directory, MANIFEST)?;
    let is_known = manifest
        .as_ref()
        .is_some_and(|bytes| manifest_file::is_one(bytes));
    if is_known || has_traces(directory, manifest.is_some())? {
        return Ok(Contents::Store);
    }
    if manifest.is_some() {
        let reason = "its file MANIFEST is not one of hapax".to_owned();
        return Ok(Contents::Other(reason));
    }
    look_at_names(directory)
}

/// The bytes of a file in the directory; `None` if there is no such file.
fn read(directory: &AnchoredPath, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = directory.join(name);
    match file.is_file() {
        true => read_if_there(&file),
        false => Ok(None),
    }
}

/// Whether anything besides the manifest shows that there is, or was, a store.
fn has_traces(directory: &AnchoredPath, has_manifest: bool) -> io::Result<bool> {
    let note = read(directory, LOGKIND)?;
    let marks = directory.join(MARKS);
    let slots = match marks.is_file() {
        true => marks
            .open()
            .and_then(|file| read_slots(&file))
            .naming("read", &marks)?,
        false => Default::default(),
    };
    let newest = Marks::newest(&slots).0;
    // Creation writes the marks before the manifest, and an epoch only after it.
    let is_marked = newest.is_some_and(|marks| marks.epoch > 0);
    let is_noted = note.is_some_and(|bytes| LogKindNote::decode(&bytes).is_ok());
    let is_named = marks.is_file() && directory.join(SEGMENTS).is_folder();
    Ok(is_marked || (has_manifest && (is_noted || is_named)) || has_segments(directory)?)
}

fn has_segments(directory: &AnchoredPath) -> io::Result<bool> {
    let segments = directory.join(SEGMENTS);
    if !segments.is_folder() {
        return Ok(false);
    }
    let names = segments.names().naming("list", &segments)?;
    Ok(names
        .iter()
        .any(|name| segment_name::is_of_any(&name.to_string_lossy())))
}

/// What a directory without a trace of a store holds, by its names.
fn look_at_names(directory: &AnchoredPath) -> io::Result<Contents> {
    let names = directory.names().naming("list", directory)?;
    let mut contents = Contents::Nothing;
    for name in names {
        match name.to_string_lossy() {
            name if name == LOST_AND_FOUND => {}
            name if NAMES.contains(&&*name) => contents = Contents::Begun,
            name => return Ok(Contents::Other(format!("it holds {name}"))),
        }
    }
    Ok(contents)
}

/// Removes what an unfinished copy has left, except the note that says so.
pub(crate) fn clear(directory: &AnchoredPath) -> io::Result<()> {
    NAMES
        .iter()
        .filter(|name| ![LOCK, UNFINISHED].contains(name))
        .try_for_each(|name| remove_all_if_there(&directory.join(name)))
}
