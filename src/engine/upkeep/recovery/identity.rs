//! The identity of a store: its manifest and its marks.

use crate::value::doing::Doing;
use xxhash_rust::xxh3::xxh3_128;

use crate::journal::format::manifest::Manifest;
use crate::journal::format::manifest_file;
use crate::journal::format::marks::{Archived, LowMark, Marks};
use crate::journal::log::contract::Log;
use crate::value::error::{Error, ErrorKind, Result};

/// Where the secrets of a store come from.
pub(crate) struct Secrets {
    /// The next secret of a simulation, which has to be the same each time.
    seeded: Option<u64>,
}

impl Secrets {
    pub(crate) fn new(seeded: Option<u64>) -> Self {
        Self { seeded }
    }

    pub(crate) fn draw(&mut self) -> Result<[u8; 16]> {
        match &mut self.seeded {
            None => random(),
            Some(seed) => {
                *seed = seed.wrapping_add(1);
                Ok(xxh3_128(&seed.to_le_bytes()).to_le_bytes())
            }
        }
    }
}

pub(crate) fn random() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(
            ErrorKind::Io,
            format!("the operating system gives no random bytes: {error}"),
        )
    })?;
    Ok(bytes)
}

/// The manifest of a store; made if the store has none.
pub(in crate::engine) fn load_manifest(
    log: &dyn Log,
    now_secs: u64,
    secrets: &mut Secrets,
) -> Result<Manifest> {
    if log.is_read_only() {
        return find_manifest(log);
    }
    match read_manifest(log)? {
        Some(manifest) if manifest.backup => {
            let text =
                "this is a backup: bring it back with Store::restore, which takes a new directory";
            return Err(Error::new(ErrorKind::NotAStore, text));
        }
        Some(manifest) => return Ok(manifest),
        None => {}
    }
    let manifest = Manifest {
        store_id: secrets.draw()?,
        seed: secrets.draw()?,
        created_secs: now_secs,
        backup: false,
        salvaged: false,
        namespaces: Vec::new(),
    };
    write_new_store(log, &manifest, &first_marks(manifest.store_id))?;
    Ok(manifest)
}

/// The manifest of a store, or of a backup, which is not changed.
fn find_manifest(log: &dyn Log) -> Result<Manifest> {
    read_manifest(log)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotAStore,
            "this directory has only the beginning of a store: open it without read_only() to make it",
        )
    })
}

/// `None` where there is no store yet.
pub(crate) fn read_manifest(log: &dyn Log) -> Result<Option<Manifest>> {
    let doing = "reading the manifest";
    if let Some(bytes) = log.read_manifest().while_doing(doing)? {
        return manifest_file::decode(&bytes).map(Some);
    }
    let segments = log.segments().while_doing("reading the segments")?;
    let slots = log.read_marks().while_doing("reading the marks")?;
    // Marks are written before the manifest of a new store; their epoch rises only after it.
    let has_run = Marks::newest(&slots).0.is_some_and(|marks| marks.epoch > 0);
    if has_run || !segments.is_empty() {
        return Err(lost_manifest());
    }
    Ok(None)
}

/// Everything of a store is there except its manifest.
pub(crate) fn lost_manifest() -> Error {
    Error::new(
        ErrorKind::Damaged,
        "the manifest is missing, but there is a store: restore a backup, or save what is left with Store::salvage_with",
    )
}

/// The marks of a store that holds nothing.
pub(crate) fn first_marks(store_id: [u8; 16]) -> Marks {
    Marks {
        store_id,
        generation: 1,
        epoch: 0,
        durable: 0,
        durable_checksum: 0,
        low: LowMark {
            segment: 1,
            before: 0,
            checksum: 0,
        },
        store_ms: 0,
        archived: Archived::default(),
    }
}

/// Marks first, the manifest last: only with a manifest is it a store.
pub(crate) fn write_new_store(log: &dyn Log, manifest: &Manifest, marks: &Marks) -> Result<()> {
    let bytes = marks.encode();
    log.write_marks(0, &bytes)
        .and_then(|()| log.write_marks(1, &bytes))
        .and_then(|()| log.write_manifest(&manifest_file::encode(manifest)))
        .while_doing("making the store")
}

pub(crate) fn load_marks(log: &dyn Log, manifest: &Manifest) -> Result<(Marks, usize)> {
    let slots = log.read_marks().while_doing("reading the marks")?;
    let (marks, slot) = Marks::newest(&slots);
    let marks = marks.ok_or_else(|| {
        if slots.iter().any(|slot| Marks::is_newer(slot)) {
            let text = "the marks were written by a newer version of hapax: use that version";
            return Error::new(ErrorKind::Unsupported, text);
        }
        Error::new(
            ErrorKind::Damaged,
            "the marks are missing or damaged: restore a backup, or save what is left with Store::salvage",
        )
    })?;
    if marks.store_id != manifest.store_id {
        return Err(Error::new(
            ErrorKind::Damaged,
            "the marks belong to another store than the manifest: restore a backup, or save what is left with Store::salvage",
        ));
    }
    Ok((marks, slot))
}
