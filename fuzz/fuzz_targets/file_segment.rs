//! Any bytes as the file of a segment, for the reader of the log on plain files: an answer in
//! bounded time and memory, the same one each time.
//!
//! `ci/fuzz 60 file_segment`

#![no_main]

mod bounded;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use hapax::fuzzing::{file_header, file_lead, read_file_segment};
use libfuzzer_sys::fuzz_target;

const NUMBER: u64 = 1;
const SALT: u64 = 7;

#[derive(Arbitrary, Debug)]
enum Input {
    Raw(Vec<u8>),
    Segment {
        link: Vec<u8>,
        parts: Vec<Part>,
        changes: Vec<(u16, u8)>,
        cut: Option<u16>,
    },
}

#[derive(Arbitrary, Debug)]
enum Part {
    /// A frame as the log writes it, under any index.
    Frame {
        index: u16,
        frame: Vec<u8>,
    },
    /// The lead of another file, or one that promises other bytes than there are.
    Lead {
        salt: u8,
        index: u32,
        bytes: u32,
    },
    Bytes(Vec<u8>),
    Zeros(u8),
}

fn write(part: &Part, file: &mut Vec<u8>) {
    match part {
        Part::Frame { index, frame } => {
            let bytes = frame.len() as u32;
            file.extend(file_lead(NUMBER, SALT, u32::from(*index), bytes));
            file.extend(frame);
        }
        Part::Lead { salt, index, bytes } => {
            file.extend(file_lead(NUMBER, u64::from(*salt), *index, *bytes));
        }
        Part::Bytes(bytes) => file.extend(bytes),
        Part::Zeros(cells) => file.resize(file.len() + usize::from(*cells) * 64, 0),
    }
    file.resize(file.len().next_multiple_of(64), 0);
}

fuzz_target!(|input: Input| {
    let file = match input {
        Input::Raw(bytes) => bytes,
        Input::Segment {
            link,
            parts,
            changes,
            cut,
        } => {
            let mut file = file_header(NUMBER, SALT, &link);
            for part in &parts {
                write(part, &mut file);
            }
            for (at, value) in changes {
                if let Some(byte) = file.get_mut(usize::from(at)) {
                    *byte ^= value;
                }
            }
            file.truncate(file.len() - cut.map_or(0, usize::from).min(file.len()));
            file
        }
    };
    let path = path();
    fs::write(path, &file).expect("room in the folder for temporary files");
    if let Ok(Some(frames)) = read_file_segment(path, NUMBER) {
        assert!(
            frames.len() <= 8192,
            "a segment has at most this many frames"
        );
        assert!(frames.is_sorted_by(|a, b| a.0 < b.0), "each once, in order");
        let bytes: usize = frames.iter().map(|(_, frame)| frame.len()).sum();
        assert!(bytes <= file.len(), "nothing is read twice");
    }
});

/// A file of this process, in memory if the machine has such a place.
fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let root = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        let folder = root.join(format!("hapax-fuzz-file-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        folder.join("0000000000000001.seg")
    })
}
