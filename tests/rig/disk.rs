//! A separate file system on a loop device, whose power can be cut.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Bytes of the image, which is sparse.
const IMAGE_BYTES: u64 = 2 << 30;

/// A file system in a file; it is unmounted and gone when this is dropped.
pub(crate) struct Disk {
    folder: tempfile::TempDir,
    kind: &'static str,
    mounted: bool,
}

impl Disk {
    /// Makes and mounts one, of a kind that `mkfs` knows; else what is missing for it.
    pub(crate) fn make(kind: &'static str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Self {
            folder,
            kind,
            mounted: false,
        };
        std::fs::create_dir(disk.root()).unwrap();
        let image = std::fs::File::create(disk.image()).unwrap();
        image.set_len(IMAGE_BYTES).unwrap();
        tool(
            Command::new(format!("mkfs.{kind}"))
                .arg("-q")
                .arg(disk.image()),
        )?;
        tool(Command::new("xfs_io").arg("-V"))?;
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&mut self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-t", self.kind, "-o", "loop"]);
        tool(mount.arg(self.image()).arg(self.root()))?;
        self.mounted = true;
        Ok(())
    }

    /// Cuts the power: nothing more reaches the medium, and what had not reached it is lost,
    /// including the file system's own log. Every call there fails from now on.
    ///
    /// This is the shutdown call of ext4 and xfs without a flush of their logs. `xfs_io` makes it
    /// on both, so that this needs neither `unsafe` nor another language.
    pub(crate) fn cut(&self) {
        let shutdown = Command::new("xfs_io")
            .args(["-x", "-c", "shutdown"])
            .arg(self.root())
            .output()
            .unwrap();
        // It answers 0 when it could not do it, too.
        let silent = shutdown.stdout.is_empty() && shutdown.stderr.is_empty();
        assert!(silent && shutdown.status.success(), "{shutdown:?}");
        let probe = std::fs::write(self.root().join("probe"), "");
        assert!(probe.is_err(), "the power is off");
    }

    /// Unmounts it, and mounts what the medium holds.
    pub(crate) fn restart(&mut self) {
        unmount(&self.root()).unwrap();
        self.mounted = false;
        self.mount().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // The loop device goes with its last user.
            if let Err(error) = unmount(&self.root()) {
                eprintln!("{error}");
                let _ = Command::new("umount")
                    .arg("--lazy")
                    .arg(self.root())
                    .status();
            }
        }
    }
}

/// A process that has just been killed may hold on for a moment.
fn unmount(root: &Path) -> Result<(), String> {
    let mut result = Ok(());
    for _ in 0..100 {
        result = tool(Command::new("umount").arg(root));
        if result.is_ok() {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    result
}

fn tool(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {output:?}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
