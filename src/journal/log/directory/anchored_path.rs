//! [`AnchoredPath`]: a file or folder of a store, looked up from a directory that is held open.
//!
//! The system looks a plain path up anew with each call, and it may lead elsewhere by then: a volume
//! is mounted over a parent, a directory is renamed, the working directory changes. So a store looks
//! its directory up once, holds it by a descriptor, and names everything from there.
//!
//! Everything is created for its owner alone, because it holds answers and seeds. No descriptor is
//! below 3, so that a process which has closed its standard streams never prints into a store.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, chmodat, fstat, fstatvfs, mkdirat, openat,
    renameat, stat, statat, unlinkat,
};
use rustix::io::retry_on_intr;

use crate::journal::log::directory::standard_streams::{above_standard_streams, occupy};

/// A file: its owner reads and writes it.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A folder: its owner alone may enter it.
const FOLDER_MODE: Mode = Mode::RWXU;

/// Where some systems offer a path for each descriptor of this process.
const DESCRIPTORS: &str = "/proc/self/fd";

/// A directory that is held open.
#[derive(Debug)]
struct OpenDirectory {
    descriptor: OwnedFd,
    /// Where it was when it was opened: for messages only.
    path: PathBuf,
}

/// A path below a directory, which is held open for as long as this lives.
#[derive(Clone, Debug)]
pub(crate) struct AnchoredPath {
    held: Arc<OpenDirectory>,
    /// Empty for the directory itself.
    below: PathBuf,
}

impl AnchoredPath {
    /// Opens a directory and holds it.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::held(open_folder(CWD, path)?, path.to_owned()))
    }

    /// Holds this folder itself: it is found even if its name leads elsewhere later.
    pub(crate) fn hold(&self) -> io::Result<Self> {
        let descriptor = open_folder(&self.held.descriptor, self.name_below())?;
        Ok(Self::held(descriptor, self.path()))
    }

    fn held(descriptor: OwnedFd, path: PathBuf) -> Self {
        let held = Arc::new(OpenDirectory { descriptor, path });
        Self {
            held,
            below: PathBuf::new(),
        }
    }

    fn with(&self, below: PathBuf) -> Self {
        let held = Arc::clone(&self.held);
        Self { held, below }
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> Self {
        self.with(self.below.join(name))
    }

    /// Another name in the same folder.
    pub(crate) fn beside(&self, name: impl AsRef<OsStr>) -> Self {
        self.with(self.below.with_file_name(name))
    }

    /// The folder that contains this; `None` for the directory that is held.
    pub(crate) fn folder(&self) -> Option<Self> {
        Some(self.with(self.below.parent()?.to_owned()))
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> String {
        let name = self.below.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Where it was when the directory was opened: for messages only.
    pub(crate) fn path(&self) -> PathBuf {
        match self.below.as_os_str().is_empty() {
            true => self.held.path.clone(),
            false => self.held.path.join(&self.below),
        }
    }

    fn name_below(&self) -> &Path {
        match self.below.as_os_str().is_empty() {
            true => Path::new("."),
            false => &self.below,
        }
    }

    fn open_as(&self, flags: OFlags) -> io::Result<File> {
        if flags.intersects(OFlags::WRONLY | OFlags::RDWR) {
            // Before the open: not even for a moment may a standard stream be a file of a store.
            occupy()?;
        }
        let flags = flags | OFlags::CLOEXEC;
        let open = || openat(&self.held.descriptor, self.name_below(), flags, FILE_MODE);
        Ok(File::from(above_standard_streams(retry_on_intr(open)?)?))
    }

    /// Opens it for reading.
    pub(crate) fn open(&self) -> io::Result<File> {
        self.open_as(OFlags::RDONLY)
    }

    /// Lets the system read a part of a file before it is asked for. Only advice, so a failure is ignored:
    /// the reading itself will tell.
    #[cfg(target_os = "linux")]
    pub(crate) fn read_ahead(&self, mut from: u64, bytes: u64) {
        // Linux takes no more at a time than it reads ahead by itself, and that is at least this much.
        const PIECE: u64 = 128 * 1024;
        let Ok(file) = self.open() else { return };
        let length = file.metadata().map_or(0, |about| about.len());
        let until = from.saturating_add(bytes).min(length);
        let (piece, soon) = (
            std::num::NonZeroU64::new(PIECE),
            rustix::fs::Advice::WillNeed,
        );
        while from < until && rustix::fs::fadvise(&file, from, piece, soon).is_ok() {
            from += PIECE;
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn read_ahead(&self, _: u64, _: u64) {}

    /// Opens a file that exists, for reading and writing.
    pub(crate) fn open_to_write(&self) -> io::Result<File> {
        self.open_as(OFlags::RDWR)
    }

    /// Opens a file for reading and writing, and creates it if it does not exist.
    pub(crate) fn open_or_create(&self) -> io::Result<File> {
        self.open_as(OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens a file for appending, and creates it if it does not exist.
    pub(crate) fn open_to_append(&self) -> io::Result<File> {
        self.open_as(OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND)
    }

    /// Creates a file for writing, or empties the one that exists.
    pub(crate) fn create(&self) -> io::Result<File> {
        self.open_as(OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)
    }

    /// Creates a file for writing; fails if it exists.
    pub(crate) fn create_new(&self) -> io::Result<File> {
        self.open_as(OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
    }

    pub(crate) fn create_folder(&self) -> io::Result<()> {
        Ok(mkdirat(
            &self.held.descriptor,
            self.name_below(),
            FOLDER_MODE,
        )?)
    }

    /// Takes the permissions of group and others away, which another program has given.
    pub(crate) fn make_private(&self) -> io::Result<()> {
        let mode = match self.is_folder() {
            true => FOLDER_MODE,
            false => FILE_MODE,
        };
        let (directory, name) = (&self.held.descriptor, self.name_below());
        Ok(chmodat(directory, name, mode, AtFlags::empty())?)
    }

    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn about(&self) -> io::Result<Stat> {
        let (directory, name) = (&self.held.descriptor, self.name_below());
        Ok(statat(directory, name, AtFlags::empty())?)
    }

    /// As [`about`](Self::about), without following a link.
    pub(crate) fn about_itself(&self) -> io::Result<Stat> {
        let (directory, name) = (&self.held.descriptor, self.name_below());
        Ok(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    pub(crate) fn bytes(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.about()?.st_size).unwrap_or(0))
    }

    pub(crate) fn exists(&self) -> bool {
        self.about().is_ok()
    }

    pub(crate) fn is_file(&self) -> bool {
        self.about().is_ok_and(|about| type_of(&about).is_file())
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.about().is_ok_and(|about| type_of(&about).is_dir())
    }

    /// Whether a file that was opened earlier is still the one at this path.
    pub(crate) fn is(&self, file: &File) -> bool {
        match (fstat(file), self.about()) {
            (Ok(ours), Ok(there)) => is_same(&ours, &there),
            _ => false,
        }
    }

    /// The names in a folder, in no order.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.open()?)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub(crate) fn rename(&self, to: &Self) -> io::Result<()> {
        Ok(renameat(
            &self.held.descriptor,
            self.name_below(),
            &to.held.descriptor,
            to.name_below(),
        )?)
    }

    pub(crate) fn remove_file(&self) -> io::Result<()> {
        let (directory, name) = (&self.held.descriptor, self.name_below());
        Ok(unlinkat(directory, name, AtFlags::empty())?)
    }

    /// Removes it with all that is in it. Skips what is removed meanwhile.
    pub(crate) fn remove_all(&self) -> io::Result<()> {
        if !type_of(&self.about_itself()?).is_dir() {
            return self.remove_file();
        }
        for name in self.names()? {
            match self.join(name).remove_all() {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let (directory, name) = (&self.held.descriptor, self.name_below());
        Ok(unlinkat(directory, name, AtFlags::REMOVEDIR)?)
    }

    /// Makes it durable: a file with its length and times, a folder with its entries.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.open().and_then(|file| file.sync_all())
    }

    /// Bytes that an ordinary user of the file system may still write.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let about = fstatvfs(&self.held.descriptor)?;
        Ok(about.f_bavail.saturating_mul(about.f_frsize))
    }

    /// Files that can still be created on the file system; `None` if it has no fixed number of them.
    pub(crate) fn free_files(&self) -> io::Result<Option<u64>> {
        let about = fstatvfs(&self.held.descriptor)?;
        Ok((about.f_files > 0).then_some(about.f_favail))
    }

    /// A plain path to this, for code that takes nothing else: through the descriptor if the system
    /// offers that, else as it was opened, if that still leads to the directory that is held.
    pub(crate) fn path_for_others(&self) -> io::Result<PathBuf> {
        let held = fstat(&self.held.descriptor)?;
        let leads_here = |path: &Path| stat(path).is_ok_and(|there| is_same(&held, &there));
        let number = self.held.descriptor.as_raw_fd().to_string();
        let through = Path::new(DESCRIPTORS).join(number);
        for path in [&through, &self.held.path] {
            if leads_here(path) {
                return Ok(path.join(&self.below));
            }
        }
        let path = self.held.path.display();
        Err(io::Error::other(format!(
            "{path} is no longer the directory that was opened, and this system has no other way to it: put it back, then open the store again"
        )))
    }

    /// The descriptor of the directory that is held.
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.held.descriptor
    }
}

impl Display for AnchoredPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

pub(crate) fn type_of(about: &Stat) -> FileType {
    FileType::from_raw_mode(about.st_mode)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

fn open_folder(from: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    above_standard_streams(retry_on_intr(|| openat(&from, path, flags, Mode::empty()))?)
}
