//! [`Browser`]: a real browser without a window, on a clock that runs as fast as the page allows.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Once;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

/// One browser at a time, because they are heavy.
static TURN: Mutex<()> = Mutex::const_new(());

/// The time limit for one page, which takes a second or two.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to open, and how.
pub(crate) struct Visit {
    pub(crate) url: String,
    /// How long the page stays open on its own clock. It asks after 0, 1, 6, 11 s and so on; stopping at
    /// 3 or 8 s leaves time to show the last answer.
    pub(crate) secs: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
}

impl Visit {
    pub(crate) fn of(url: String, secs: u64) -> Self {
        Self {
            url,
            secs,
            width: 1280,
            height: 1400,
            dark: false,
        }
    }
}

/// What the browser made of a page.
pub(crate) struct Seen {
    /// The final document, as markup.
    pub(crate) dom: String,
    /// The lines of the console: errors, and what the policy has refused.
    pub(crate) console: Vec<String>,
    /// A picture of it.
    pub(crate) png: Vec<u8>,
}

impl Seen {
    /// The text of the element with this id, which contains no other element. Special characters stay
    /// escaped as in markup.
    pub(crate) fn text(&self, id: &str) -> &str {
        let Some((_, rest)) = self.dom.split_once(&format!(" id=\"{id}\"")) else {
            panic!("there is no {id} in {}", self.dom);
        };
        let (_, inside) = rest.split_once('>').unwrap();
        inside.split('<').next().unwrap()
    }

    /// The texts of the cells in the row with this head.
    pub(crate) fn row(&self, table: &str, head: &str) -> Vec<&str> {
        let (_, rest) = self.dom.split_once(&format!("id=\"{table}\"")).unwrap();
        let body = rest.split("</tbody>").next().unwrap();
        let found = body.split_once(&format!(">{head}</th>"));
        let Some((_, rest)) = found else {
            panic!("{table} has no row {head}: {body}");
        };
        let row = rest.split("</tr>").next().unwrap();
        let cells = row.split("<td").skip(1);
        cells
            .map(|cell| cell.split_once('>').unwrap().1.split('<').next().unwrap())
            .collect()
    }
}

pub(crate) struct Browser {
    program: PathBuf,
}

impl Browser {
    /// If chromium is missing, says so on the standard error of the process, past the capture of the test
    /// harness.
    pub(crate) fn find() -> Option<Self> {
        let found = Self::installed();
        if found.is_none() {
            skipped("there is no chromium, so the page of hapax-admin was not opened");
        }
        found.map(|program| Self { program })
    }

    fn installed() -> Option<PathBuf> {
        if let Some(named) = env::var_os("HAPAX_CHROMIUM") {
            return Some(named.into());
        }
        let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
        let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
        let mut places = names
            .iter()
            .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        places.find(|place| place.is_file())
    }

    /// `None` if it does not run here.
    pub(crate) async fn open(&self, visit: &Visit) -> Option<Seen> {
        let _turn = TURN.lock().await;
        if !self.starts().await {
            skipped("chromium opens no page at all here, so that of hapax-admin was not opened");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let output = self.command(visit, dir.path()).output();
        let output = timeout(PATIENCE, output)
            .await
            .expect("chromium ends")
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Some(seen(&output, &said, dir.path()))
    }

    /// Whether it opens an empty page. A browser that was named must.
    async fn starts(&self) -> bool {
        static STARTS: OnceCell<bool> = OnceCell::const_new();
        let looked = STARTS.get_or_init(|| async {
            let dir = tempfile::tempdir().unwrap();
            let nothing = Visit::of("data:text/html,<p>here</p>".to_owned(), 1);
            let output = timeout(PATIENCE, self.command(&nothing, dir.path()).output()).await;
            let dom = output.ok().and_then(Result::ok).map(|output| output.stdout);
            dom.is_some_and(|dom| String::from_utf8_lossy(&dom).contains("<p>here</p>"))
        });
        let starts = *looked.await;
        let named = env::var_os("HAPAX_CHROMIUM").is_some();
        assert!(starts || !named, "HAPAX_CHROMIUM opens no page");
        starts
    }

    fn command(&self, visit: &Visit, dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.kill_on_drop(true);
        command.args(["--headless=new", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args([
            "--no-first-run",
            "--disable-extensions",
            "--hide-scrollbars",
        ]);
        command.args(["--enable-logging=stderr", "--dump-dom"]);
        if is_root() {
            // Its sandbox refuses root; the tests open only our own pages.
            command.arg("--no-sandbox");
        }
        // 0 is dark, 1 is light.
        let scheme = u8::from(!visit.dark);
        command.arg(format!("--blink-settings=preferredColorScheme={scheme}"));
        command.arg(format!("--user-data-dir={}", dir.join("profile").display()));
        command.arg(format!("--screenshot={}", dir.join(PICTURE).display()));
        command.arg(format!("--window-size={},{}", visit.width, visit.height));
        command.arg(format!("--virtual-time-budget={}", visit.secs * 1000));
        command.arg(&visit.url);
        command
    }
}

const PICTURE: &str = "page.png";

fn seen(output: &Output, said: &str, dir: &Path) -> Seen {
    let dom = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(dom.contains("</html>"), "chromium has opened it: {said}");
    let console = said.lines().filter(|line| line.contains(":CONSOLE"));
    Seen {
        dom,
        console: console.map(str::to_owned).collect(),
        png: std::fs::read(dir.join(PICTURE)).unwrap(),
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Says it once, though every test finds out.
fn skipped(what: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let _ = writeln!(std::io::stderr(), "\n**** SKIPPED: {what}");
    });
}
