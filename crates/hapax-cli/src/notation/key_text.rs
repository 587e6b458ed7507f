//! A key as text, and back: the command line takes every key as the output shows it, and no two keys
//! look the same.

use hapax_http_types::KeyParts;

use crate::notation::escaped::text;

/// The bytes of a key; an alias, because clap takes a `Vec` for a list of values.
pub(crate) type KeyBytes = Vec<u8>;

/// A key as the output shows it: as escaped text, in parts if the HTTP layer made it, or as hexadecimal.
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

/// A key of the HTTP layer, as `@TENANT|OPERATION|KEY`.
fn in_parts(parts: KeyParts<'_>) -> String {
    let parts = [parts.scope(), parts.operation(), parts.client_key()];
    let parts = parts.map(|part| text(part.as_bytes()).replace('|', "\\x7c"));
    format!("@{}", parts.join("|"))
}

fn plain(bytes: &[u8]) -> String {
    let text = text(bytes);
    let text = match text.strip_prefix("0x") {
        // Otherwise it would be read as hexadecimal.
        Some(rest) => format!("\\x30x{rest}"),
        None => text,
    };
    // A space at an end is invisible, and a leading dash would be read as an option.
    let text = match text.strip_prefix([' ', '-']) {
        Some(rest) => format!("\\x{:02x}{rest}", text.as_bytes()[0]),
        None => text,
    };
    match split_parts(&text) {
        // Otherwise it would be read as a key in parts.
        Some(_) => format!("\\x40{}", &text[1..]),
        None => text,
    }
}

/// The parts of a text such as `@acme|POST /pay|key`, still escaped.
fn split_parts(text: &str) -> Option<[&str; 3]> {
    let parts: Vec<&str> = text.strip_prefix('@')?.split('|').collect();
    parts.try_into().ok()
}

/// `0x` and two digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", data_encoding::HEXLOWER.encode(bytes))
}

/// Reads a key from the command line.
pub(crate) fn parse_key(text: &str) -> Result<Vec<u8>, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        let digits = digits.to_ascii_lowercase();
        return data_encoding::HEXLOWER
            .decode(digits.as_bytes())
            .map_err(|error| format!("0x must be followed by hexadecimal digits: {error}; write \\x30x for a text key that begins with 0x"));
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
            let (digits, after) =
                inside.ok_or_else(|| "\\u takes hexadecimal digits in braces".to_owned())?;
            let number = u32::from_str_radix(digits, 16)
                .ok()
                .and_then(char::from_u32);
            let c = number.ok_or_else(|| format!("\\u{{{digits}}} is not a character"))?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            *rest = after.chars();
            return Ok(());
        }
        _ => {
            return Err(
                "a backslash begins \\n \\r \\t \\0 \\\\ \\xNN or \\u{..}: write \\\\ for a backslash"
                    .to_owned(),
            );
        }
    };
    bytes.push(byte);
    Ok(())
}
