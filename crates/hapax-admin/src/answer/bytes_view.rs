//! [`BytesView`]: stored bytes in an answer.

use serde::Serialize;

use crate::notation::hex::hex;

/// Stored bytes: their number, and on request their content.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct BytesView {
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl BytesView {
    pub(crate) fn of(bytes: &[u8], shown: Option<usize>) -> Self {
        let mut view = Self {
            bytes: bytes.len(),
            text: None,
            hex: None,
            cut: false,
        };
        let Some(shown) = shown.filter(|_| !bytes.is_empty()) else {
            return view;
        };
        view.cut = bytes.len() > shown;
        let head = &bytes[..bytes.len().min(shown)];
        match readable(head, view.cut) {
            Some(text) => view.text = Some(text.to_owned()),
            None => view.hex = Some(hex(head)),
        }
        view
    }
}

/// The bytes as text, if a terminal shows it safely and no character reverses the line. Drops a
/// character that the cut has split.
fn readable(bytes: &[u8], cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_hostile = |c: char| {
        let breaks = matches!(c, '\n' | '\r' | '\t');
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && !breaks) || turns
    };
    (!text.contains(is_hostile)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::BytesView;

    #[test]
    fn bytes_are_text_only_where_a_terminal_is_safe() {
        let view = |bytes: &[u8]| BytesView::of(bytes, Some(8));
        assert_eq!(view(b"sent\n").text.as_deref(), Some("sent\n"));
        assert_eq!(view(b"\x1b[2J").hex.as_deref(), Some("1b5b324a"));
        assert_eq!(view("\u{9b}A".as_bytes()).text, None, "a C1 control");
        assert_eq!(
            view("\u{202e}abc".as_bytes()).text,
            None,
            "reverses the line"
        );
        assert_eq!(view(b"\xff").hex.as_deref(), Some("ff"));
    }

    #[test]
    fn a_cut_does_not_split_a_character() {
        let view = BytesView::of("1234567\u{e9}".as_bytes(), Some(8));
        assert_eq!(view.text.as_deref(), Some("1234567"));
        assert!(view.cut);
        assert_eq!(view.bytes, 9);
        assert_eq!(BytesView::of(b"abc", None).text, None);
    }
}
