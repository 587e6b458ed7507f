//! Changes of what lies in a log, with and without the checksums that would give them away. Offsets
//! are those of `docs/format.md`.

use arbitrary::{Arbitrary, Unstructured};
use hapax::fuzzing::{
    AnyRecord, Image, SegmentImage, encode_part, encode_record, encode_removal, manifest_of,
};
use xxhash_rust::xxh3::xxh3_64;

const HEADER: usize = 80;

/// A frame, by segment and index; both wrap.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct At {
    segment: u8,
    frame: u8,
}

#[derive(Arbitrary, Debug)]
pub enum Change {
    FlipBit {
        at: At,
        byte: u16,
        bit: u8,
        seal: bool,
    },
    Field {
        at: At,
        field: FrameField,
        value: Number,
        seal: bool,
    },
    Entries {
        at: At,
        entries: Vec<AnyEntry>,
    },
    AppendEntry {
        at: At,
        entry: AnyEntry,
    },
    Resize {
        at: At,
        bytes: u32,
        seal: bool,
    },
    Hole {
        at: At,
    },
    Drop {
        at: At,
    },
    Duplicate {
        at: At,
    },
    Swap {
        a: At,
        b: At,
    },
    Link {
        segment: u8,
        field: LinkField,
        value: Number,
        seal: bool,
    },
    DropSegment {
        segment: u8,
    },
    Renumber {
        segment: u8,
        number: Number,
    },
    Marks {
        slot: bool,
        field: MarksField,
        value: Number,
        seal: bool,
    },
    BothMarks {
        field: MarksField,
        value: Number,
    },
    ClearMarks {
        slot: bool,
    },
    ManifestByte {
        at: u16,
        value: u8,
        seal: bool,
    },
    Manifest {
        namespaces: Vec<(Number, u8)>,
    },
    DropManifest,
    ForeignStore {
        id: u8,
    },
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum FrameField {
    Version,
    Flags,
    Records,
    Store,
    Number,
    Epoch,
    Time,
    Durable,
    Previous,
    Length,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum LinkField {
    Store,
    Segment,
    Before,
    Checksum,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum MarksField {
    Version,
    Epoch,
    Store,
    Generation,
    Durable,
    DurableChecksum,
    LowSegment,
    LowBefore,
    LowChecksum,
    Time,
    Archived,
}

/// A number at an edge, or near what was there.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Number {
    Plus(i8),
    Set(u64),
    Power(u8),
    BelowPower(u8),
}

impl Number {
    fn of(self, before: u64) -> u64 {
        match self {
            Self::Plus(by) => before.wrapping_add_signed(i64::from(by)),
            Self::Set(value) => value,
            Self::Power(bit) => 1 << (bit % 64),
            Self::BelowPower(bit) => u64::MAX >> (bit % 64),
        }
    }
}

#[derive(Arbitrary, Debug)]
pub enum AnyEntry {
    Record(#[arbitrary(with = any_record)] AnyRecord),
    Part {
        index: u8,
        bytes: Vec<u8>,
    },
    Raw(Vec<u8>),
    /// Of a record near by, or anywhere.
    Removal {
        #[arbitrary(with = any_record)]
        record: AnyRecord,
        frame: Number,
        offset: u16,
    },
}

/// A record that may well be one of the store: its keys and namespaces are few.
fn any_record(input: &mut Unstructured<'_>) -> arbitrary::Result<AnyRecord> {
    let key: Option<u8> = input.arbitrary()?;
    Ok(AnyRecord {
        kind: input.arbitrary()?,
        namespace: input.int_in_range(0..=3)?,
        token: input.arbitrary()?,
        attempt: edge(input)?,
        times: [edge(input)?, edge(input)?, edge(input)?],
        retention_secs: edge(input)?,
        body_omitted: input.arbitrary()?,
        attached: input.arbitrary()?,
        key: match key {
            Some(key) => vec![key % 6],
            None => vec![b'k'; input.int_in_range(0..=2000)?],
        },
        labels: input.arbitrary()?,
        metadata: input.arbitrary()?,
        reason: input.arbitrary()?,
        body: input.arbitrary()?,
    })
}

fn edge(input: &mut Unstructured<'_>) -> arbitrary::Result<u32> {
    Ok(match input.arbitrary::<u8>()? {
        0 => 0,
        1 => u32::MAX,
        2 => u32::MAX - 1,
        3 => 1_767_225_600 + u32::from(input.arbitrary::<u16>()?),
        _ => input.arbitrary()?,
    })
}

impl AnyEntry {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Record(record) => out.extend(encode_record(record)),
            Self::Part { index, bytes } => out.extend(encode_part(u32::from(*index), bytes)),
            Self::Raw(bytes) => out.extend(bytes),
            Self::Removal {
                record,
                frame,
                offset,
            } => out.extend(encode_removal(record, frame.of(1), *offset)),
        }
    }
}

pub fn change(image: &mut Image, change: &Change) {
    match change {
        Change::FlipBit {
            at,
            byte,
            bit,
            seal,
        } => edit(image, *at, *seal, |frame| {
            let byte = usize::from(*byte) % frame.len().max(1);
            if let Some(byte) = frame.get_mut(byte) {
                *byte ^= 1 << (bit % 8);
            }
        }),
        Change::Field {
            at,
            field,
            value,
            seal,
        } => edit(image, *at, *seal, |frame| {
            let (at, bytes) = frame_field(*field);
            set(frame, at, bytes, *value);
        }),
        Change::Entries { at, entries } => edit(image, *at, true, |frame| {
            frame.truncate(HEADER);
            entries.iter().for_each(|entry| entry.write(frame));
            set(frame, 12, 4, Number::Set(entries.len() as u64));
        }),
        Change::AppendEntry { at, entry } => edit(image, *at, true, |frame| {
            entry.write(frame);
            set(frame, 12, 4, Number::Plus(1));
        }),
        Change::Resize { at, bytes, seal } => edit(image, *at, *seal, |frame| {
            frame.resize(*bytes as usize % 140_000, 0);
        }),
        Change::Link {
            segment,
            field,
            value,
            seal,
        } => {
            if let Some(segment) = segment_mut(image, *segment) {
                let (at, bytes) = match field {
                    LinkField::Store => (8, 8),
                    LinkField::Segment => (24, 8),
                    LinkField::Before => (32, 8),
                    LinkField::Checksum => (40, 8),
                };
                set(&mut segment.link, at, bytes, *value);
                seal_last(&mut segment.link, *seal);
            }
        }
        Change::Marks {
            slot,
            field,
            value,
            seal,
        } => {
            marks(&mut image.marks[usize::from(*slot)], *field, *value, *seal);
        }
        Change::BothMarks { field, value } => {
            for slot in &mut image.marks {
                marks(slot, *field, *value, true);
            }
        }
        Change::ClearMarks { slot } => image.marks[usize::from(*slot)].clear(),
        Change::ManifestByte { at, value, seal } => {
            if let Some(bytes) = &mut image.manifest {
                let at = usize::from(*at) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= value;
                }
                seal_manifest(bytes, *seal);
            }
        }
        Change::Manifest { namespaces } => {
            let id = store_id(image);
            let names = ["least", "most", "", "other"];
            let entry = |(id, name): &(Number, u8)| {
                (id.of(1) as u32, names[usize::from(*name) % names.len()])
            };
            let namespaces: Vec<_> = namespaces.iter().take(8).map(entry).collect();
            image.manifest = Some(manifest_of(id, &namespaces));
        }
        Change::DropManifest => image.manifest = None,
        Change::ForeignStore { id } => {
            let mut bytes = image.manifest.take().unwrap_or_default();
            if let Some(byte) = bytes.get_mut(20) {
                *byte ^= id;
            }
            seal_manifest(&mut bytes, true);
            image.manifest = Some(bytes);
        }
        _ => rearrange(image, change),
    }
}

/// Changes of what stands where.
fn rearrange(image: &mut Image, change: &Change) {
    match change {
        Change::Hole { at } => with(image, *at, |frames, index| frames[index] = None),
        Change::Drop { at } => with(image, *at, |frames, index| drop(frames.remove(index))),
        Change::Duplicate { at } => with(image, *at, |frames, index| {
            let frame = frames[index].clone();
            frames.insert(index, frame);
        }),
        Change::Swap { a, b } => {
            let (Some(first), Some(second)) = (get(image, *a), get(image, *b)) else {
                return;
            };
            with(image, *a, |frames, index| frames[index] = Some(second));
            with(image, *b, |frames, index| frames[index] = Some(first));
        }
        Change::DropSegment { segment } if !image.segments.is_empty() => {
            let at = usize::from(*segment) % image.segments.len();
            image.segments.remove(at);
        }
        Change::Renumber { segment, number } => {
            let Some(found) = segment_mut(image, *segment) else {
                return;
            };
            found.number = number.of(found.number);
            set(&mut found.link, 24, 8, Number::Set(found.number));
            seal_last(&mut found.link, true);
        }
        _ => {}
    }
}

fn segment_mut(image: &mut Image, segment: u8) -> Option<&mut SegmentImage> {
    let at = usize::from(segment).checked_rem(image.segments.len())?;
    image.segments.get_mut(at)
}

/// Runs `act` on the frames of a segment that has any.
fn with(image: &mut Image, at: At, act: impl FnOnce(&mut Vec<Option<Vec<u8>>>, usize)) {
    if let Some(segment) = segment_mut(image, at.segment)
        && let Some(index) = usize::from(at.frame).checked_rem(segment.frames.len())
    {
        act(&mut segment.frames, index);
    }
}

fn get(image: &mut Image, at: At) -> Option<Vec<u8>> {
    let mut found = None;
    with(image, at, |frames, index| found.clone_from(&frames[index]));
    found
}

fn edit(image: &mut Image, at: At, seal: bool, act: impl FnOnce(&mut Vec<u8>)) {
    with(image, at, |frames, index| {
        if let Some(frame) = &mut frames[index] {
            act(frame);
            if seal {
                seal_frame(frame);
            }
        }
    });
}

fn frame_field(field: FrameField) -> (usize, usize) {
    match field {
        FrameField::Version => (8, 2),
        FrameField::Flags => (10, 2),
        FrameField::Records => (12, 4),
        FrameField::Store => (16, 8),
        FrameField::Number => (32, 8),
        FrameField::Epoch => (40, 4),
        FrameField::Time => (44, 4),
        FrameField::Durable => (48, 8),
        FrameField::Previous => (56, 8),
        FrameField::Length => (64, 4),
    }
}

fn marks(slot: &mut [u8], field: MarksField, value: Number, seal: bool) {
    let (at, bytes) = match field {
        MarksField::Version => (8, 4),
        MarksField::Epoch => (12, 4),
        MarksField::Store => (16, 8),
        MarksField::Generation => (32, 8),
        MarksField::Durable => (40, 8),
        MarksField::DurableChecksum => (48, 8),
        MarksField::LowSegment => (56, 8),
        MarksField::LowBefore => (64, 8),
        MarksField::LowChecksum => (72, 8),
        MarksField::Time => (80, 8),
        MarksField::Archived => (88, 8),
    };
    set(slot, at, bytes, value);
    seal_last(slot, seal);
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let mut value = [0; 8];
    if let Some(field) = bytes.get(at..at + length) {
        value[..length].copy_from_slice(field);
    }
    u64::from_le_bytes(value)
}

fn set(bytes: &mut [u8], at: usize, length: usize, value: Number) {
    let value = value.of(number(bytes, at, length)).to_le_bytes();
    if let Some(field) = bytes.get_mut(at..at + length) {
        field.copy_from_slice(&value[..length]);
    }
}

/// Length and checksum as they have to be.
fn seal_frame(frame: &mut [u8]) {
    if frame.len() >= HEADER {
        let length = (frame.len() - HEADER) as u64;
        set(frame, 64, 4, Number::Set(length));
        let mut covered = frame[..72].to_vec();
        covered.extend_from_slice(&frame[HEADER..]);
        set(frame, 72, 8, Number::Set(xxh3_64(&covered)));
    }
}

fn seal_last(bytes: &mut [u8], seal: bool) {
    if let Some(at) = bytes.len().checked_sub(8).filter(|_| seal) {
        let sum = xxh3_64(&bytes[..at]);
        set(bytes, at, 8, Number::Set(sum));
    }
}

fn seal_manifest(bytes: &mut [u8], seal: bool) {
    if seal && bytes.len() >= 20 {
        let sum = xxh3_64(&bytes[20..]);
        set(bytes, 12, 8, Number::Set(sum));
    }
}

fn store_id(image: &Image) -> [u8; 16] {
    let mut id = [0; 16];
    if let Some(stored) = image.marks[0].get(16..32) {
        id.copy_from_slice(stored);
    }
    id
}

/// Makes numbers, checksums, links and marks agree, from the low mark of the first slot on.
pub fn rechain(image: &mut Image) {
    let id = store_id(image);
    let slot = &image.marks[0];
    let (mut segment_number, mut last, mut sum) = (
        number(slot, 56, 8),
        number(slot, 64, 8),
        number(slot, 72, 8),
    );
    for segment in &mut image.segments {
        segment.number = segment_number;
        segment.link.resize(56, 0);
        segment.link[..8].copy_from_slice(b"hapaxlnk");
        segment.link[8..24].copy_from_slice(&id);
        for (at, value) in [(24, segment_number), (32, last), (40, sum)] {
            set(&mut segment.link, at, 8, Number::Set(value));
        }
        seal_last(&mut segment.link, true);
        for frame in segment.frames.iter_mut().flatten() {
            if frame.len() < HEADER {
                continue;
            }
            last = last.wrapping_add(1);
            frame[16..32].copy_from_slice(&id);
            set(frame, 32, 8, Number::Set(last));
            set(frame, 56, 8, Number::Set(sum));
            seal_frame(frame);
            sum = number(frame, 72, 8);
        }
        segment_number = segment_number.wrapping_add(1);
    }
    for slot in &mut image.marks {
        if slot.len() == 112 {
            set(slot, 40, 8, Number::Set(last));
            set(slot, 48, 8, Number::Set(sum));
            seal_last(slot, true);
        }
    }
}
