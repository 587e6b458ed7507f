//! [`Marker`]: the file `ready`, which makes a folder a segment and holds its link.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::{FileResult, replace_file};

const READY: &str = "ready";
const READY_NEW: &str = "ready.new";

/// Most bytes of a segment's marker.
const LINK_BYTES_MAX: usize = 512;

/// A prepared marker, which only has to be filled in and renamed, and its folder: beginning a segment
/// takes no descriptor, file or disk space that preparing has not taken already.
#[derive(Debug)]
pub(super) struct Marker {
    file: File,
    folder: File,
}

impl Marker {
    pub(super) fn prepare(path: &AnchoredPath) -> io::Result<Self> {
        let new = path.join(READY_NEW);
        let make = || {
            let file = new.create()?;
            file.write_all_at(&[0; LINK_BYTES_MAX], 0)?;
            file.sync_all()?;
            let folder = path.open()?;
            Ok(Self { file, folder })
        };
        make().naming("create", &new)
    }

    pub(super) fn begin(&self, path: &AnchoredPath, link: &[u8]) -> io::Result<()> {
        check_link(link)?;
        let (new, ready) = (path.join(READY_NEW), path.join(READY));
        let begin = || {
            self.file.write_all_at(link, 0)?;
            self.file.set_len(link.len() as u64)?;
            self.file.sync_all()?;
            match new.rename(&ready) {
                // An earlier try came this far.
                Err(error) if error.kind() == ErrorKind::NotFound && is_ready(path) => {}
                renamed => renamed?,
            }
            self.folder.sync_all()
        };
        begin().naming("write", &ready)
    }
}

fn check_link(link: &[u8]) -> io::Result<()> {
    if link.len() > LINK_BYTES_MAX {
        let what = format!("a marker of {} bytes is too long", link.len());
        return Err(io::Error::new(ErrorKind::InvalidInput, what));
    }
    Ok(())
}

/// Writes the marker of a folder, which makes it a segment.
pub(super) fn write_link(path: &AnchoredPath, link: &[u8]) -> io::Result<()> {
    check_link(link)?;
    replace_file(path, READY_NEW, READY, link)
}

/// Reads the marker of a folder.
pub(crate) fn read_link(path: &AnchoredPath) -> io::Result<Vec<u8>> {
    let ready = path.join(READY);
    ready.read().naming("read", &ready)
}

/// Whether there is anything under the name of the marker.
pub(super) fn exists(path: &AnchoredPath) -> bool {
    path.join(READY).exists()
}

/// Whether the folder is a segment.
pub(super) fn is_ready(path: &AnchoredPath) -> bool {
    path.join(READY).is_file()
}
