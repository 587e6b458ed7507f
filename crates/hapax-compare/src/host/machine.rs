//! Where and when figures were taken, without which they say little.

use std::path::Path;
use std::process::Command;

use crate::host::process::number_after;

/// A machine, a commit, a day.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its processor and the count of cores that this process may use.
    pub processor: String,
    /// In GiB.
    pub memory: String,
    /// The release of the kernel.
    pub kernel: String,
    /// File system and device of the directory that was used.
    pub disk: String,
    /// The commit that was built, and whether it was changed.
    pub commit: String,
    /// The day, in UTC.
    pub date: String,
}

impl Machine {
    /// This one, with this directory.
    #[must_use]
    pub fn look(dir: &Path) -> Self {
        Self {
            processor: processor(),
            memory: memory(),
            kernel: read("/proc/sys/kernel/osrelease"),
            disk: disk(dir),
            commit: commit(),
            date: output("date", &["-u", "+%Y-%m-%d"]),
        }
    }

    /// All of it in one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}; {}; Linux {}; {}; commit {}; {}",
            self.processor, self.memory, self.kernel, self.disk, self.commit, self.date
        )
    }
}

const UNKNOWN: &str = "unknown";

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| UNKNOWN.to_owned(), |text| text.trim().to_owned())
}

/// What a program prints; "unknown" when the program is missing or fails.
fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => UNKNOWN.to_owned(),
    }
}

fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or(UNKNOWN, |rest| rest.trim_start_matches(['\t', ' ', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} cores")
}

fn memory() -> String {
    let text = read("/proc/meminfo");
    let kib = number_after(&text, "MemTotal:").unwrap_or(0);
    format!("{} GiB", (kib + (1 << 19)) >> 20)
}

fn disk(dir: &Path) -> String {
    let Ok(dir) = dir.canonicalize() else {
        return UNKNOWN.to_owned();
    };
    let (kind, device) = mount(&read("/proc/self/mountinfo"), &dir);
    let name = device.trim_start_matches("/dev/");
    let model = read(&format!("/sys/class/block/{name}/device/model"));
    let model = if model == UNKNOWN {
        String::new()
    } else {
        format!(" ({model})")
    };
    format!("{kind} on {device}{model}")
}

/// File system and device of the mount that a directory lies in.
fn mount(table: &str, dir: &Path) -> (String, String) {
    let mounts = table.lines().filter_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?;
        let mut source = source.split(' ');
        let found = (source.next()?.to_owned(), source.next()?.to_owned());
        dir.starts_with(point).then_some((point.len(), found))
    });
    // Of mounts at the same point the last one is seen.
    let found = mounts.max_by_key(|(length, _)| *length);
    found.map_or_else(
        || (UNKNOWN.to_owned(), UNKNOWN.to_owned()),
        |(_, found)| found,
    )
}

fn commit() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let commit = output("git", &["-C", root, "rev-parse", "--short=12", "HEAD"]);
    let changes = output(
        "git",
        &["-C", root, "status", "--porcelain", "--untracked-files=no"],
    );
    if commit == UNKNOWN || changes.is_empty() {
        commit
    } else {
        format!("{commit} with changes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let table = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                     30 22 0:26 / /tmp rw,nosuid - tmpfs tmpfs rw\n\
                     31 22 0:27 / /tmpfoo rw - xfs /dev/vdb rw";
        let found = |dir: &str| mount(table, Path::new(dir));
        assert_eq!(found("/tmp/a"), ("tmpfs".to_owned(), "tmpfs".to_owned()));
        assert_eq!(found("/home/a"), ("ext4".to_owned(), "/dev/vda".to_owned()));
    }

    #[test]
    fn a_machine_fits_a_line() {
        let line = Machine::look(Path::new(".")).line();
        assert!(line.contains("cores") && !line.contains('\n'), "{line}");
    }
}
