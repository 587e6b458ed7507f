//! [`DirectoryOptions`]: how to open the directory of a store, or to make it.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::contents::{self, Contents};
use crate::journal::log::directory::files::{FileResult, create_folder, named, sync_directory};
use crate::journal::log::directory::open_failure::OpenFailure;
use crate::journal::log::directory::unfinished;

/// How to open the directory of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectoryOptions {
    /// Whether to make a store if the directory has none.
    pub(crate) create: bool,
    /// How long to wait for another holder of the lock, in rounds of 10 ms.
    pub(crate) wait_for_lock: Duration,
    /// What a copy into an empty directory is to become, for example "a restore". The directory is no
    /// store before its manifest is written.
    pub(crate) making: Option<&'static str>,
}

/// A directory that was found, or made.
#[derive(Debug)]
pub(crate) struct FoundDirectory {
    pub(crate) path: AnchoredPath,
    /// It was made with the note of what it is to become.
    pub(crate) is_marked: bool,
}

impl DirectoryOptions {
    /// Finds the directory of a store, or makes an empty one; refuses anything else.
    pub(crate) fn find_or_create(self, path: &Path) -> Result<FoundDirectory, OpenFailure> {
        let mut is_marked = false;
        let canonical = match path.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound && self.create => {
                is_marked = create(&std::path::absolute(path)?, self.making)?;
                path.canonicalize()
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let reason = format!("{} does not exist", path.display());
                return Err(OpenFailure::NotAStore(reason));
            }
            result => result,
        };
        // Messages name the path without links; it is looked up only here.
        let canonical = canonical.naming("open", path.display())?;
        if !canonical.is_dir() {
            let reason = format!("{} is not a directory", path.display());
            return Err(OpenFailure::NotAStore(reason));
        }
        let path = AnchoredPath::at(&canonical).naming("open", canonical.display())?;
        if !is_marked {
            self.check_contents(&path)?;
        }
        Ok(FoundDirectory { path, is_marked })
    }

    /// Refuses a directory with other contents than a store, or than what is to become one.
    pub(crate) fn check_contents(self, directory: &AnchoredPath) -> Result<(), OpenFailure> {
        let reason = match contents::look_at(directory)? {
            Contents::Store if self.making.is_some() => {
                format!("{directory} holds a store already: name a new directory")
            }
            Contents::Store => return Ok(()),
            // The new copy replaces it.
            Contents::Unfinished(_) if self.making.is_some() => return Ok(()),
            Contents::Unfinished(what) => return Err(OpenFailure::cut_short(directory, &what)),
            Contents::Nothing | Contents::Begun if self.create => return Ok(()),
            Contents::Other(_) if !self.create => format!("{directory} holds no store"),
            Contents::Other(what) => format!("{directory} is no store: {what}"),
            Contents::Nothing | Contents::Begun => format!("{directory} holds no store"),
        };
        Err(OpenFailure::NotAStore(reason))
    }
}

/// Makes a directory and those above it, each durable in its parent. A directory for a copy appears
/// with the note that says so: at no moment does it look like an empty one. Returns whether it has
/// that note.
fn create(path: &Path, making: Option<&str>) -> io::Result<bool> {
    let (Some(what), Some(parent), Some(name)) = (making, path.parent(), path.file_name()) else {
        create_directories(path)?;
        return Ok(false);
    };
    create_directories(parent)?;
    let parent = AnchoredPath::at(parent).naming("open", parent.display())?;
    let mut new_name = OsStr::new(".").to_owned();
    new_name.push(name);
    new_name.push(".new");
    let (new, directory) = (parent.join(new_name), parent.join(name));
    create_folder(&new)?;
    unfinished::mark(&new, what)?;
    new.rename(&directory).naming("create", &directory)?;
    sync_directory(&parent)?;
    Ok(true)
}

fn create_directories(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(named(&error, "create", path.display()));
            }
            _ => {}
        }
        if let Some(parent) = path.parent() {
            AnchoredPath::at(parent)
                .and_then(|parent| parent.sync())
                .naming("sync", parent.display())?;
        }
    }
    Ok(())
}
