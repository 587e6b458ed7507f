//! The id of the request that used a key first.

/// The id in the metadata of a claim, which holds nothing else; `None` if the request had no id.
pub(crate) fn request_id_in(metadata: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(metadata).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}
