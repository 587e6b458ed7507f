//! Members of a JSON line: bytes and keys, as text, in base64 or in hexadecimal.

use crate::notation::key_text;

/// An error in the JSON of a line, without the line number, which is always 1 for a parser of one line.
pub(crate) fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    match text.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(plain) => format!("{plain}, in column {column}"),
        None => text,
    }
}

/// Bytes, given as text or in base64.
pub(crate) fn either(text: Option<&str>, base64: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => {
            Err("the same bytes are given as text and in base64: give one of them".to_owned())
        }
        (Some(text), None) => Ok(Some(text.as_bytes().to_vec())),
        (None, Some(base64)) => data_encoding::BASE64
            .decode(base64.as_bytes())
            .map(Some)
            .map_err(|error| format!("base64: {error}")),
        (None, None) => Ok(None),
    }
}

/// A key, given as text, in hexadecimal, or as both.
pub(crate) fn key(text: Option<&str>, hex: Option<&str>) -> Result<Vec<u8>, String> {
    let from_hex = hex.map(|hex| {
        if hex.starts_with("0x") {
            key_text::parse_key(hex)
        } else {
            Err("key_hex must begin with 0x".to_owned())
        }
    });
    match (text, from_hex.transpose()?) {
        (Some(text), Some(bytes)) if text.as_bytes() != bytes => {
            Err("key and key_hex are different keys".to_owned())
        }
        (_, Some(bytes)) => Ok(bytes),
        (Some(text), None) => Ok(text.as_bytes().to_vec()),
        (None, None) => Err("the line has no key: give key or key_hex".to_owned()),
    }
}
