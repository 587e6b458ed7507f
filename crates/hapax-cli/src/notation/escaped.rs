//! Bytes as text that is safe for terminals.
//!
//! Printable characters stand for themselves; a backslash and everything else is escaped.

/// Any bytes, with everything except printable text escaped.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push(&mut shown, c);
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// As [`text`], cut after `most` characters, with dots to show the cut.
pub(crate) fn cut(bytes: &[u8], most: usize) -> String {
    let shown = text(bytes.get(..most.saturating_mul(4)).unwrap_or(bytes));
    if shown.chars().count() <= most && bytes.len() <= most.saturating_mul(4) {
        return shown;
    }
    let mut short: String = shown.chars().take(most).collect();
    short.push_str("...");
    short
}

/// A text from here or from the library that may quote what a user chose. Keeps backslashes.
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\\' {
            shown.push(c);
        } else {
            push(&mut shown, c);
        }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    match c {
        // `escape_debug` escapes them for Rust, and terminals do not need that.
        '\'' | '"' => shown.push(c),
        _ => shown.extend(c.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn long_bytes_are_cut() {
        assert_eq!(cut(b"12345", 5), "12345");
        assert_eq!(cut(b"123456", 5), "12345...");
        assert_eq!(cut(&[b'a'; 100], 5), "aaaaa...");
    }
}
