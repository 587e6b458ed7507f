//! Bytes as text that no terminal acts on, and back.
//!
//! What is printable stands for itself; a backslash, and whatever is not printable, is escaped. So
//! a key that is shown can be given back on the command line, and no two keys look the same.

use hapax_http_types::KeyParts;

/// A key as it is shown: escaped text, in parts where the layer for HTTP has made it, or hexadecimal.
pub(crate) fn key(bytes: &[u8], hex: bool) -> String {
    if hex {
        return self::hex(bytes);
    }
    let text = match KeyParts::of(bytes) {
        Some(parts) => in_parts(parts),
        None => plain(bytes),
    };
    match text.strip_suffix(' ') {
        Some(rest) => format!("{rest}\\x20"),
        None => text,
    }
}

/// A key of the layer for HTTP, as `@TENANT|OPERATION|KEY`.
fn in_parts(parts: KeyParts<'_>) -> String {
    let parts = [parts.scope(), parts.operation(), parts.client_key()];
    let parts = parts.map(|part| text(part.as_bytes()).replace('|', "\\x7c"));
    format!("@{}", parts.join("|"))
}

fn plain(bytes: &[u8]) -> String {
    let text = text(bytes);
    let text = match text.strip_prefix("0x") {
        // It would be read as hexadecimal.
        Some(rest) => format!("\\x30x{rest}"),
        None => text,
    };
    // Spaces at the ends cannot be seen, and a dash would be read as an option.
    let text = match text.strip_prefix([' ', '-']) {
        Some(rest) => format!("\\x{:02x}{rest}", text.as_bytes()[0]),
        None => text,
    };
    match split_parts(&text) {
        // It would be read as one in parts.
        Some(_) => format!("\\x40{}", &text[1..]),
        None => text,
    }
}

/// The parts of a text such as `@acme|POST /pay|key`, as they are written.
fn split_parts(text: &str) -> Option<[&str; 3]> {
    let parts: Vec<&str> = text.strip_prefix('@')?.split('|').collect();
    parts.try_into().ok()
}

/// `0x` and two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", data_encoding::HEXLOWER.encode(bytes))
}

/// Any bytes: printable text as it is, everything else escaped.
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

/// As [`text`], of at most so many characters, with dots where it was cut.
pub(crate) fn cut(bytes: &[u8], most: usize) -> String {
    let shown = text(bytes.get(..most.saturating_mul(4)).unwrap_or(bytes));
    if shown.chars().count() <= most && bytes.len() <= most.saturating_mul(4) {
        return shown;
    }
    let mut short: String = shown.chars().take(most).collect();
    short.push_str("...");
    short
}

/// An argument as a shell takes it.
pub(crate) fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/@%+=".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

/// So many of something.
pub(crate) fn many(count: u64, one: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {one}{ending}")
}

/// Text of our own, or of the library, that may quote what a user chose.
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
        // They are escaped for Rust, not for terminals.
        '\'' | '"' => shown.push(c),
        _ => shown.extend(c.escape_debug()),
    }
}

/// Reads a key from the command line.
pub(crate) fn parse_key(text: &str) -> Result<Vec<u8>, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        let digits = digits.to_ascii_lowercase();
        return data_encoding::HEXLOWER
            .decode(digits.as_bytes())
            .map_err(|error| format!("what follows 0x is read as hexadecimal: {error}; write \\x30x for a key that is text and begins so"));
    }
    match split_parts(text) {
        Some(parts) => join_parts(parts),
        None => unescaped(text),
    }
}

fn join_parts(parts: [&str; 3]) -> Result<Vec<u8>, String> {
    let mut texts = Vec::new();
    for part in parts {
        let part = String::from_utf8(unescaped(part)?);
        texts.push(part.map_err(|_| "a part of the key is not UTF-8".to_owned())?);
    }
    let key = KeyParts::new(&texts[0], &texts[1], &texts[2]).to_key();
    match KeyParts::of(key.as_ref()) {
        Some(_) => Ok(key.as_ref().to_vec()),
        None => Err(
            "a key in parts is '@TENANT|OPERATION|KEY', and only the tenant may be empty: write \\x40 for a key \
             that begins with @"
                .to_owned(),
        ),
    }
}

fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            parse_escape(&mut rest, &mut bytes)?;
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Ok(bytes)
}

fn parse_escape(rest: &mut std::str::Chars<'_>, bytes: &mut Vec<u8>) -> Result<(), String> {
    let byte = match rest.next() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('\\') => b'\\',
        Some('x') => {
            let digits: String = rest.take(2).collect();
            let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(&digits, 16)
                .ok()
                .filter(|_| is_two)
                .ok_or_else(|| "\\x takes two hexadecimal digits".to_owned())?
        }
        Some('u') => {
            let inside = rest
                .as_str()
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'));
            let (digits, after) = inside.ok_or_else(|| "\\u takes {digits}".to_owned())?;
            let number = u32::from_str_radix(digits, 16)
                .ok()
                .and_then(char::from_u32);
            let c = number.ok_or_else(|| format!("\\u{{{digits}}} is no character"))?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            *rest = after.chars();
            return Ok(());
        }
        _ => {
            return Err(
                "a backslash begins \\n \\r \\t \\0 \\\\ \\xNN or \\u{..}: write \\\\ for itself"
                    .to_owned(),
            );
        }
    };
    bytes.push(byte);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{cut, key, line, parse_key, text};

    const HOSTILE: &[&[u8]] = &[
        b"order-42",
        b"\x1b[2J\x1b]0;owned\x07",
        b"a\nb\tc\r\0",
        b"back\\slash \\x41",
        b"0x41",
        b" ends ",
        b"--confirm",
        b"-",
        b"\xff\xfe",
        b"\x05order\x0242",
        b"\x04acme\x09POST /pay\x03k 1",
        b"\0\x01|\x05a|\\b ",
        b"@a|b|c",
        b"@a|b",
        b"@",
        b"\x03\x1b[2\x01b\x02c ",
        "\u{202e}txt.exe \u{200b}\u{9b}31m \u{e9} \u{65}\u{301}".as_bytes(),
        "\u{4e00}'\"".as_bytes(),
    ];

    #[test]
    fn what_is_shown_can_be_given_back() {
        for bytes in HOSTILE.iter().copied() {
            for hex in [false, true] {
                let shown = key(bytes, hex);
                assert_eq!(parse_key(&shown).unwrap(), bytes, "{shown}");
            }
        }
    }

    #[test]
    fn no_control_character_is_left() {
        for bytes in HOSTILE {
            for shown in [
                key(bytes, false),
                text(bytes),
                cut(bytes, 5),
                line(&String::from_utf8_lossy(bytes)),
            ] {
                let harmless = |c: char| !c.is_control() && !('\u{200b}'..='\u{202e}').contains(&c);
                assert!(shown.chars().all(harmless), "{shown:?}");
            }
        }
        assert_eq!(key(b"\x1b[2J", false), "\\u{1b}[2J");
        assert_eq!(key(b"0x41", false), "\\x30x41");
        let parts = b"\x04acme\x09POST /pay\x03k 1";
        assert_eq!(key(parts, false), "@acme|POST /pay|k 1");
        assert_eq!(key(b"@a|b|c", false), "\\x40a|b|c");
        assert_eq!(key(b"@a|b", false), "@a|b");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in [
            "0x4",
            "0xzz",
            "\\",
            "\\q",
            "\\x4",
            "\\x+1",
            "\\u{d800}",
            "\\u41",
            "@a||c",
            "@a|b|",
            "@a|\\xff|c",
        ] {
            assert!(parse_key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn long_bytes_are_cut() {
        assert_eq!(cut(b"12345", 5), "12345");
        assert_eq!(cut(b"123456", 5), "12345...");
        assert_eq!(cut(&[b'a'; 100], 5), "aaaaa...");
    }
}
