//! [`ExportEnd`]: the last line of an export, which shows that the file is complete.

use std::fmt;

use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use crate::notation::json_line;

/// The number and the checksum of the lines so far.
#[derive(Clone, Default)]
pub(crate) struct ExportEnd {
    lines: u64,
    hash: Xxh3,
}

impl ExportEnd {
    /// Adds a line, without its line feed.
    pub(crate) fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.hash.update(line);
        self.hash.update(b"\n");
    }

    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// The checksum, as 32 hexadecimal digits.
    pub(crate) fn xxh3(&self) -> String {
        format!("{:032x}", self.hash.digest128())
    }

    /// The end line.
    pub(crate) fn line(&self) -> String {
        let fields = [
            ("type", Value::from("end")),
            ("lines", Value::from(self.lines)),
            ("xxh3", Value::from(self.xxh3())),
        ];
        json_line::object(&fields)
    }
}

impl fmt::Debug for ExportEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportEnd")
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::ExportEnd;

    /// Old exports must stay readable: the checksum is XXH3 of 128 bits over the lines, each with a line feed.
    #[test]
    fn the_form_stays() {
        let mut ending = ExportEnd::default();
        assert_eq!(
            ending.line(),
            "{\"type\":\"end\",\"lines\":0,\"xxh3\":\"99aa06d3014798d86001c324468d497f\"}"
        );
        ending.add(b"{}");
        assert_eq!(ending.lines(), 1);
        assert_eq!(
            ending.xxh3(),
            format!("{:032x}", xxhash_rust::xxh3::xxh3_128(b"{}\n"))
        );
    }
}
