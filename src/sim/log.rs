//! [`FaultyLog`]: a log that fails, tears, delays, reorders and forgets, by the seed.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::log::contract::{Log, SEGMENT_FRAMES_MAX};
use crate::runtime::manual_clock::ManualClock;
use crate::runtime::sync::Mutex;
use crate::sim::faults::{Fault, Faults};

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ProcessEnd {
    PowerCut,
    Kill,
}

/// A medium and what is on it. It outlives the stores that are opened on it.
#[derive(Clone, Debug)]
pub(super) struct FaultyLog {
    medium: Arc<Mutex<SimMedium>>,
}

/// The log of one life of the process.
#[derive(Debug)]
pub(super) struct Session {
    medium: Arc<Mutex<SimMedium>>,
    number: u64,
}

#[derive(Debug)]
struct SimMedium {
    random: Rng,
    faults: Faults,
    clock: ManualClock,
    /// The only session that may still do anything.
    session: Option<u64>,
    sessions: u64,
    /// The process ended inside a call.
    end: Option<ProcessEnd>,
    /// Calls that change the medium.
    changes: u64,
    /// The change at which the power goes, with any faults.
    cut_at: Option<u64>,
    injected: u64,
    low_disk: bool,
    digest: u64,
    manifest: Option<Vec<u8>>,
    marks: [Vec<u8>; 2],
    segments: BTreeMap<u64, Stored>,
    archives: BTreeMap<u64, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Stored {
    link: Vec<u8>,
    /// By index; `None` is a hole.
    frames: Vec<Option<Frame>>,
    sealed: bool,
    failed: bool,
}

#[derive(Debug)]
struct Frame {
    bytes: Vec<u8>,
    reached: Reached,
}

/// How far a frame has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reached {
    /// The memory of the process.
    Process,
    /// The operating system.
    System,
    Medium,
}

/// What becomes of one change.
enum Fate {
    Happens,
    Fails { happens: bool },
    Ends { happens: bool, end: ProcessEnd },
}

impl FaultyLog {
    pub(super) fn new(seed: u64, faults: Faults, clock: &ManualClock, cut_at: Option<u64>) -> Self {
        let medium = SimMedium {
            random: Rng::with_seed(seed),
            faults,
            clock: clock.clone(),
            session: None,
            sessions: 0,
            end: None,
            changes: 0,
            cut_at,
            injected: 0,
            low_disk: false,
            digest: 0,
            manifest: None,
            marks: [Vec::new(), Vec::new()],
            segments: BTreeMap::new(),
            archives: BTreeMap::new(),
        };
        Self {
            medium: Arc::new(Mutex::new(medium)),
        }
    }

    /// Starts a life of the process; the one before can do nothing any more.
    pub(super) fn session(&self) -> Session {
        let mut medium = self.medium.lock();
        medium.sessions += 1;
        medium.session = Some(medium.sessions);
        Session {
            medium: Arc::clone(&self.medium),
            number: medium.sessions,
        }
    }

    /// The end that the process has met inside of a call.
    pub(super) fn end(&self) -> Option<ProcessEnd> {
        self.medium.lock().end
    }

    /// Ends the life of the process, and settles what of its writes is left.
    pub(super) fn settle(&self, end: ProcessEnd) {
        let mut medium = self.medium.lock();
        let medium = &mut *medium;
        medium.session = None;
        medium.end = None;
        for stored in medium.segments.values_mut() {
            stored.settle(end, &mut medium.random);
        }
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&self) {
        let mut medium = self.medium.lock();
        medium.faults = Faults::none();
        medium.cut_at = None;
        medium.low_disk = false;
    }

    pub(super) fn set_low_disk(&self, low: bool) {
        self.medium.lock().low_disk = low;
    }

    /// Faults that were injected so far.
    pub(super) fn injected(&self) -> u64 {
        self.medium.lock().injected
    }

    /// Calls so far that changed the medium.
    pub(super) fn changes(&self) -> u64 {
        self.medium.lock().changes
    }

    /// A digest of all calls and their results.
    pub(super) fn digest(&self) -> u64 {
        self.medium.lock().digest
    }
}

impl Stored {
    /// Decides what is left of the frames that were not synced.
    fn settle(&mut self, end: ProcessEnd, random: &mut Rng) {
        let lost = |frame: &Frame| match frame.reached {
            Reached::Medium => false,
            // After a failed sync the pages count as written, and may be dropped.
            Reached::System => end == ProcessEnd::PowerCut || self.failed,
            Reached::Process => true,
        };
        let at_risk: Vec<usize> = (0..self.frames.len())
            .filter(|index| self.frames[*index].as_ref().is_some_and(lost))
            .collect();
        let middle = random.usize(0..=at_risk.len());
        let pattern = random.u8(0..5);
        for (at, index) in at_risk.into_iter().enumerate() {
            let keeps = match pattern {
                0 => false,
                1 => true,
                2 => random.bool(),
                3 => at < middle,
                _ => at >= middle,
            };
            let slot = &mut self.frames[index];
            if !keeps {
                *slot = None;
            } else if random.u8(0..10) == 0 {
                tear(slot, random);
            }
        }
        while self.frames.last().is_some_and(Option::is_none) {
            self.frames.pop();
        }
        self.failed = false;
        self.sealed = true;
    }
}

/// Leaves a part of a frame: sectors of 512 bytes, or a prefix.
fn tear(slot: &mut Option<Frame>, random: &mut Rng) {
    let Some(frame) = slot else { return };
    if random.bool() {
        let length = random.usize(0..frame.bytes.len());
        frame.bytes.truncate(length);
    } else {
        let sector = random.usize(0..frame.bytes.len().div_ceil(512));
        frame
            .bytes
            .iter_mut()
            .skip(sector * 512)
            .take(512)
            .for_each(|byte| *byte = 0);
    }
    if frame.bytes.is_empty() {
        *slot = None;
    }
}

impl SimMedium {
    fn stored(&mut self, segment: u64) -> io::Result<&mut Stored> {
        let what = || io::Error::new(ErrorKind::NotFound, format!("no segment {segment}"));
        self.segments.get_mut(&segment).ok_or_else(what)
    }

    /// Segments that take no frame any more answer errors to every write.
    fn writable(&mut self, segment: u64) -> io::Result<&mut Stored> {
        let stored = self.stored(segment)?;
        if stored.failed || stored.sealed {
            return Err(io::Error::other(format!(
                "segment {segment} takes no write any more"
            )));
        }
        Ok(stored)
    }

    fn note(&mut self, what: &str, detail: u64) {
        let seed = self.digest ^ detail;
        self.digest = xxh3_64_with_seed(what.as_bytes(), seed);
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        self.faults.strikes(fault, &mut self.random)
    }

    fn fate(&mut self) -> Fate {
        self.changes += 1;
        if self.cut_at == Some(self.changes) {
            let happens = self.random.bool();
            return Fate::Ends {
                happens,
                end: ProcessEnd::PowerCut,
            };
        }
        for (fault, end) in [
            (Fault::PowerCut, ProcessEnd::PowerCut),
            (Fault::Kill, ProcessEnd::Kill),
        ] {
            if self.strikes(fault) {
                let happens = self.random.bool();
                return Fate::Ends { happens, end };
            }
        }
        if self.strikes(Fault::WriteError) {
            let happens = self.random.bool();
            return Fate::Fails { happens };
        }
        if self.strikes(Fault::SlowWrite) {
            let millis = self.random.u64(1..2000);
            self.clock.advance(Duration::from_millis(millis));
        }
        Fate::Happens
    }
}

fn gone() -> io::Error {
    io::Error::other("this process has ended")
}

fn injected() -> io::Error {
    io::Error::other("a fault of the simulation")
}

impl Session {
    /// Looks at the medium, unless this process has ended.
    fn look<T>(
        &self,
        what: &str,
        detail: u64,
        act: impl FnOnce(&mut SimMedium) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut medium = self.medium.lock();
        if medium.session != Some(self.number) {
            return Err(gone());
        }
        medium.note(what, detail);
        if medium.strikes(Fault::ReadError) {
            medium.injected += 1;
            return Err(injected());
        }
        act(&mut medium)
    }

    /// Changes the medium. Where the change fails, or comes last, `half` says what is left of it.
    fn change(
        &self,
        what: &str,
        detail: u64,
        act: impl FnOnce(&mut SimMedium) -> io::Result<()>,
        half: impl FnOnce(&mut SimMedium),
    ) -> io::Result<()> {
        let mut medium = self.medium.lock();
        if medium.session != Some(self.number) {
            return Err(gone());
        }
        let fate = medium.fate();
        medium.note(what, detail);
        let (happens, error) = match fate {
            Fate::Happens => return act(&mut medium),
            Fate::Fails { happens } => (happens, injected()),
            Fate::Ends { happens, end } => {
                medium.session = None;
                medium.end = Some(end);
                (happens, gone())
            }
        };
        medium.injected += 1;
        if happens {
            act(&mut medium)?;
        } else {
            half(&mut medium);
        }
        Err(error)
    }

    /// A write to a segment, whose first failure is its last.
    fn write(
        &self,
        what: &str,
        segment: u64,
        act: impl FnOnce(&mut SimMedium) -> io::Result<()>,
    ) -> io::Result<()> {
        let result = self.change(what, segment, act, |_| {});
        if result.is_err() {
            if let Some(stored) = self.medium.lock().segments.get_mut(&segment) {
                stored.failed = true;
            }
        }
        result
    }
}

impl Log for Session {
    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>> {
        self.look("read the manifest", 0, |medium| Ok(medium.manifest.clone()))
    }

    fn write_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        let act = |medium: &mut SimMedium| {
            medium.manifest = Some(bytes.to_vec());
            Ok(())
        };
        self.change("write the manifest", 0, act, |_| {})
    }

    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]> {
        self.look("read the marks", 0, |medium| Ok(medium.marks.clone()))
    }

    fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        let act = |medium: &mut SimMedium| match medium.marks.get_mut(slot) {
            Some(mark) if bytes.len() <= 512 => {
                bytes.clone_into(mark);
                Ok(())
            }
            _ => Err(ErrorKind::InvalidInput.into()),
        };
        // The slot is undefined: a prefix of the new bytes may stand before the old ones.
        let half = |medium: &mut SimMedium| {
            let length = medium.random.usize(0..=bytes.len());
            let mark = &mut medium.marks[slot];
            mark.resize(mark.len().max(length), 0);
            mark[..length].copy_from_slice(&bytes[..length]);
        };
        self.change("write the marks", slot as u64, act, half)
    }

    fn segments(&self) -> io::Result<Vec<u64>> {
        // What a killed process has left in the page cache is made durable before it is read.
        let act = |medium: &mut SimMedium| {
            let frames = medium
                .segments
                .values_mut()
                .flat_map(|stored| &mut stored.frames);
            frames
                .flatten()
                .for_each(|frame| frame.reached = Reached::Medium);
            Ok(())
        };
        self.change("list the segments", 0, act, |_| {})?;
        Ok(self.medium.lock().segments.keys().copied().collect())
    }

    fn prepare(&self, segment: u64, _frames: u32) -> io::Result<()> {
        self.change("prepare", segment, |_| Ok(()), |_| {})
    }

    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()> {
        let act = |medium: &mut SimMedium| {
            if link.len() > 512 || medium.segments.contains_key(&segment) {
                let what = format!("segment {segment} cannot be activated");
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            let stored = Stored {
                link: link.to_vec(),
                ..Stored::default()
            };
            medium.segments.insert(segment, stored);
            Ok(())
        };
        self.change("activate", segment, act, |_| {})
    }

    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.look("read a link", segment, |medium| {
            Ok(medium.stored(segment)?.link.clone())
        })
    }

    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()> {
        self.write("append", segment, |medium| {
            let stored = medium.writable(segment)?;
            let fits = (1..=FRAME_BYTES_MAX).contains(&frame.len()) && index < SEGMENT_FRAMES_MAX;
            if !fits || index as usize != stored.frames.len() {
                let what = format!("frame {index} of {} bytes", frame.len());
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            stored.frames.push(Some(Frame {
                bytes: frame.to_vec(),
                reached: Reached::Process,
            }));
            Ok(())
        })
    }

    fn flush(&self, segment: u64) -> io::Result<()> {
        self.write("flush", segment, |medium| {
            let frames = &mut medium.writable(segment)?.frames;
            for frame in frames.iter_mut().flatten() {
                if frame.reached == Reached::Process {
                    frame.reached = Reached::System;
                }
            }
            Ok(())
        })
    }

    fn sync(&self, segment: u64) -> io::Result<()> {
        self.write("sync", segment, |medium| {
            if medium.strikes(Fault::LyingSync) {
                return medium.writable(segment).map(|_| ());
            }
            let frames = &mut medium.writable(segment)?.frames;
            frames
                .iter_mut()
                .flatten()
                .for_each(|frame| frame.reached = Reached::Medium);
            Ok(())
        })
    }

    fn seal(&self, segment: u64) -> io::Result<()> {
        let act = |medium: &mut SimMedium| {
            let stored = medium.stored(segment)?;
            if stored.failed {
                return Err(io::Error::other("the segment has failed before"));
            }
            stored.sealed = true;
            Ok(())
        };
        self.change("seal", segment, act, |_| {})
    }

    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>> {
        self.look("read", segment, |medium| {
            let frame = medium.stored(segment)?.frames.get(index as usize);
            Ok(frame
                .and_then(Option::as_ref)
                .map(|frame| frame.bytes.clone()))
        })
    }

    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        let frames = self.look("read all", segment, |medium| {
            Ok(medium.stored(segment)?.frames.len())
        })?;
        for index in 0..u32::try_from(frames).unwrap_or(SEGMENT_FRAMES_MAX) {
            if let Some(frame) = self.read(segment, index)? {
                if !visit(index, &frame) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        let act = |medium: &mut SimMedium| {
            medium.stored(segment)?;
            medium.segments.remove(&segment);
            Ok(())
        };
        self.change("remove", segment, act, |_| {})
    }

    fn archives(&self) -> io::Result<Vec<u64>> {
        self.look("list the archives", 0, |medium| {
            Ok(medium.archives.keys().copied().collect())
        })
    }

    fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>> {
        let size = |(segment, bytes): (&u64, &Vec<u8>)| (*segment, bytes.len() as u64);
        // Not a step of the simulation: only a metric comes of it.
        Ok(self.medium.lock().archives.iter().map(size).collect())
    }

    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>> {
        self.look("read an archive", segment, |medium| {
            let found = medium.archives.get(&segment).cloned();
            found.ok_or_else(|| ErrorKind::NotFound.into())
        })
    }

    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        let act = |medium: &mut SimMedium| {
            medium.archives.insert(segment, bytes.to_vec());
            Ok(())
        };
        self.change("write an archive", segment, act, |_| {})
    }

    fn remove_archive(&self, segment: u64) -> io::Result<()> {
        let act = |medium: &mut SimMedium| {
            medium.archives.remove(&segment);
            Ok(())
        };
        self.change("remove an archive", segment, act, |_| {})
    }

    fn disk_bytes(&self) -> io::Result<u64> {
        self.look("measure", 0, |medium| {
            let frames = medium.segments.values().flat_map(|stored| &stored.frames);
            Ok(frames.flatten().map(|frame| frame.bytes.len() as u64).sum())
        })
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let low = self.look("measure what is free", 0, |medium| Ok(medium.low_disk))?;
        Ok(Some(if low { 0 } else { u64::MAX }))
    }

    fn hold_reserve(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        let act = |medium: &mut SimMedium| {
            medium.session = None;
            Ok(())
        };
        self.change("close", 0, act, |_| {})
    }
}
