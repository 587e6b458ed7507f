//! Salvage: what is left of a damaged store comes back in a new one, the report admits the rest,
//! and the original stays as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hapax::audit::{AuditFilter, Transition};
use hapax::maintenance::{SalvageOptions, SalvageReport};
use hapax::operator::Attribution;
use hapax::{
    Claim, ClaimItem, ClaimOptions, Error, ErrorKind, KeyState, LogKind, Namespace, Policy,
    Resolution, Store,
};
use tempfile::TempDir;

use crate::contract_support::operator;
use crate::logs::KINDS;

const LARGE: usize = 200_000;

fn spaces(store: &Store) -> (Namespace, Namespace) {
    let mail = store.namespace("mail", Policy::at_least_once()).unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    (mail, pay)
}

fn complete(space: &Namespace, key: &str, body: &[u8]) {
    let Claim::Granted(lease) = space.claim(key).unwrap() else {
        panic!("{key} is free")
    };
    lease.complete(body).unwrap();
}

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

/// A closed store of several runs with every kind of key.
struct Broken {
    log: LogKind,
    root: TempDir,
    highest: i64,
    ticket: hapax::Ticket,
}

impl Broken {
    fn new(log: LogKind) -> Self {
        println!("{log:?}");
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("store");
        let store = Store::builder(&path).log_kind(log).open().unwrap();
        let (mail, pay) = spaces(&store);
        complete(&mail, "first", b"one");
        complete(&pay, "paid", b"receipt");
        complete(&mail, "large", &[7; LARGE]);
        store.close().unwrap();
        drop((mail, pay));
        let store = Store::open(&path).unwrap();
        let (mail, pay) = spaces(&store);
        let Claim::Granted(lease) = pay.claim("doubted").unwrap() else {
            panic!("granted")
        };
        lease.doubt("timed out").unwrap();
        let Claim::Granted(lease) = mail.claim("refused").unwrap() else {
            panic!("granted")
        };
        lease.fail("declined").unwrap();
        let Claim::Granted(lease) = pay.claim("released").unwrap() else {
            panic!("granted")
        };
        lease.release("later").unwrap();
        complete(&mail, "forgotten", b"");
        assert!(mail.forget("forgotten").unwrap());
        let Claim::Granted(lease) = pay.claim("running").unwrap() else {
            panic!("granted")
        };
        let highest = lease.token().as_i64();
        let ticket = lease.detach().unwrap();
        store.close().unwrap();
        Self {
            log,
            root,
            highest,
            ticket,
        }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn segment(&self, number: u64) -> PathBuf {
        let suffix = if self.log == LogKind::Files {
            ".seg"
        } else {
            ""
        };
        self.path().join(format!("segments/{number:016x}{suffix}"))
    }

    /// The file of a segment that holds its frames.
    fn frames_of(&self, number: u64) -> PathBuf {
        match self.log {
            LogKind::Files => self.segment(number),
            _ => self.segment(number).join("db"),
        }
    }

    fn remove(&self, number: u64) {
        match self.log {
            LogKind::Files => fs::remove_file(self.segment(number)).unwrap(),
            _ => fs::remove_dir_all(self.segment(number)).unwrap(),
        }
    }

    /// Damages what marks a segment as a segment.
    fn spoil_link(&self, number: u64, is_lost: bool) {
        let path = match self.log {
            LogKind::Files => self.segment(number),
            _ => self.segment(number).join("ready"),
        };
        let mut bytes = fs::read(&path).unwrap();
        bytes[30] ^= 1;
        match (self.log, is_lost) {
            (LogKind::Files, true) => bytes[..4096].fill(0),
            (LogKind::Files, false) => {}
            (_, true) => return fs::remove_file(path).unwrap(),
            (_, false) => bytes = b"?".to_vec(),
        }
        fs::write(path, bytes).unwrap();
    }

    /// Salvages, and checks that the original stays as it was.
    fn salvage(&self, options: SalvageOptions) -> Result<(Store, SalvageReport), Error> {
        let before = files(&self.path());
        let into = self.root.path().join("rescued");
        let result = Store::salvage_with(self.path(), &into, options);
        assert!(files(&self.path()) == before, "the original was changed");
        let salvage = result?;
        let store = Store::open(&into).unwrap();
        assert_eq!(store.log_kind(), Some(self.log));
        store.verify().unwrap();
        store.validate();
        Ok((store, salvage))
    }

    fn salvage_alone(&self) -> (Store, SalvageReport) {
        self.salvage(SalvageOptions::new()).unwrap()
    }
}

/// Every file below a directory, with its bytes.
fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn state(space: &Namespace, key: &str) -> Option<KeyState> {
    space.get(key).unwrap().map(|info| info.state())
}

fn check_all(store: &Store) {
    let (mail, pay) = spaces(store);
    let body = |space: &Namespace, key: &str| space.get(key).unwrap().unwrap().body().to_vec();
    assert_eq!(body(&mail, "first"), b"one");
    assert_eq!(body(&mail, "large"), [7; LARGE]);
    assert_eq!(body(&mail, "refused"), b"declined");
    assert_eq!(body(&pay, "paid"), b"receipt");
    assert_eq!(state(&pay, "doubted"), Some(KeyState::InDoubt));
    assert_eq!(state(&pay, "released"), Some(KeyState::Released));
    assert_eq!(state(&pay, "running"), Some(KeyState::InDoubt));
    assert_eq!(state(&mail, "forgotten"), None);
}

#[test]
fn a_store_that_is_whole_comes_back_whole_and_grants_at_once() {
    for log in KINDS {
        let broken = Broken::new(log);
        let (store, salvage) = broken.salvage_alone();
        assert!(salvage.is_whole(), "{salvage}");
        assert_eq!((salvage.completed_keys(), salvage.failed_keys()), (3, 1));
        assert_eq!((salvage.keys_in_doubt(), salvage.unfinished_keys()), (1, 2));
        assert_eq!(salvage.lost_frames(), []);
        check_all(&store);
        let pay = spaces(&store).1;
        let Claim::Granted(lease) = pay.claim("new").unwrap() else {
            panic!("nothing was lost")
        };
        assert!(lease.token().as_i64() > broken.highest);
        assert!(lease.token().as_i64() >> 32 > 1 << 16, "the epoch jumps");
        // Tickets and fingerprints are those of the original.
        store.attach(&broken.ticket).unwrap().complete("").unwrap();
        let original = Store::open(broken.path()).unwrap();
        let print = |space: &Namespace| space.fingerprint_of("body").unwrap();
        assert_eq!(print(&spaces(&original).1), print(&pay));
    }
}

#[test]
fn an_at_most_once_namespace_grants_nothing_until_the_loss_is_accepted() {
    for log in KINDS {
        let broken = Broken::new(log);
        broken.remove(1);
        assert_eq!(kind(Store::open(broken.path())), ErrorKind::Damaged);
        let (store, salvage) = broken.salvage_alone();
        assert!(!salvage.is_whole() && salvage.end_is_known());
        assert_eq!(*salvage.lost_frames()[0].start(), 1);
        let (mail, pay) = spaces(&store);
        // The store answers what it knows, and does not guess what a lost record said.
        assert!(matches!(pay.claim("doubted").unwrap(), Claim::InDoubt(_)));
        for key in ["paid", "new", "released"] {
            assert_eq!(kind(pay.claim(key)), ErrorKind::Salvaged, "{key}");
        }
        assert_eq!(kind(pay.insert("paid")), ErrorKind::Salvaged);
        assert_eq!(kind(store.attach(&broken.ticket)), ErrorKind::Salvaged);
        let items = ["doubted", "paid"].map(ClaimItem::new);
        let answers = pay.claim_many(items).unwrap();
        assert_eq!(answers.len(), 2, "the batch goes on past a refusal");
        let waiting = ClaimOptions::new().wait(std::time::Duration::from_secs(1));
        assert_eq!(
            kind(pay.claim_with("paid", waiting)),
            ErrorKind::Salvaged,
            "there is nothing to wait for"
        );
        let Claim::InDoubt(doubt) = pay.claim("doubted").unwrap() else {
            panic!("in doubt")
        };
        doubt.resolve(Resolution::NeverHappened).unwrap();
        assert_eq!(kind(pay.claim("doubted")), ErrorKind::Salvaged);
        // At-least-once may run again what was lost.
        complete(&mail, "first", b"again");

        // Neither a restart, nor a backup, nor another salvage forgets it; the acceptance is durable.
        let again = broken.root.path().join("again");
        store.backup(broken.root.path().join("backup")).unwrap();
        store.close().unwrap();
        drop((mail, pay, doubt));
        let second = Store::salvage(broken.root.path().join("rescued"), &again).unwrap();
        assert!(second.is_whole(), "{second}");
        let restored = broken.root.path().join("restored");
        Store::restore(broken.root.path().join("backup"), &restored).unwrap();
        for path in [broken.root.path().join("rescued"), again, restored] {
            let store = Store::open(&path).unwrap();
            assert_eq!(kind(spaces(&store).1.claim("new")), ErrorKind::Salvaged);
            let alice = Attribution::new("alice", "INC-42: looked up").unwrap();
            let operator = store.operator(alice);
            operator.accept_salvage().unwrap();
            operator.accept_salvage().unwrap();
            let accepted = store.audit(AuditFilter::new()).unwrap().map(Result::unwrap);
            let accepted =
                accepted.filter(|entry| entry.transition() == Transition::SalvageAccepted);
            let by: Vec<_> = accepted
                .map(|entry| (entry.namespace().is_none(), entry.actor().to_owned()))
                .collect();
            assert_eq!(by, [(true, "alice".to_owned())]);
            assert!(matches!(
                spaces(&store).1.claim("new").unwrap(),
                Claim::Granted(_)
            ));
            store.close().unwrap();
            let store = Store::open(&path).unwrap();
            assert!(spaces(&store).1.insert("another").unwrap());
        }
    }
}

/// Changes a byte within what lies in a segment's file.
fn spoil(db: &Path, what: &[u8]) {
    let mut bytes = fs::read(db).unwrap();
    let at = bytes
        .windows(what.len())
        .position(|window| window == what)
        .expect("it is there");
    bytes[at] ^= 0x20;
    fs::write(db, bytes).unwrap();
}

#[test]
fn an_outcome_whose_bytes_are_lost_is_a_doubt() {
    for log in KINDS {
        let broken = Broken::new(log);
        spoil(&broken.frames_of(1), &[7; 1000]);
        let (store, salvage) = broken.salvage_alone();
        assert_eq!(salvage.lost_bodies(), 1, "{salvage}");
        assert_eq!(salvage.lost_frames().len(), 1);
        let file = if log == LogKind::Files {
            "seg at "
        } else {
            "db at "
        };
        assert!(salvage.to_string().contains(file), "{salvage}");
        let (mail, pay) = spaces(&store);
        let Claim::InDoubt(doubt) = mail.claim("large").unwrap() else {
            panic!("never absent, and never another answer")
        };
        let info = mail.get("large").unwrap().unwrap();
        assert!(
            String::from_utf8_lossy(info.reason()).contains("bytes are lost"),
            "{doubt:?}"
        );
        assert!(mail.contains("first").unwrap() && pay.contains("paid").unwrap());
        doubt.resolve(Resolution::Happened(vec![7; LARGE])).unwrap();
        assert!(mail.contains("large").unwrap());
    }
}

#[test]
fn damaged_links_and_configuration_lose_nothing() {
    for log in KINDS {
        let broken = Broken::new(log);
        broken.spoil_link(1, true);
        broken.spoil_link(2, false);
        match log {
            LogKind::Files => fs::write(broken.path().join("LOGKIND"), b"").unwrap(),
            _ => fs::write(broken.segment(1).join("conf"), b"").unwrap(),
        }
        let (store, salvage) = broken.salvage_alone();
        assert!(salvage.is_whole(), "{salvage}");
        assert_eq!(salvage.places().len(), 2, "{salvage}");
        check_all(&store);
    }
}

#[test]
fn without_marks_everything_is_saved_and_the_end_is_not_known() {
    for log in KINDS {
        let broken = Broken::new(log);
        fs::write(broken.path().join("MARKS"), vec![0; 8192]).unwrap();
        assert_eq!(kind(Store::open(broken.path())), ErrorKind::Damaged);
        let (store, salvage) = broken.salvage_alone();
        assert!(!salvage.end_is_known() && !salvage.is_whole());
        check_all(&store);
        assert_eq!(kind(spaces(&store).1.claim("new")), ErrorKind::Salvaged);
        operator(&store).accept_salvage().unwrap();
        let Claim::Granted(lease) = spaces(&store).1.claim("new").unwrap() else {
            panic!("accepted")
        };
        assert!(lease.token().as_i64() > broken.highest);
    }
}

#[test]
fn a_manifest_that_is_lost_is_asked_for() {
    for log in KINDS {
        let broken = Broken::new(log);
        let backup = broken.root.path().join("backup");
        Store::open(broken.path()).unwrap().backup(&backup).unwrap();
        fs::write(broken.path().join("MANIFEST"), b"hapaxman?").unwrap();
        let error = broken.salvage(SalvageOptions::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("manifest_of"), "{error}");
        let one = SalvageOptions::new().namespace(1, "mail", Policy::at_least_once());
        let error = broken.salvage(one.clone()).unwrap_err();
        assert!(error.to_string().contains("numbers {2}"), "{error}");
        let twice = one.clone().namespace(1, "pay", Policy::at_most_once());
        assert_eq!(kind(broken.salvage(twice)), ErrorKind::Invalid);

        let (store, salvage) = broken
            .salvage(one.namespace(2, "pay", Policy::at_most_once()))
            .unwrap();
        assert!(salvage.seed_is_lost() && !salvage.is_whole());
        check_all(&store);
        assert_eq!(kind(spaces(&store).1.claim("new")), ErrorKind::Salvaged);
        // A namespace without a record left may have had some.
        let gone = store.namespace("gone", Policy::at_most_once()).unwrap();
        assert_eq!(kind(gone.claim("new")), ErrorKind::Salvaged);
        store.close().unwrap();
        fs::remove_dir_all(broken.root.path().join("rescued")).unwrap();

        let options = SalvageOptions::new().manifest_of(&backup);
        let (store, salvage) = broken.salvage(options).unwrap();
        assert!(salvage.is_whole(), "{salvage}");
        check_all(&store);
    }
}

#[test]
fn a_store_in_use_and_a_target_in_the_way_are_refused() {
    for log in KINDS {
        let broken = Broken::new(log);
        let (path, other) = (broken.path(), broken.root.path().join("other"));
        let store = Store::open(&path).unwrap();
        assert_eq!(kind(Store::salvage(&path, &other)), ErrorKind::Locked);
        store.close().unwrap();
        assert_eq!(
            kind(Store::salvage(&path, path.join("inside"))),
            ErrorKind::Invalid
        );
        assert_eq!(kind(Store::salvage(&path, &path)), ErrorKind::Invalid);
        assert_eq!(
            kind(Store::salvage(broken.root.path(), &other)),
            ErrorKind::NotAStore
        );
        Store::open(&other).unwrap().close().unwrap();
        assert_eq!(kind(Store::salvage(&path, &other)), ErrorKind::NotAStore);
    }
}

/// Opening took the directory for an empty one, made another store in it, and granted the tokens of
/// the first one again.
#[test]
fn a_store_without_frames_that_lost_its_manifest_is_not_a_new_store() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("store");
    let store = Store::open(&path).unwrap();
    let Claim::Granted(lease) = spaces(&store).0.claim("key").unwrap() else {
        panic!("granted")
    };
    store.close().unwrap();
    drop(lease);
    fs::remove_file(path.join("MANIFEST")).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("manifest is missing"), "{error}");
}
