//! The stores to damage, and the truth about their keys.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{Claim, Error, KeyState, LogKind, Namespace, Policy, Store, Ticket};
use tempfile::TempDir;

/// Bytes of a body in one part; larger than [`INLINE`] it lies in parts.
const PART: usize = 65_328;
const INLINE: usize = 24 * 1024;
const PART_KIND: u8 = 7;

/// Namespace and key.
pub(crate) type Name = (&'static str, String);

/// The state of a key and its body.
pub(crate) type Truth = (KeyState, Vec<u8>);

/// A store to damage.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) name: &'static str,
    pub(crate) log: LogKind,
    pub(crate) clock: ManualClock,
    /// Everything that was acknowledged.
    pub(crate) keys: Arc<BTreeMap<Name, Truth>>,
    /// Everything that ever was true of a key.
    pub(crate) history: Arc<HashMap<Name, Vec<Truth>>>,
    /// The files, by their path within the store.
    pub(crate) files: Arc<BTreeMap<PathBuf, Vec<u8>>>,
    /// The frames that count, by number: their bytes.
    pub(crate) frames: Arc<BTreeMap<u64, Vec<u8>>>,
    /// The frames that each key needs.
    needed: Arc<HashMap<Name, Range<u64>>>,
    /// It was closed, so that the marks vouch for all of it.
    pub(crate) was_closed: bool,
    root: Arc<TempDir>,
}

pub(crate) fn spaces(store: &Store) -> [Namespace; 2] {
    [
        store.namespace("mail", mail()).unwrap(),
        store.namespace("pay", pay()).unwrap(),
    ]
}

pub(crate) fn mail() -> Policy {
    Policy::at_least_once().retention(Duration::from_secs(30 * 24 * 3600))
}

pub(crate) fn pay() -> Policy {
    Policy::at_most_once().retention(Duration::from_secs(30 * 24 * 3600))
}

/// Builds a store, and remembers what was true.
struct Building {
    log: LogKind,
    clock: ManualClock,
    root: TempDir,
    keys: BTreeMap<Name, Truth>,
    history: HashMap<Name, Vec<Truth>>,
    tickets: Vec<Ticket>,
    next: u32,
}

impl Building {
    fn new(log: LogKind) -> Self {
        Self {
            log,
            clock: ManualClock::new(),
            root: tempfile::tempdir().unwrap(),
            keys: BTreeMap::new(),
            history: HashMap::new(),
            tickets: Vec::new(),
            next: 0,
        }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn open(&self) -> Store {
        Store::builder(self.path())
            .log_kind(self.log)
            .clock(&self.clock)
            .open()
            .unwrap()
    }

    fn is_now(&mut self, space: &Namespace, key: &str, truth: Truth) {
        let space = if space.name() == "mail" {
            "mail"
        } else {
            "pay"
        };
        let name = (space, key.to_owned());
        let history = self.history.entry(name.clone()).or_default();
        history.push(truth.clone());
        self.keys.insert(name, truth);
    }

    /// A key of a fixed length, so that no key is a part of another.
    fn new_key(&mut self) -> String {
        self.next += 1;
        format!("key<{:06}>", self.next)
    }

    fn complete(&mut self, space: &Namespace, size: usize) -> String {
        let key = self.new_key();
        let body: Vec<u8> = key
            .bytes()
            .cycle()
            .skip(9)
            .take(size)
            .map(|byte| byte ^ 0x80)
            .collect();
        let Claim::Granted(lease) = space.claim(&key).unwrap() else {
            panic!("{key} is new")
        };
        if space.policy().guarantee() == hapax::Guarantee::AtMostOnce {
            // If its completion is lost, this remains.
            self.is_now(space, &key, (KeyState::InDoubt, Vec::new()));
        }
        lease.complete(&body[..]).unwrap();
        self.is_now(space, &key, (KeyState::Completed, body));
        key
    }

    /// Some keys in every state.
    fn mixed(&mut self, store: &Store, rounds: usize, large: usize) {
        let [mail, pay] = spaces(store);
        for round in 0..rounds {
            for space in [&mail, &pay] {
                self.complete(space, 10 + 500 * round);
                let key = self.new_key();
                let Claim::Granted(lease) = space.claim(&key).unwrap() else {
                    panic!("{key} is new")
                };
                self.is_now(space, &key, (KeyState::InDoubt, Vec::new()));
                if round % 2 == 0 {
                    lease.doubt("the outcome is unknown").unwrap();
                } else {
                    lease.fail("no").unwrap();
                    self.is_now(space, &key, (KeyState::Failed, b"no".to_vec()));
                }
            }
            let forgotten = self.complete(&mail, 30);
            assert!(mail.forget(&forgotten).unwrap());
            self.keys.remove(&("mail", forgotten));
            let key = self.new_key();
            let Claim::Granted(lease) = pay.claim(&key).unwrap() else {
                panic!("{key} is new")
            };
            self.tickets.push(lease.detach().unwrap());
            self.is_now(&pay, &key, (KeyState::InDoubt, Vec::new()));
        }
        if large > 0 {
            self.complete(&mail, large);
            self.complete(&pay, large);
        }
    }

    fn done(self, name: &'static str, was_closed: bool, store: &Path) -> Base {
        let base = Base {
            name,
            log: self.log,
            clock: self.clock,
            keys: Arc::new(self.keys),
            history: Arc::new(self.history),
            files: Arc::new(files(store)),
            frames: Arc::default(),
            needed: Arc::default(),
            was_closed,
            root: Arc::new(self.root),
        };
        let low = base.low_mark();
        let mut frames = BTreeMap::new();
        for bytes in base.segment_files().map(|(_, bytes)| bytes) {
            for extent in extents(bytes) {
                let frame = &bytes[extent];
                let number = number_of(frame);
                if number > low {
                    frames.insert(number, frame.to_vec());
                }
            }
        }
        let names = base.keys.keys();
        let needed = names.map(|name| (name.clone(), base.find(name, &frames)));
        Base {
            needed: Arc::new(needed.collect()),
            frames: Arc::new(frames),
            ..base
        }
    }
}

/// One run, closed, never opened again.
pub(crate) fn small(log: LogKind) -> Base {
    let mut building = Building::new(log);
    let store = building.open();
    building.mixed(&store, 5, 0);
    store.close().unwrap();
    let path = building.path();
    building.done("small", true, &path)
}

/// Three runs, each a segment, with bodies in parts.
pub(crate) fn reopened(log: LogKind) -> Base {
    let mut building = Building::new(log);
    for large in [200_000, 30_000, 70_000] {
        let store = building.open();
        building.mixed(&store, 2, large);
        store.close().unwrap();
    }
    let path = building.path();
    building.done("reopened", true, &path)
}

/// Copied while open, with the marks behind: the last keys are vouched for by frames alone.
pub(crate) fn killed(log: LogKind) -> Base {
    let mut building = Building::new(log);
    let store = building.open();
    let [mail, _] = spaces(&store);
    for _ in 0..20 {
        building.complete(&mail, 300);
    }
    building.clock.advance(Duration::from_millis(300));
    for _ in 0..20 {
        building.complete(&mail, 300);
    }
    let path = building.path();
    building.done("killed", false, &path)
}

/// The oldest segment is dead and the low mark above it, but a crash left its folder.
pub(crate) fn compacting(log: LogKind) -> Base {
    let mut building = Building::new(log);
    let store = building.open();
    let [mail, _] = spaces(&store);
    let kept = building.complete(&mail, 100);
    let mut dead = Vec::new();
    for _ in 0..30 {
        let key = building.complete(&mail, 20_000);
        building.keys.remove(&("mail", key.clone()));
        dead.push(key);
    }
    for key in dead {
        assert!(mail.forget(&key).unwrap());
    }
    store.close().unwrap();
    drop((store, mail));
    let oldest = building.path().join(segment_path(log, 1));
    let saved = match log {
        LogKind::Files => BTreeMap::from([(PathBuf::new(), fs::read(&oldest).unwrap())]),
        _ => files(&oldest),
    };
    let store = building.open();
    building.mixed(&store, 3, 70_000);
    building.clock.advance(Duration::from_secs(130));
    let metrics = store.metrics();
    for done in [
        "hapax_compacted_segments_total",
        "hapax_carried_records_total",
    ] {
        assert!(metrics.total(done, &[]) > 0, "{done}");
    }
    assert!(!oldest.exists() && spaces(&store)[0].contains(&kept).unwrap());
    store.close().unwrap();
    for (name, bytes) in saved {
        let path = if name == PathBuf::new() {
            oldest.clone()
        } else {
            fs::create_dir_all(oldest.join("blobs")).unwrap();
            oldest.join(name)
        };
        fs::write(path, bytes).unwrap();
    }
    let path = building.path();
    building.done("compacting", true, &path)
}

/// More than one segment holds, in one run.
pub(crate) fn rolled(log: LogKind) -> Base {
    let mut building = Building::new(log);
    let store = building.open();
    building.mixed(&store, 1, 0);
    let [mail, _] = spaces(&store);
    for _ in 0..36 {
        building.complete(&mail, 1_000_000);
    }
    building.mixed(&store, 1, 0);
    assert!(store.stats().segments() > 1);
    store.close().unwrap();
    let path = building.path();
    building.done("rolled", true, &path)
}

/// More than one segment, moved from the other log; and of the same files, as a kill just before
/// the old log was removed would have left them.
pub(crate) fn moved(log: LogKind) -> Base {
    let from = match log {
        LogKind::Sled => LogKind::Files,
        _ => LogKind::Sled,
    };
    let mut building = Building::new(from);
    for large in [70_000, 0] {
        let store = building.open();
        building.mixed(&store, 2, large);
        store.close().unwrap();
    }
    let path = building.path();
    Store::move_log(&path, log).unwrap();
    building.log = log;
    building.done("moved", true, &path)
}

/// Where a segment lies: a folder or a file.
pub(crate) fn segment_path(log: LogKind, number: u64) -> PathBuf {
    PathBuf::from(match log {
        LogKind::Files => format!("segments/{number:016x}.seg"),
        _ => format!("segments/{number:016x}"),
    })
}

/// Whether frames lie in a file.
pub(crate) fn holds_frames(name: &Path) -> bool {
    name.ends_with("db") || name.extension().is_some_and(|suffix| suffix == "seg")
}

/// Every file below a directory, by its path within it. The reserve holds nothing.
pub(crate) fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("RESERVE") {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Where something that looks like a frame lies; its checksum is the library's business.
pub(crate) fn extents(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes[at..]
        .windows(8)
        .position(|window| window == b"hapaxfrm")
    {
        let start = at + next;
        at = start + 8;
        let Some(length) = bytes.get(start + 64..start + 68) else {
            break;
        };
        let end = start + 80 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        if end <= bytes.len() {
            found.push(start..end);
            at = end;
        }
    }
    found
}

pub(crate) fn number_of(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[32..40].try_into().unwrap())
}

impl Base {
    pub(crate) fn open(&self, path: &Path) -> Result<Store, Error> {
        Store::builder(path).clock(&self.clock).open()
    }

    pub(crate) fn open_to_read(&self, path: &Path) -> Result<Store, Error> {
        let builder = Store::builder(path).clock(&self.clock);
        builder.read_only().open()
    }

    /// A copy to damage.
    pub(crate) fn image(&self) -> TempDir {
        let image = TempDir::new_in(self.root.path()).unwrap();
        for (name, bytes) in &*self.files {
            let path = image.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with("db") {
                fs::create_dir_all(path.with_file_name("blobs")).unwrap();
            }
            fs::write(path, bytes).unwrap();
        }
        image
    }

    pub(crate) fn is_as_it_was(&self) -> bool {
        let store = self.root.path().join("store");
        !self.was_closed || files(&store) == *self.files
    }

    pub(crate) fn segment_files(&self) -> impl Iterator<Item = (&PathBuf, &Vec<u8>)> {
        self.files.iter().filter(|(name, _)| holds_frames(name))
    }

    /// The numbers of the segments there are.
    pub(crate) fn segments(&self) -> Vec<u64> {
        let digits = |name: &PathBuf| {
            let path = if name.ends_with("db") {
                name.parent()?
            } else {
                name
            };
            path.file_stem()?.to_str().map(str::to_owned)
        };
        self.segment_files()
            .map(|(name, _)| u64::from_str_radix(&digits(name).unwrap(), 16).unwrap())
            .collect()
    }

    pub(crate) fn frames_of_segment(
        &self,
        number: u64,
    ) -> impl Iterator<Item = (PathBuf, Range<usize>)> {
        let path = segment_path(self.log, number);
        let file = match self.log {
            LogKind::Files => path,
            _ => path.join("db"),
        };
        extents(&self.files[&file])
            .into_iter()
            .map(move |extent| (file.clone(), extent))
    }

    /// The fields of the marks at this offset, one for each slot.
    fn marks(&self, offset: usize) -> [u64; 2] {
        let bytes = &self.files[Path::new("MARKS")];
        [2, 4098].map(|slot| {
            u64::from_le_bytes(bytes[slot + offset..slot + offset + 8].try_into().unwrap())
        })
    }

    /// The last frame that both slots of the marks call durable: damage may leave either.
    pub(crate) fn vouched(&self) -> u64 {
        self.marks(40).into_iter().min().unwrap()
    }

    fn low_mark(&self) -> u64 {
        self.marks(64).into_iter().max().unwrap()
    }

    /// The frames that hold the newest record of a key and its body.
    pub(crate) fn needed(&self, name: &Name) -> Range<u64> {
        self.needed[name].clone()
    }

    fn find(&self, name: &Name, frames: &BTreeMap<u64, Vec<u8>>) -> Range<u64> {
        let key = name.1.as_bytes();
        let holds = |frame: &[u8]| {
            // Parts hold no keys, and there are many of them.
            frame[80] != PART_KIND && frame.windows(key.len()).any(|window| window == key)
        };
        let newest = frames.iter().rev().find(|(_, frame)| holds(frame));
        let newest = *newest.expect("every key has a frame").0;
        let body = self.keys[name].1.len();
        let parts = if body > INLINE {
            body.div_ceil(PART)
        } else {
            0
        };
        newest - parts as u64..newest + 1
    }
}
