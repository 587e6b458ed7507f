//! The files of sled in the folder of a segment, read and checked without sled.

use std::fs::File;
use std::io::{self, ErrorKind};

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::directory::files::FileResult;
use crate::journal::log::sled_log::messages::{self, Layout};

/// sled's log, which holds the frames.
pub(crate) const DB: &str = "db";

/// sled's configuration.
pub(super) const CONF: &str = "conf";

/// sled's folder for large values.
pub(super) const BLOBS: &str = "blobs";

/// The only `conf` that sled may have written, with its checksum: another block size, version or
/// compression would change the meaning of every byte of `db`, and sled takes an empty `conf` as new.
pub(super) const CONF_BYTES: &[u8] =
    b"segment_size: 524288\nuse_compression: false\nversion: 0.34\nv\x19\x51\xC1";

/// Opens sled's log after checking `conf`, and makes it durable: the writes of a killed process may
/// not have reached the medium yet.
pub(super) fn open_db(path: &AnchoredPath) -> io::Result<File> {
    let conf = path.join(CONF);
    let bytes = conf.read().naming("read", &conf)?;
    if bytes != CONF_BYTES {
        let what = format!("{conf} is not as it was written");
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    let db = path.join(DB);
    let file = db.open().naming("open", &db)?;
    file.sync_data().naming("sync", &db)?;
    Ok(file)
}

/// Checks what makes this use of sled safe: no values in files of their own, which are never synced,
/// and no block written twice.
pub(super) fn check_layout(path: &AnchoredPath, db: &File) -> io::Result<()> {
    let blobs = path.join(BLOBS);
    let names = blobs.names().naming("list", &blobs)?;
    let broken = match messages::layout(db)? {
        _ if !names.is_empty() => "values in files of their own".to_owned(),
        Layout::Recycled(offset) => format!("the block at {offset} written twice"),
        Layout::Torn(offset) => format!("no header in the block at {offset}"),
        Layout::WriteOnce => return Ok(()),
    };
    let what = format!("{path} has {broken}");
    Err(io::Error::new(ErrorKind::InvalidData, what))
}

/// Whether a frame was ever written to the folder, which had its marker by then.
pub(super) fn holds_values(path: &AnchoredPath) -> io::Result<bool> {
    let db = path.join(DB);
    let Some(file) = db.open().if_there().naming("open", &db)? else {
        return Ok(false);
    };
    let mut holds = false;
    messages::each(&file, &mut |found| {
        holds |= found.is_intact();
        Ok(!holds)
    })
    .naming("read", &db)?;
    Ok(holds)
}
