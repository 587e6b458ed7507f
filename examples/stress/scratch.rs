//! A directory for one run, and the remains of runs that were killed.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The directory of the store: given, or made for this run and removed at its end.
#[derive(Debug)]
pub(crate) enum Scratch {
    Given(PathBuf),
    Made(TempDir),
}

impl Scratch {
    /// Makes a directory, unless one is given. First removes the directories of runs that are gone:
    /// a run that was killed cannot remove its own.
    pub(crate) fn new(program: &str, given: Option<PathBuf>) -> io::Result<Self> {
        if let Some(path) = given {
            std::fs::create_dir_all(&path)?;
            return Ok(Self::Given(path));
        }
        let prefix = format!("hapax-{program}-");
        sweep(&prefix)?;
        let name = format!("{prefix}{}-", std::process::id());
        Ok(Self::Made(
            tempfile::Builder::new().prefix(&name).tempdir()?,
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Made(made) => made.path(),
        }
    }
}

/// Removes the directories of processes that are gone, where `/proc` lists processes.
fn sweep(prefix: &str) -> io::Result<()> {
    if !Path::new("/proc/self").exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(std::env::temp_dir())? {
        let entry = entry?;
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix))
            .and_then(|rest| rest.split('-').next())
            .and_then(|pid| pid.parse::<u32>().ok());
        let gone = pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if gone {
            // Another run may remove it at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
