//! What a store says when it is opened to be read, beside what a copy of it says when it is opened.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hapax::Store;
use hapax::audit::{AuditFilter, Transition};
use hapax::scan::KeyFilter;
use hapax::testing::ManualClock;

/// The bytes, sizes and times of all files beneath a directory, by their paths.
pub(crate) fn fingerprint(path: &Path) -> BTreeMap<PathBuf, (u64, u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::metadata(&path).unwrap();
            let bytes = if about.is_dir() {
                folders.push(path.clone());
                0
            } else {
                hash(&fs::read(&path).unwrap())
            };
            let said = (bytes, about.len(), about.mtime(), about.mtime_nsec());
            found.insert(path, said);
        }
    }
    found
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Everything that a store answers, but for what an open to write adds: which keys the last process
/// has left, in the audit log.
pub(crate) fn answers(store: &Store) -> Vec<String> {
    let verified = store.verify().unwrap();
    let mut said = vec![
        format!("{:?}", store.namespaces()),
        format!("{:?}", (verified.records(), verified.live_records())),
        format!("{:?}", store.log_kind()),
    ];
    let all = store.scan(KeyFilter::new()).unwrap();
    said.extend(all.map(|info| {
        let info = info.unwrap();
        let times = (info.recorded_at(), info.expires_at());
        let about = (info.state(), info.token(), info.attempt(), times);
        let key = (info.namespace().to_owned(), info.key().escape_ascii());
        let told = [info.body(), info.metadata(), info.reason()];
        format!("{key:?} {about:?} {:?}", told.map(hash))
    }));
    let doubts = store.doubts().unwrap();
    said.extend(doubts.map(|doubt| format!("{:?}", doubt.unwrap())));
    let stats = store.stats();
    let counts = (
        (stats.keys(), stats.live_records()),
        (stats.torn_frames(), stats.recovered_records()),
    );
    said.push(format!("{counts:?}"));
    store.verify_audit().unwrap();
    let entries = store.audit(AuditFilter::new()).unwrap();
    let entries = entries.map(Result::unwrap);
    let told = entries.filter(|entry| entry.transition() != Transition::Orphaned);
    said.extend(told.map(|entry| entry.to_string()));
    store.validate();
    said
}

/// Opens a store to read it, and checks that it answers like an open of a copy and leaves every
/// byte as it was.
pub(crate) fn check(path: &Path) {
    let before = fingerprint(path);
    // On a clock that stands still nothing is compacted while it is compared.
    let clock = ManualClock::new();
    let reader = Store::builder(path)
        .read_only()
        .clock(&clock)
        .open()
        .unwrap();
    let read = answers(&reader);
    reader.close().unwrap();
    assert!(fingerprint(path) == before, "reading changes nothing");
    let place = tempfile::tempdir().unwrap();
    let twin = place.path().join("copy");
    copy(path, &twin);
    let store = Store::builder(&twin).clock(&clock).open().unwrap();
    let opened = answers(&store);
    assert_eq!(read.len(), opened.len());
    for (read, opened) in read.iter().zip(opened) {
        assert_eq!(*read, opened, "as an open to write would answer");
    }
}
