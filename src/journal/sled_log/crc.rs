//! CRC-32 as sled computes it, to tell a whole message of its log from a torn one.

/// The polynomial of IEEE 802.3, bits reversed.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// How many bytes one step takes.
const STEP: usize = 16;

static TABLES: [[u32; 256]; STEP] = tables();

/// A running CRC-32.
pub(super) struct Crc(u32);

impl Crc {
    pub(super) const fn new() -> Self {
        Self(0xFFFF_FFFF)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        let mut crc = self.0;
        let mut steps = bytes.chunks_exact(STEP);
        for step in &mut steps {
            // Four tables for each four bytes; the running value meets the first four.
            let word = |at: usize| [step[at], step[at + 1], step[at + 2], step[at + 3]];
            let first = (u32::from_le_bytes(word(0)) ^ crc).to_le_bytes();
            crc = look_up(12, first)
                ^ look_up(8, word(4))
                ^ look_up(4, word(8))
                ^ look_up(0, word(12));
        }
        for &byte in steps.remainder() {
            crc = TABLES[0][usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8);
        }
        self.0 = crc;
    }

    pub(super) const fn finish(self) -> u32 {
        self.0 ^ 0xFFFF_FFFF
    }
}

fn look_up(table: usize, word: [u8; 4]) -> u32 {
    TABLES[table + 3][usize::from(word[0])]
        ^ TABLES[table + 2][usize::from(word[1])]
        ^ TABLES[table + 1][usize::from(word[2])]
        ^ TABLES[table][usize::from(word[3])]
}

const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "below 256; no try_from in a const"
        )]
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                POLYNOMIAL ^ (crc >> 1)
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xFF) as usize] ^ (before >> 8);
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::Crc;

    #[test]
    fn known_answers() {
        let crc = |bytes: &[u8]| {
            let mut crc = Crc::new();
            crc.update(bytes);
            crc.finish()
        };
        assert_eq!(crc(b""), 0);
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
        assert_eq!(
            crc(b"The quick brown fox jumps over the lazy dog"),
            0x414F_A339
        );
    }
}
