//! Any bytes as sled's file in the folder of a closed segment, for the reader that does without
//! sled: an answer in bounded time and memory, the same one each time.
//!
//! `ci/fuzz 60 sled_segment`

#![no_main]

mod bounded;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use hapax::fuzzing::{CONF, read_segment, sled_block};
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512 * 1024;

#[derive(Arbitrary, Debug)]
enum Input {
    Raw(Vec<u8>),
    Blocks {
        blocks: Vec<Block>,
        changes: Vec<(u16, u8)>,
        cut: Option<u16>,
    },
}

#[derive(Arbitrary, Debug)]
struct Block {
    /// Another number than its place in the file makes it a recycled one.
    off_by: u8,
    messages: Vec<AnyMessage>,
    /// What follows the messages, before the zeros.
    tail: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum AnyMessage {
    /// A leaf whose keys share these first bytes.
    Leaf {
        page: u8,
        prefix: u8,
        lowest: Vec<u8>,
    },
    /// A frame under a key, as the log writes it.
    Frame {
        page: u8,
        prefix: u8,
        key: u16,
        value: Vec<u8>,
    },
    /// Anything.
    Any {
        kind: u8,
        page: u64,
        body: Vec<u8>,
        intact: bool,
    },
}

fn message(any: &AnyMessage) -> (u8, u64, Vec<u8>, bool) {
    match any {
        AnyMessage::Leaf {
            page,
            prefix,
            lowest,
        } => {
            let mut body = vec![0, 0, 0, *prefix];
            body.push(lowest.len().min(240) as u8);
            body.extend(lowest.iter().take(240));
            body.extend([0, 0]);
            (8, u64::from(*page), body, true)
        }
        AnyMessage::Frame {
            page,
            prefix,
            key,
            value,
        } => {
            let key = u64::from(*key).to_be_bytes();
            let suffix = &key[usize::from(*prefix % 9)..];
            let mut body = vec![0, suffix.len() as u8];
            body.extend(suffix);
            body.push(255);
            body.extend((value.len() as u64).to_le_bytes());
            body.extend(value);
            (10, u64::from(*page), body, true)
        }
        AnyMessage::Any {
            kind,
            page,
            body,
            intact,
        } => (*kind, *page, body.clone(), *intact),
    }
}

fuzz_target!(|input: Input| {
    let db = match input {
        Input::Raw(bytes) => bytes,
        Input::Blocks {
            blocks,
            changes,
            cut,
        } => {
            let mut db = Vec::new();
            let last = blocks.len().min(3);
            for (number, block) in blocks.iter().take(3).enumerate() {
                let messages: Vec<_> = block.messages.iter().map(message).collect();
                let number = number as u64 + u64::from(block.off_by / 250);
                let mut bytes = sled_block(number, &messages);
                bytes.extend(&block.tail);
                bytes.truncate(BLOCK);
                db.extend(bytes);
                if number as usize + 1 < last {
                    db.resize(db.len().next_multiple_of(BLOCK), 0);
                }
            }
            for (at, value) in changes {
                if let Some(byte) = db.get_mut(usize::from(at)) {
                    *byte ^= value;
                }
            }
            db.truncate(db.len() - cut.map_or(0, usize::from).min(db.len()));
            db
        }
    };
    let folder = folder();
    fs::write(folder.join("db"), &db).expect("room in the folder for temporary files");
    if let Ok(frames) = read_segment(folder) {
        assert!(
            frames.len() <= 8192,
            "a segment has at most this many frames"
        );
        assert!(frames.is_sorted_by(|a, b| a.0 < b.0), "each once, in order");
        let bytes: usize = frames.iter().map(|(_, frame)| frame.len()).sum();
        assert!(bytes <= db.len(), "nothing is read twice");
    }
});

/// A folder of this process, in memory if the machine has such a place.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let root = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        // One folder per core will do: a process id is used again, a folder as well.
        let folder = root.join(format!("hapax-fuzz-segment-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        fs::write(folder.join("conf"), CONF).expect("room in the folder for temporary files");
        folder
    })
}
