//! The log: records in 64 KiB chunks, appended in memory and handed to the system a chunk at a time.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::{Mutex, RwLock};
use xxhash_rust::xxh3::xxh3_64;

use super::super::group_commit::GroupCommit;
use crate::engine::keys::{CLAIM_BYTES, KEY_BYTES, Key, RESPONSE_BYTES};
use crate::outcome::Outcome;

const CHUNK: usize = 64 * 1024;

/// Chunks that stay in memory for replays: 4 MiB.
const WINDOW: usize = 64;

/// Kind, length of the value, two bytes to spare, and half a checksum of the rest.
const HEAD: usize = 8;
const RECORD_MAX: usize = HEAD + KEY_BYTES + RESPONSE_BYTES;

const CLAIM: u8 = 1;
const COMPLETION: u8 = 2;

/// One record, as it lies in the file.
#[derive(Clone, Copy)]
pub(super) struct Record {
    bytes: [u8; RECORD_MAX],
    len: usize,
}

impl Record {
    pub(super) fn claim(key: &Key, value: &[u8; CLAIM_BYTES]) -> Self {
        Self::new(CLAIM, key, value)
    }

    pub(super) fn completion(key: &Key, value: &[u8; RESPONSE_BYTES]) -> Self {
        Self::new(COMPLETION, key, value)
    }

    fn new<const N: usize>(kind: u8, key: &Key, value: &[u8; N]) -> Self {
        let mut bytes = [0; RECORD_MAX];
        let len = HEAD + KEY_BYTES + N;
        bytes[HEAD..HEAD + KEY_BYTES].copy_from_slice(key);
        bytes[HEAD + KEY_BYTES..len].copy_from_slice(value);
        bytes[0] = kind;
        let sum = checksum(&bytes[HEAD..len]);
        bytes[4..HEAD].copy_from_slice(&sum);
        Self { bytes, len }
    }

    /// The record that these bytes begin with; `None` for the end of the chunk, or of what is whole.
    fn read(from: &[u8]) -> Option<Self> {
        let len = match *from.first()? {
            CLAIM => HEAD + KEY_BYTES + CLAIM_BYTES,
            COMPLETION => HEAD + KEY_BYTES + RESPONSE_BYTES,
            _ => return None,
        };
        let found = from.get(..len)?;
        if checksum(&found[HEAD..]) != found[4..HEAD] {
            return None;
        }
        let mut bytes = [0; RECORD_MAX];
        bytes[..len].copy_from_slice(found);
        Some(Self { bytes, len })
    }

    pub(super) fn key(&self) -> &Key {
        self.bytes[HEAD..]
            .first_chunk()
            .expect("a record has room for a key")
    }

    pub(super) fn is_completion(&self) -> bool {
        self.bytes[0] == COMPLETION
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = xxh3_64(bytes).to_le_bytes();
    [a, b, c, d]
}

/// The number of a full chunk, and its bytes.
type Full = (u64, Vec<u8>);

/// The chunk that is being filled.
struct Current {
    number: u64,
    bytes: Vec<u8>,
    /// Bytes of it that the file has.
    written: usize,
}

pub(super) struct Log {
    file: File,
    current: Mutex<Current>,
    /// The last chunks that are full; chunk n lies at n modulo the length.
    window: Box<[RwLock<Full>]>,
    /// Held by the writer, so that what a sync covers has no gap.
    writing: Mutex<()>,
    commit: GroupCommit,
}

impl Log {
    /// Opens the log, and hands the records that it holds to `recover`, a chunk at a time.
    pub(super) fn open(
        path: &Path,
        mut recover: impl FnMut(&[(Record, u64)], usize),
    ) -> Outcome<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let bytes = file.metadata()?.len();
        let hint = usize::try_from(bytes)? / RECORD_MAX;
        let mut chunk = vec![0; CHUNK];
        let mut records = Vec::new();
        let mut number = 0;
        loop {
            let read = read_up_to(&mut file, &mut chunk)?;
            if read == 0 {
                break;
            }
            records.clear();
            let base = number * CHUNK as u64;
            let mut at = 0;
            while let Some(record) = Record::read(&chunk[at..read]) {
                records.push((record, base + at as u64));
                at += record.len;
            }
            recover(&records, hint);
            number += 1;
        }
        let empty = |_| RwLock::new((u64::MAX, Vec::new()));
        Ok(Self {
            file,
            current: Mutex::new(Current {
                number,
                bytes: Vec::with_capacity(CHUNK),
                written: 0,
            }),
            window: (0..WINDOW).map(empty).collect(),
            writing: Mutex::new(()),
            commit: GroupCommit::default(),
        })
    }

    /// Appends a record; its place.
    pub(super) fn append(&self, record: &Record) -> Outcome<u64> {
        let mut current = self.current.lock();
        let mut full = None;
        if current.bytes.len() + record.len > CHUNK {
            full = Some(self.roll(&mut current));
        }
        let offset = current.number * CHUNK as u64 + current.bytes.len() as u64;
        current.bytes.extend_from_slice(&record.bytes[..record.len]);
        if let Some((number, written)) = full {
            // The order of the lock is the order of the chunks; others append meanwhile.
            let _writing = self.writing.lock();
            drop(current);
            self.write_full(number, written)?;
        }
        Ok(offset)
    }

    /// Puts the full chunk into the window and begins another: its number, and where to write on.
    fn roll(&self, current: &mut Current) -> (u64, usize) {
        let (number, written) = (current.number, current.written);
        current.bytes.resize(CHUNK, 0);
        let mut slot = self.slot(number).write();
        std::mem::swap(&mut slot.1, &mut current.bytes);
        slot.0 = number;
        current.bytes.clear();
        current.bytes.reserve(CHUNK);
        current.number += 1;
        current.written = 0;
        (number, written)
    }

    fn write_full(&self, number: u64, written: usize) -> Outcome<()> {
        let slot = self.slot(number).read();
        if slot.0 != number {
            return Err("the window went round before a chunk was written".into());
        }
        let offset = number * CHUNK as u64 + written as u64;
        Ok(self.file.write_all_at(&slot.1[written..], offset)?)
    }

    fn slot(&self, number: u64) -> &RwLock<Full> {
        &self.window[usize::try_from(number % WINDOW as u64).unwrap_or(0)]
    }

    /// Returns when everything that was appended before is on the medium.
    pub(super) fn sync(&self) -> Outcome<()> {
        self.commit.wait(|| {
            let mut current = self.current.lock();
            let _writing = self.writing.lock();
            let tail = current.bytes[current.written..].to_vec();
            let offset = current.number * CHUNK as u64 + current.written as u64;
            current.written = current.bytes.len();
            drop(current);
            self.file.write_all_at(&tail, offset)?;
            drop(_writing);
            Ok(self.file.sync_data()?)
        })
    }

    /// The response of the completion at a place.
    pub(super) fn read_response(
        &self,
        offset: u64,
        response: &mut [u8; RESPONSE_BYTES],
    ) -> Outcome<()> {
        let number = offset / CHUNK as u64;
        let at = usize::try_from(offset % CHUNK as u64)? + HEAD + KEY_BYTES;
        // The open chunk first: it may become one of the window in between, never the reverse.
        let current = self.current.lock();
        if current.number == number {
            response.copy_from_slice(&current.bytes[at..at + RESPONSE_BYTES]);
            return Ok(());
        }
        drop(current);
        let slot = self.slot(number).read();
        if slot.0 == number {
            response.copy_from_slice(&slot.1[at..at + RESPONSE_BYTES]);
            return Ok(());
        }
        drop(slot);
        let at = offset + (HEAD + KEY_BYTES) as u64;
        Ok(self.file.read_exact_at(response, at)?)
    }
}

/// Reads until the buffer is full or the file ends.
fn read_up_to(file: &mut File, buffer: &mut [u8]) -> Outcome<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}
