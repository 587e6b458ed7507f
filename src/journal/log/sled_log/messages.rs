//! The messages in sled's file `db`, read without sled.
//!
//! sled cannot read without writing: when it opens the file, it zeroes everything after the first
//! message that it refuses, acknowledged or not. So frames are read from the file itself. The format is
//! the one of sled 0.34.7, which is pinned:
//!
//! ```text
//! db       segments of 512 KiB
//! segment  header (crc32 u32, lsn i64 ^ MAX, stable lsn i64 ^ MAX), messages
//! message  crc32 u32, kind u8, length varint, segment number varint, page varint, body
//! body     of kind 8, a whole page: next varint, child varint, merging u8, prefix length u8,
//!                     length varint, lowest key, length varint, key above, 0u8 for a leaf, ..
//!          of kind 10, one key of a leaf: 0u8, length varint, key, length varint, value
//! ```
//!
//! The key of a change lacks the prefix that all keys of its page share, so the reader tracks pages.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crc32fast::Hasher;

/// Bytes of one of sled's own segments.
pub(super) const BLOCK_BYTES: usize = 512 * 1024;

/// Bytes before the first message of a block.
const HEADER_BYTES: usize = 20;

/// No message begins within these last bytes of a block.
const RED_ZONE: usize = 32;

/// Bytes of a message's checksum and kind.
const FIXED_BYTES: usize = 5;

const KIND_TORN: u8 = 0;
const KIND_CAP: u8 = 2;
const KIND_PAGE: u8 = 8;
const KIND_CHANGE: u8 = 10;
const KIND_LAST: u8 = 11;

const KEY_BYTES: usize = 8;

/// A value that was written under a key, and its place in the file.
#[derive(Debug)]
pub(super) struct FoundValue<'a> {
    pub(super) key: u64,
    pub(super) value: &'a [u8],
    /// The offset of the value in the file.
    pub(super) offset: u64,
    message: Message<'a>,
}

impl FoundValue<'_> {
    /// Whether sled's checksum over the message holds.
    pub(super) fn is_intact(&self) -> bool {
        self.message.is_intact()
    }
}

/// What the headers of the blocks say about how the file was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// Every block was written once.
    WriteOnce,
    /// As [`WriteOnce`](Self::WriteOnce), except that the header of the block at this offset cannot be
    /// read.
    Torn(u64),
    /// The block at this offset was used again: an older block may have been overwritten.
    Recycled(u64),
}

/// Compares the log position in the header of each block with its position in the file.
pub(super) fn layout(db: &File) -> io::Result<Layout> {
    let length = db.metadata()?.len();
    let mut layout = Layout::WriteOnce;
    for offset in (0..length).step_by(BLOCK_BYTES) {
        let mut header = [0; HEADER_BYTES];
        let whole = db.read_exact_at(&mut header, offset).is_ok();
        match block_lsn(&header) {
            Some(lsn) if whole && lsn == offset => {}
            Some(_) if whole => return Ok(Layout::Recycled(offset)),
            _ if layout == Layout::WriteOnce => layout = Layout::Torn(offset),
            _ => {}
        }
    }
    Ok(layout)
}

/// Calls `visit` with the values in the order in which they were written, until it returns `false`.
/// Skips a torn message and the rest of its block.
pub(super) fn each(
    db: &File,
    visit: &mut dyn FnMut(&FoundValue<'_>) -> io::Result<bool>,
) -> io::Result<()> {
    each_and_torn(db, visit, &mut |_| true)
}

/// As [`each`]; calls `torn` with the rest of a block after its last message, which is filler unless the
/// block was torn or damaged.
pub(super) fn each_and_torn(
    db: &File,
    visit: &mut dyn FnMut(&FoundValue<'_>) -> io::Result<bool>,
    torn: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let length = db.metadata()?.len();
    let mut block = vec![0; BLOCK_BYTES];
    let mut pages = Pages::default();
    for offset in (0..length).step_by(BLOCK_BYTES) {
        let there = usize::try_from(length - offset)
            .unwrap_or(BLOCK_BYTES)
            .min(BLOCK_BYTES);
        db.read_exact_at(&mut block[..there], offset)?;
        let rest = match block_lsn(&block[..there]) == Some(offset) {
            true => each_in_block(&block[..there], offset, &mut pages, visit)?,
            false => Some(0),
        };
        let goes_on = rest.is_some_and(|rest| torn(&block[rest..there]));
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// Returns where the messages end, or `None` if `visit` has stopped it.
fn each_in_block(
    block: &[u8],
    offset: u64,
    pages: &mut Pages,
    visit: &mut dyn FnMut(&FoundValue<'_>) -> io::Result<bool>,
) -> io::Result<Option<usize>> {
    let number = offset / BLOCK_BYTES as u64;
    let mut at = HEADER_BYTES;
    while at + RED_ZONE <= BLOCK_BYTES {
        let message = block
            .get(at..)
            .and_then(|rest| Message::parse(rest, number));
        let Some(message) = message else {
            break;
        };
        pages.follow(&message);
        let end = at + message.bytes.len();
        if let Some((key, value)) = pages.change(&message) {
            let offset = offset + (end - value.len()) as u64;
            if !visit(&FoundValue {
                key,
                value,
                offset,
                message,
            })? {
                return Ok(None);
            }
        }
        at = end;
    }
    Ok(Some(at.min(block.len())))
}

/// The log position in a block's header, if the header is whole.
fn block_lsn(block: &[u8]) -> Option<u64> {
    let header = block.get(..HEADER_BYTES)?;
    let mut crc = Hasher::new();
    crc.update(&header[4..]);
    if !header.starts_with(&(!crc.finalize()).to_le_bytes()) {
        return None;
    }
    let lsn = i64::from_le_bytes(header[4..12].try_into().ok()?) ^ i64::MAX;
    u64::try_from(lsn).ok()
}

/// A message that is in its block as a whole.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    kind: u8,
    page: u64,
    bytes: &'a [u8],
    body_at: usize,
}

impl<'a> Message<'a> {
    /// Parses the message at the beginning of `bytes`, in the block of this number.
    fn parse(bytes: &'a [u8], number: u64) -> Option<Self> {
        let kind = *bytes.get(FIXED_BYTES - 1)?;
        if kind == KIND_TORN || kind == KIND_CAP || kind > KIND_LAST {
            return None;
        }
        let mut cursor = Cursor(&bytes[FIXED_BYTES..]);
        let length = usize::try_from(cursor.varint()?).ok()?;
        if cursor.varint()? != number {
            return None;
        }
        let page = cursor.varint()?;
        let body_at = bytes.len() - cursor.0.len();
        cursor.take(length)?;
        Some(Self {
            kind,
            page,
            bytes: &bytes[..body_at + length],
            body_at,
        })
    }

    fn body(&self) -> Cursor<'a> {
        Cursor(&self.bytes[self.body_at..])
    }

    fn is_intact(&self) -> bool {
        let mut crc = Hasher::new();
        crc.update(&self.bytes[self.body_at..]);
        crc.update(&self.bytes[4..self.body_at]);
        self.bytes.starts_with(&(!crc.finalize()).to_le_bytes())
    }
}

/// The prefix of the keys of each leaf: its bytes, and how many they are.
#[derive(Default)]
struct Pages(HashMap<u64, ([u8; KEY_BYTES], usize)>);

impl Pages {
    /// Notes a page that was written as a whole.
    fn follow(&mut self, message: &Message<'_>) {
        if message.kind != KIND_PAGE {
            return;
        }
        let leaf = if message.is_intact() {
            leaf_prefix(message.body())
        } else {
            None
        };
        match leaf {
            Some(prefix) => self.0.insert(message.page, prefix),
            // It is better to find no keys of this page than wrong ones.
            None => self.0.remove(&message.page),
        };
    }

    /// The key that a message gives a value, and that value.
    fn change<'a>(&self, message: &Message<'a>) -> Option<(u64, &'a [u8])> {
        if message.kind != KIND_CHANGE {
            return None;
        }
        let mut body = message.body();
        if body.byte()? != 0 {
            return None;
        }
        let suffix = body.bytes()?;
        let value = body.bytes()?;
        let &(mut key, prefix) = self.0.get(&message.page)?;
        if value.is_empty() || !body.0.is_empty() || prefix + suffix.len() != KEY_BYTES {
            return None;
        }
        key[prefix..].copy_from_slice(suffix);
        Some((u64::from_be_bytes(key), value))
    }
}

fn leaf_prefix(mut body: Cursor<'_>) -> Option<([u8; KEY_BYTES], usize)> {
    let (_next, _child, _merging) = (body.varint()?, body.varint()?, body.byte()?);
    let length = usize::from(body.byte()?);
    let (lowest, _above) = (body.bytes()?, body.bytes()?);
    if body.byte()? != 0 {
        return None;
    }
    let mut prefix = [0; KEY_BYTES];
    prefix
        .get_mut(..length)?
        .copy_from_slice(lowest.get(..length)?);
    Some((prefix, length))
}

/// Reads sled's encoding of fields; `None` if the bytes end too soon.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let head = u64::from(first);
        match first {
            0..=240 => Some(head),
            241..=248 => Some(240 + 256 * (head - 241) + u64::from(self.byte()?)),
            249 => Some(2288 + 256 * u64::from(self.byte()?) + u64::from(self.byte()?)),
            250..=255 => {
                let mut value = [0; 8];
                let length = usize::from(first) - 247;
                value[..length].copy_from_slice(self.take(length)?);
                Some(u64::from_le_bytes(value))
            }
        }
    }
}
