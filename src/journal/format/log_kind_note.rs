//! [`LogKindNote`]: the small file `LOGKIND`, which says which kind of log a store has.

use xxhash_rust::xxh3::xxh3_64;

use crate::journal::format::fields::Fields;
use crate::value::log_kind::LogKind;

const MAGIC: [u8; 8] = *b"hapaxlog";
const VERSION: u32 = 1;
const NOTE_BYTES: usize = 24;

/// What `LOGKIND` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogKindNote {
    pub(crate) kind: LogKind,
    /// There may be segments of the other kind, which do not count.
    pub(crate) has_void: bool,
}

/// Why bytes are no note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadNote {
    Corrupt,
    /// Its checksum holds, but this version does not know what it says.
    Newer,
}

impl LogKindNote {
    pub(crate) fn encode(self) -> Vec<u8> {
        let number: u16 = match self.kind {
            LogKind::Sled => 0,
            LogKind::Files => 1,
        };
        let mut out = Vec::with_capacity(NOTE_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&u16::from(self.has_void).to_le_bytes());
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BadNote> {
        let fields = Fields::checked(bytes, NOTE_BYTES, MAGIC);
        let mut fields = fields.ok_or(BadNote::Corrupt)?;
        let version = u32::from_le_bytes(fields.take());
        let kind = match u16::from_le_bytes(fields.take()) {
            0 => LogKind::Sled,
            1 => LogKind::Files,
            _ => return Err(BadNote::Newer),
        };
        match u16::from_le_bytes(fields.take()) {
            flag @ (0 | 1) if version == VERSION => Ok(Self {
                kind,
                has_void: flag == 1,
            }),
            _ => Err(BadNote::Newer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadNote, LogKindNote};
    use crate::value::log_kind::LogKind;

    #[test]
    fn a_note_from_the_future_is_refused() {
        let note = LogKindNote {
            kind: LogKind::Files,
            has_void: true,
        };
        assert_eq!(LogKindNote::decode(&note.encode()), Ok(note));
        for (at, value) in [(8, 2), (12, 2), (14, 2)] {
            let mut bytes = note.encode();
            bytes[at] = value;
            let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..16]).to_le_bytes();
            bytes[16..].copy_from_slice(&checksum);
            assert_eq!(
                LogKindNote::decode(&bytes),
                Err(BadNote::Newer),
                "byte {at}"
            );
        }
        assert_eq!(LogKindNote::decode(b""), Err(BadNote::Corrupt));
    }
}
