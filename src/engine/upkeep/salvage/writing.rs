//! The saved records on their way to the medium: in pieces, and the manifest last.

use crate::journal::Journal;
use crate::journal::format::manifest::Manifest;
use crate::journal::format::manifest_file;
use crate::value::doing::Doing;
use crate::value::error::Result;

/// Bytes of appended records after which they are written.
pub(in crate::engine) const WRITE_BYTES: usize = 4 << 20;

/// Writes the appended records, and closes full segments.
pub(in crate::engine) fn commit(journal: &Journal, sync: bool) -> Result<()> {
    journal.commit(0, sync);
    journal.check()?;
    for segment in journal.take_full() {
        journal
            .log()
            .seal(segment.number)
            .while_doing("closing a segment")?;
        journal.with_tail(|tail| tail.close_below(segment.end_frame, 0));
    }
    Ok(())
}

/// Marks first, the manifest last: only with a manifest is it a store.
pub(in crate::engine) fn finish(journal: &Journal, manifest: &Manifest) -> Result<()> {
    // Both slots say where the log ends.
    journal.raise_epoch(journal.marks().epoch)?;
    journal
        .log()
        .write_manifest(&manifest_file::encode(manifest))
        .while_doing("making the store")?;
    journal.close(0)
}
