//! The damage to an image.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hapax::LogKind;

use crate::Draw;
use crate::stores::{Base, extents, segment_path};

/// A change within a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spot {
    Flip(usize),
    Zero(usize, usize),
    Cut(usize),
}

/// One thing that happens to an image.
#[derive(Clone, Debug)]
pub(crate) enum Harm {
    None,
    Change(PathBuf, Spot),
    Delete(PathBuf),
    DeleteFolder(PathBuf),
    /// Two files or folders take each other's place.
    Swap(PathBuf, PathBuf),
    /// Two frames of a file take each other's place.
    SwapFrames(PathBuf, Range<usize>, Range<usize>),
    /// A file of another store.
    Foreign(PathBuf, Hidden),
}

/// Bytes whose `Debug` shows only how many they are.
#[derive(Clone)]
pub(crate) struct Hidden(Arc<Vec<u8>>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

pub(crate) fn change(root: &Path, file: &Path, spot: Spot) {
    let path = root.join(file);
    let open = OpenOptions::new().read(true).write(true).open(path);
    let file = open.unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    match spot {
        Spot::Flip(at) => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at as u64).unwrap();
            byte[0] ^= 1 << (at % 8);
            file.write_all_at(&byte, at as u64).unwrap();
        }
        Spot::Zero(at, bytes) => {
            let bytes = bytes.min(length - at);
            file.write_all_at(&vec![0; bytes], at as u64).unwrap();
        }
        Spot::Cut(at) => file.set_len(at as u64).unwrap(),
    }
}

impl Harm {
    /// Does the damage to the store in this directory.
    pub(crate) fn strike(&self, root: &Path) {
        match self {
            Self::None => {}
            Self::Change(file, spot) => change(root, file, *spot),
            Self::Delete(file) => fs::remove_file(root.join(file)).unwrap(),
            Self::DeleteFolder(folder) => fs::remove_dir_all(root.join(folder)).unwrap(),
            Self::Swap(one, other) => {
                let (one, other, aside) = (root.join(one), root.join(other), root.join("aside"));
                fs::rename(&one, &aside).unwrap();
                fs::rename(&other, &one).unwrap();
                fs::rename(&aside, &other).unwrap();
            }
            Self::SwapFrames(file, one, other) => {
                let mut bytes = fs::read(root.join(file)).unwrap();
                let (a, b) = (bytes[one.clone()].to_vec(), bytes[other.clone()].to_vec());
                bytes[one.clone()].copy_from_slice(&b);
                bytes[other.clone()].copy_from_slice(&a);
                File::create(root.join(file))
                    .and_then(|to| to.write_all_at(&bytes, 0))
                    .unwrap();
            }
            Self::Foreign(file, Hidden(bytes)) => fs::write(root.join(file), &**bytes).unwrap(),
        }
    }

    pub(crate) fn is_of_manifest(&self) -> bool {
        match self {
            Self::Change(file, _) | Self::Delete(file) | Self::Foreign(file, _) => {
                file == Path::new("MANIFEST")
            }
            _ => false,
        }
    }
}

/// Damage that does not depend on offsets.
fn whole_files(base: &Base, other: &Base) -> Vec<Harm> {
    let mut harms = vec![Harm::DeleteFolder("segments".into())];
    for name in base.files.keys() {
        harms.push(Harm::Delete(name.clone()));
        if let Some(bytes) = other.files.get(name) {
            harms.push(Harm::Foreign(name.clone(), Hidden(Arc::new(bytes.clone()))));
        }
    }
    let place = |number: u64| segment_path(base.log, number);
    let segments = base.segments();
    let is_sled = base.log == LogKind::Sled;
    if is_sled {
        harms.extend(segments.iter().map(|at| Harm::DeleteFolder(place(*at))));
    }
    for pair in segments.windows(2) {
        let (one, next) = (place(pair[0]), place(pair[1]));
        let files = if is_sled { &["db", "ready"][..] } else { &[] };
        for file in files {
            harms.push(Harm::Swap(one.join(file), next.join(file)));
        }
        harms.push(Harm::Swap(one, next));
    }
    for (name, bytes) in base.segment_files() {
        let frames = extents(bytes);
        let pair = frames.iter().enumerate().find_map(|(at, one)| {
            let same = frames[at + 1..]
                .iter()
                .find(|other| other.len() == one.len());
            same.map(|other| (one.clone(), other.clone()))
        });
        harms.extend(pair.map(|(one, other)| Harm::SwapFrames(name.clone(), one, other)));
    }
    harms
}

/// Every `stride`-th offset of every file, in every way; without a stride, 256 offsets of each
/// file.
pub(crate) fn all(base: &Base, other: &Base, stride: Option<usize>) -> Vec<Harm> {
    let mut harms = vec![Harm::None];
    harms.extend(whole_files(base, other));
    for (name, bytes) in &*base.files {
        let step = stride.unwrap_or(bytes.len() / 256 + 1);
        for at in (0..bytes.len()).step_by(step) {
            let spots = [
                Spot::Flip(at),
                Spot::Zero(at - at % 4096, 4096),
                Spot::Zero(at - at % 512, 512),
                Spot::Cut(at),
            ];
            harms.extend(spots.map(|spot| Harm::Change(name.clone(), spot)));
        }
    }
    harms
}

/// Some offsets of every file, most of them where frames lie, and everything that has no offset.
pub(crate) fn sample(base: &Base, other: &Base, per_file: u64, draw: &mut Draw) -> Vec<Harm> {
    let mut harms = vec![Harm::None];
    harms.extend(whole_files(base, other));
    for (name, bytes) in base.files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let frames = extents(bytes);
        for _ in 0..per_file {
            let mut at = usize::try_from(draw.below(bytes.len() as u64)).unwrap();
            if !frames.is_empty() && draw.below(4) > 0 {
                let frame = &frames[usize::try_from(draw.below(frames.len() as u64)).unwrap()];
                at = frame.start + usize::try_from(draw.below(frame.len() as u64)).unwrap();
            }
            let spot = match draw.below(4) {
                0 => Spot::Zero(at - at % 4096, 4096),
                1 => Spot::Zero(at - at % 512, 512),
                2 => Spot::Cut(at),
                _ => Spot::Flip(at),
            };
            harms.push(Harm::Change(name.clone(), spot));
        }
    }
    harms
}
