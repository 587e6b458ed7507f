//! [`Cluster`]: a PostgreSQL server of these tests, which ends with their process.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio_postgres::NoTls;

/// How long a server may take to start, or to recover.
const START_MAX: Duration = Duration::from_secs(60);

/// Starts the server, and ends it when the pipe to the tests closes: a static is never dropped.
const KEEPER: &str = r#"
"$@" & server=$!
read -r word
case "$word" in
    gone) ;;
    stop) kill -INT $server ;;
    *) kill -QUIT $server ;;
esac
wait $server
[ -n "$word" ] || rm -rf "$HAPAX_GARBAGE"
"#;

/// A server of these tests.
pub(crate) struct Cluster {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    settings: Vec<String>,
    keeper: Option<Child>,
}

/// Where the programs of a server are.
fn programs() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("HAPAX_POSTGRES_BIN") {
        return Some(PathBuf::from(named));
    }
    let mut found: Vec<PathBuf> = Vec::new();
    for versions in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let entries = fs::read_dir(versions).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path().join("bin")));
    }
    found.push(PathBuf::from("/usr/local/pgsql/bin"));
    found.sort();
    found.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    let all = ["initdb", "postgres", "pg_basebackup", "pg_ctl"];
    let has_all = |folder: &PathBuf| all.iter().all(|program| folder.join(program).is_file());
    found.into_iter().find(has_all)
}

/// Who runs the server, where it is not who runs the tests; `None`, loudly, where there is no such user.
fn owner() -> Option<Option<(u32, u32)>> {
    let probe = tempfile::tempdir().expect("a temporary folder can be made");
    let is_root = fs::metadata(probe.path()).is_ok_and(|made| made.uid() == 0);
    if !is_root {
        return Some(None);
    }
    let owner = unprivileged();
    if owner.is_none() {
        skipped("the tests run as root, and there is no user `postgres`");
    }
    owner.map(Some)
}

/// The server refuses to run as root: then it runs as the user `postgres`.
fn unprivileged() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    Some((number(fields.next())?, number(fields.next())?))
}

impl Cluster {
    /// The server that most tests share; `None`, loudly, where there is no PostgreSQL.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        // Only the process dies here, never the machine, so the medium need not be waited for.
        SHARED.get_or_init(|| Self::start(&["fsync=off"])).as_ref()
    }

    /// A server of its own, with these settings.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        let Some(bin) = programs() else {
            skipped("no PostgreSQL is installed here");
            return None;
        };
        let owner = owner()?;
        let mut cluster = Self::new(bin, owner, settings);
        cluster.initialise();
        cluster.run();
        Some(cluster)
    }

    /// One that has no data yet.
    fn new(bin: PathBuf, owner: Option<(u32, u32)>, settings: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("hapax-pg").tempdir();
        let dir = dir.expect("a temporary folder can be made").keep();
        if let Some((user, group)) = owner {
            chown(&dir, Some(user), Some(group)).expect("root may give a folder away");
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self {
            bin,
            dir,
            port: free.expect("a port is free").port(),
            owner,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            keeper: None,
        }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command.current_dir(&self.dir);
        command
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn initialise(&self) {
        let made = self
            .command(self.bin.join("initdb"))
            .args(["-U", "hapax", "-E", "UTF8", "--no-locale", "-N"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .arg("-D")
            .arg(self.data())
            .output();
        let made = made.expect("initdb can be run");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb: {said}");
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let log = self.dir.join("log");
        let log = File::options().create(true).append(true).open(log);
        let log = log.expect("the log can be written");
        let mut command = self.command("sh");
        command
            .env("HAPAX_GARBAGE", &self.dir)
            .args(["-c", KEEPER, "keeper"])
            .arg(self.bin.join("postgres"))
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&self.dir)
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "max_connections=200"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let copy = log.try_clone().expect("a descriptor is free");
        command.stdin(Stdio::piped()).stdout(copy).stderr(log);
        self.keeper = Some(command.spawn().expect("a shell can be run"));
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&self) {
        let runtime = runtime();
        let answers = async {
            loop {
                if let Ok(Ok(_)) = tokio::time::timeout(
                    Duration::from_secs(1),
                    tokio_postgres::connect(&self.url(), NoTls),
                )
                .await
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let answered = runtime.block_on(async { tokio::time::timeout(START_MAX, answers).await });
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        assert!(answered.is_ok(), "the server does not answer: {log}");
    }

    /// How to reach it, over its socket.
    pub(crate) fn url(&self) -> String {
        format!(
            "host={} port={} user=hapax dbname=postgres",
            self.dir.display(),
            self.port
        )
    }

    /// The port at which it wants passwords.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Kills it and all its processes, without a chance to write anything.
    pub(crate) fn kill(&mut self) {
        let pid = fs::read_to_string(self.data().join("postmaster.pid"));
        let pid = pid.expect("it runs");
        let pid: u32 = pid
            .lines()
            .next()
            .and_then(|line| line.parse().ok())
            .expect("a number");
        // Stopped, it starts no other process that would outlive it.
        signal("-STOP", &[pid]);
        let mut all = children_of(pid);
        all.push(pid);
        signal("-KILL", &all);
        self.tell_keeper("gone\n");
    }

    /// Shuts it down in order; it can run again.
    pub(crate) fn stop(&mut self) {
        self.tell_keeper("stop\n");
    }

    /// A copy that follows this server asynchronously.
    pub(crate) fn follower(&self) -> Self {
        let mut follower = Self::new(self.bin.clone(), self.owner, &[]);
        follower.settings.clone_from(&self.settings);
        let made = follower
            .command(self.bin.join("pg_basebackup"))
            .args(["-U", "hapax", "-X", "stream", "-c", "fast", "-R"])
            .arg("-h")
            .arg(&self.dir)
            .args(["-p", &self.port.to_string()])
            .arg("-D")
            .arg(follower.data())
            .output();
        let made = made.expect("pg_basebackup can be run");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "pg_basebackup: {said}");
        follower.run();
        follower
    }

    /// From its next start on it encrypts, with the certificate in this folder.
    #[cfg(feature = "tls")]
    pub(crate) fn speak_tls(&mut self, folder: &Path) {
        use std::os::unix::fs::PermissionsExt;
        for name in ["server.crt", "server.key"] {
            let to = self.data().join(name);
            fs::copy(folder.join(name), &to).expect("it was made");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("it is there");
            if let Some((user, group)) = self.owner {
                chown(&to, Some(user), Some(group)).expect("root may give a file away");
            }
        }
        self.settings.push("ssl=on".to_owned());
    }

    /// Makes a follower a primary.
    pub(crate) fn promote(&self) {
        let made = self
            .command(self.bin.join("pg_ctl"))
            .args(["promote", "-w", "-D"])
            .arg(self.data())
            .output();
        let made = made.expect("pg_ctl can be run");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "pg_ctl: {said}");
    }

    /// From its next start on it waits for a primary, as a replica does.
    pub(crate) fn become_replica(&self) {
        let signal = self.data().join("standby.signal");
        File::create(&signal).expect("the folder is there");
        if let Some((user, group)) = self.owner {
            chown(&signal, Some(user), Some(group)).expect("root may give a file away");
        }
    }

    /// Says what became of the server, and waits until it is gone.
    fn tell_keeper(&mut self, word: &str) {
        let Some(mut keeper) = self.keeper.take() else {
            return;
        };
        if let Some(mut pipe) = keeper.stdin.take() {
            let _keeper_is_gone = pipe.write_all(word.as_bytes());
        }
        let _ended = keeper.wait();
    }

    /// Kills one process that serves a connection: the server recovers by itself.
    pub(crate) fn kill_process(&self, pid: i32) {
        let killed = Command::new("kill").arg("-9").arg(pid.to_string()).status();
        assert!(killed.is_ok_and(|status| status.success()), "{pid}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tell_keeper("");
        let _removed_by_the_keeper = fs::remove_dir_all(&self.dir);
    }
}

/// Sends a signal; some may be gone already.
fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let mut command = Command::new("kill");
    let _all_there = command.arg(name).args(pids).stderr(Stdio::null()).status();
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(1)?.parse().ok()
}

/// A runtime for one thread of a test.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let built = builder.enable_io().enable_time().build();
    built.expect("a runtime can be built")
}

/// Says so past the harness, which keeps what passing tests print to itself.
pub(crate) fn skipped(why: &str) {
    let text = format!("SKIPPED: {why}; the tests of hapax-postgres held nothing\n");
    let _no_one_reads_it = std::io::stderr().write_all(text.as_bytes());
}
