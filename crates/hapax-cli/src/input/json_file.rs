//! [`JsonFile`]: the lines of a file of JSON lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

use crate::trouble::{Result, Trouble};

/// The most bytes of a line: the largest response in base64, and room for the rest.
const LINE_BYTES_MAX: u64 = 40 * 1024 * 1024;

/// A file of JSON lines that can be read repeatedly; standard input is copied to a temporary file.
#[derive(Debug)]
pub(crate) struct JsonFile {
    doing: String,
    file: File,
}

impl JsonFile {
    /// Opens a file; `-` is standard input, which is read to its end first.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let doing = format!("reading {}", path.display());
        if path == Path::new("-") {
            let file = kept_aside(io::stdin().lock(), &doing)?;
            return Ok(Self { doing, file });
        }
        let file = File::open(path).map_err(Trouble::file(&doing))?;
        let is_plain = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let file = if is_plain {
            file
        } else {
            kept_aside(file, &doing)?
        };
        Ok(Self { doing, file })
    }

    /// All lines that are not blank, with their numbers.
    pub(crate) fn lines(&self) -> Result<impl Iterator<Item = Result<(u64, Vec<u8>)>> + use<'_>> {
        let rewound = (&self.file).rewind();
        rewound.map_err(Trouble::file(&self.doing))?;
        Ok(lines_of(&self.file, self.doing.clone()))
    }
}

/// Copies input that can only be read once to an unnamed temporary file.
fn kept_aside(mut from: impl Read, doing: &str) -> Result<File> {
    let keeping = format!(
        "{doing}, and copying it to {}",
        std::env::temp_dir().display()
    );
    let mut kept = tempfile::tempfile().map_err(Trouble::file(&keeping))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(kept),
            Ok(read) => {
                let written = kept.write_all(&buffer[..read]);
                written.map_err(Trouble::file(&keeping))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::file(doing)(error)),
        }
    }
}

/// The lines of a file that are not blank, with their numbers, read once; `-` is standard input.
pub(crate) fn lines(path: &Path) -> Result<impl Iterator<Item = Result<(u64, Vec<u8>)>> + use<>> {
    let doing = format!("reading {}", path.display());
    let from: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(Trouble::file(&doing))?)
    };
    Ok(lines_of(from, doing))
}

fn lines_of<R: Read>(
    from: R,
    doing: String,
) -> impl Iterator<Item = Result<(u64, Vec<u8>)>> + use<R> {
    let mut from = BufReader::new(from);
    let mut number = 0;
    let next = move || {
        let mut line = Vec::new();
        let read = from
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line);
        if let Err(error) = read {
            return Some(Err(Trouble::file(&doing)(error)));
        }
        if line.is_empty() {
            return None;
        }
        number += 1;
        if line.len() as u64 == LINE_BYTES_MAX {
            let text = format!(
                "line {number} is longer than {LINE_BYTES_MAX} bytes: this is not a file of JSON lines"
            );
            return Some(Err(Trouble::usage(text)));
        }
        Some(Ok((number, line)))
    };
    let mut ended = false;
    let lines = std::iter::from_fn(next).take_while(move |line| {
        let goes_on = !ended;
        ended = line.is_err();
        goes_on
    });
    let is_blank = |line: &Result<(u64, Vec<u8>)>| {
        line.as_ref()
            .is_ok_and(|(_, line)| line.trim_ascii().is_empty())
    };
    lines.filter(move |line| !is_blank(line))
}
