//! Judges what `open` and `salvage` make of an image.

use std::collections::BTreeSet;
use std::path::Path;

use hapax::maintenance::{SalvageOptions, SalvageReport};
use hapax::scan::KeyFilter;
use hapax::{Error, ErrorKind, KeyState, Store};

use crate::harm::Harm;
use crate::stores::{
    Base, Name, Truth, extents, files, holds_frames, mail, number_of, pay, spaces,
};

/// The result of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    opened: Opened,
    saved: Saved,
}

#[derive(Clone, Copy, Debug)]
enum Opened {
    Complete,
    /// Without the end of the log, which nothing vouched for.
    CutShort,
    Refused,
    /// It opened, and some keys answered with an error.
    Partly,
}

#[derive(Clone, Copy, Debug)]
enum Saved {
    Whole,
    Part,
    /// The manifest was lost, so that the namespaces had to be named.
    Named,
    /// Nothing was left to identify the store.
    Nothing,
}

/// How many images ended in which way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) images: u32,
    pub(crate) complete: u32,
    pub(crate) cut_short: u32,
    pub(crate) refused: u32,
    pub(crate) partly: u32,
    pub(crate) whole: u32,
    pub(crate) part: u32,
    pub(crate) named: u32,
    pub(crate) nothing: u32,
}

impl Counts {
    pub(crate) fn add(&mut self, verdict: Verdict) {
        self.images += 1;
        *match verdict.opened {
            Opened::Complete => &mut self.complete,
            Opened::CutShort => &mut self.cut_short,
            Opened::Refused => &mut self.refused,
            Opened::Partly => &mut self.partly,
        } += 1;
        *match verdict.saved {
            Saved::Whole => &mut self.whole,
            Saved::Part => &mut self.part,
            Saved::Named => &mut self.named,
            Saved::Nothing => &mut self.nothing,
        } += 1;
    }
}

/// Makes an image, damages it, and checks that salvage and open keep their promises.
pub(crate) fn judge(base: &Base, harm: &Harm) -> Verdict {
    let image = base.image();
    harm.strike(image.path());
    let intact = intact(base, image.path());
    let saved = judge_salvage(base, harm, image.path(), &intact);
    let read = read(base, image.path());
    let opened = judge_open(base, image.path(), &read);
    if matches!(opened, Opened::Refused) {
        // An image that open refused is as salvageable as before.
        let left = self::intact(base, image.path());
        assert!(left == intact, "open has destroyed frames");
    }
    Verdict { opened, saved }
}

/// The frames that count and are left somewhere with every byte intact.
fn intact(base: &Base, image: &Path) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let files = files(image);
    for bytes in files.iter().filter(|(name, _)| holds_frames(name)) {
        for extent in extents(bytes.1) {
            let frame = &bytes.1[extent];
            let number = number_of(frame);
            if base.frames.get(&number).is_some_and(|there| there == frame) {
                found.insert(number);
            }
        }
    }
    found
}

/// A refusal has to say what is wrong, where, and what to do.
fn check_refusal(error: &Error) {
    let kinds = [
        ErrorKind::Damaged,
        ErrorKind::NotAStore,
        ErrorKind::Unsupported,
    ];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    let text = error.to_string();
    let places = [
        "segment", "frame", "manifest", "marks", "log", "holds", "key-", "db", "conf", "LOGKIND",
    ];
    assert!(places.iter().any(|place| text.contains(place)), "{text}");
}

fn truth(store: &Store, name: &Name) -> Result<Option<Truth>, Error> {
    let [mail, pay] = spaces(store);
    let space = if name.0 == "mail" { mail } else { pay };
    let info = space.get(&name.1)?;
    Ok(info.map(|info| (info.state(), info.body().to_vec())))
}

/// The result of an open: its refusal, or for each key its state or its refusal.
type Told = Result<Vec<Result<Option<Truth>, ErrorKind>>, ErrorKind>;

fn told(base: &Base, opened: &Result<Store, Error>) -> Told {
    let store = opened.as_ref().map_err(Error::kind)?;
    let names = base.history.keys();
    Ok(names
        .map(|name| truth(store, name).map_err(|error| error.kind()))
        .collect())
}

/// The result of an open to read, which changes nothing.
fn read(base: &Base, image: &Path) -> Told {
    let before = files(image);
    let opened = base.open_to_read(image);
    let told = told(base, &opened);
    match opened {
        Ok(store) => store.close().unwrap(),
        Err(error) => check_refusal(&error),
    }
    assert!(files(image) == before, "an open to read changes nothing");
    told
}

fn judge_open(base: &Base, image: &Path, read: &Told) -> Opened {
    let opened = base.open(image);
    let told = told(base, &opened);
    assert!(
        told == *read,
        "an open to read says otherwise: {:?}, not {:?}",
        read.as_ref().err(),
        told.as_ref().err()
    );
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            check_refusal(&error);
            return Opened::Refused;
        }
    };
    let (mut missing, mut errors) = (Vec::new(), 0);
    for (name, history) in &*base.history {
        match (truth(&store, name), base.keys.get(name)) {
            (Err(error), _) => {
                check_refusal(&error);
                errors += 1;
            }
            (Ok(found), Some(expected)) if found.as_ref() == Some(expected) => {}
            (Ok(None), None) => {}
            (Ok(found), expected) => {
                let lag = !base.was_closed && found.is_none();
                assert!(
                    lag,
                    "{name:?} is {:?}, not {:?} ({} states)",
                    found.map(|found| found.0),
                    expected.map(|expected| expected.0),
                    history.len()
                );
                missing.push(name.clone());
            }
        }
    }
    let scanned = store.scan(KeyFilter::new()).unwrap();
    let seen = scanned.filter(Result::is_ok).count();
    if errors == 0 && missing.is_empty() {
        assert_eq!(seen, base.keys.len(), "a scan sees other keys");
    }
    check_missing(base, &missing);
    store.validate();
    match (errors, missing.is_empty()) {
        (0, true) => Opened::Complete,
        (0, false) => Opened::CutShort,
        _ => Opened::Partly,
    }
}

/// Only the end of the log may be missing, and only the part that nothing vouches for.
fn check_missing(base: &Base, missing: &[Name]) {
    let place = |name: &Name| base.needed(name).end - 1;
    let Some(first) = missing.iter().map(place).min() else {
        return;
    };
    assert!(
        first > base.vouched(),
        "frame {first} was durable by the marks"
    );
    let after = base.keys.keys().filter(|name| place(name) >= first).count();
    assert_eq!(after, missing.len(), "there is a hole in what is left");
}

fn judge_salvage(base: &Base, harm: &Harm, image: &Path, intact: &BTreeSet<u64>) -> Saved {
    let before = files(image);
    let root = tempfile::tempdir().unwrap();
    let into = root.path().join("rescued");
    let mut named = false;
    let salvage = match Store::salvage(image, &into) {
        Err(error) if harm.is_of_manifest() => {
            check_refusal(&error);
            named = true;
            let options = SalvageOptions::new()
                .namespace(1, "mail", mail())
                .namespace(2, "pay", pay());
            Store::salvage_with(image, &into, options)
        }
        result => result,
    };
    assert!(files(image) == before, "salvage has changed the original");
    let salvage = salvage.unwrap();
    let store = base.open(&into).unwrap();
    store.verify().unwrap();
    store.validate();
    check_saved(base, &store, &salvage, intact);
    if named {
        assert!(salvage.seed_is_lost() && !salvage.is_whole());
        return Saved::Named;
    }
    match (salvage.is_whole(), salvage.frames()) {
        (true, _) => Saved::Whole,
        (false, 0) => Saved::Nothing,
        (false, _) => Saved::Part,
    }
}

fn check_saved(base: &Base, store: &Store, salvage: &SalvageReport, intact: &BTreeSet<u64>) {
    let mut saved = 0;
    for (name, history) in &*base.history {
        let found = truth(store, name).unwrap();
        saved += u64::from(found.is_some());
        let Some(expected) = base.keys.get(name) else {
            // It was removed; if the removal is lost, the key may be back as it was.
            let is_back = found.is_some();
            assert!(
                !is_back || !salvage.is_whole(),
                "{name:?} is back\n{salvage}"
            );
            assert!(found.is_none_or(|found| history.contains(&found)));
            continue;
        };
        let needed = base.needed(name);
        let is_intact = needed.clone().all(|frame| intact.contains(&frame));
        if found.as_ref() == Some(expected) {
            continue;
        }
        assert!(
            !is_intact,
            "{name:?} was to be saved from frames {needed:?}\n{salvage}"
        );
        let lag = !base.was_closed && needed.end - 1 > base.vouched();
        assert!(!salvage.is_whole() || lag, "{name:?} is missing\n{salvage}");
        match found {
            None => {}
            // A body without all of its parts is a doubt.
            Some((KeyState::InDoubt, body)) if body.is_empty() => {}
            Some(other) => assert!(history.contains(&other), "{name:?}: {:?}", other.0),
        }
    }
    assert_eq!(saved, salvage.saved_keys(), "{salvage}");
}
