//! The id of the request that used a key first.

/// The id, which is all the metadata that the layer gives a claim; `None` where the request had no id.
pub(crate) fn request_id_in(metadata: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(metadata).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}
