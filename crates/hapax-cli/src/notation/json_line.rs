//! JSON objects in plain ASCII, with members in the given order.

use serde_json::Value;

/// An object on one line.
pub(crate) fn object<'a>(fields: impl IntoIterator<Item = &'a (&'a str, Value)>) -> String {
    let mut line = String::from("{");
    for (at, (name, value)) in fields.into_iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        line.push_str(&Value::from(*name).to_string());
        line.push(':');
        line.push_str(&value.to_string());
    }
    line.push('}');
    ascii(&line)
}

/// Escapes everything that a terminal could act on. Characters outside ASCII occur only in strings, where
/// an escape means the same.
fn ascii(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for c in json.chars() {
        if (' '..='~').contains(&c) {
            plain.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::object;
    use serde_json::Value;

    #[test]
    fn it_is_ascii_and_means_the_same() {
        let text = "\u{1b}[2J \u{7f}\u{9b} \u{1f600} \" \\ \u{e9}";
        let line = object(&[("b", Value::from(text)), ("a", Value::from(1))]);
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line}"
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["b"], text);
        assert!(line.starts_with("{\"b\":"), "{line}");
    }
}
