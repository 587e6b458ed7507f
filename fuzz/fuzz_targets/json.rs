//! JSON values in many spellings: one canonical form for each value, and for no two the same.

use arbitrary::Arbitrary;
use hapax::{CanonicalJson, CanonicalJsonError};
use serde_json::Value;

#[derive(Arbitrary, Debug, Clone)]
pub enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(i64, i8),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
    Deep(u8),
}

/// Chooses between spellings, from bytes of the fuzzer.
pub struct Choices<'a>(pub std::slice::Iter<'a, u8>);

impl Choices<'_> {
    pub fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn space(&mut self, out: &mut String) {
        for _ in 0..self.next() % 3 {
            out.push([' ', '\n', '\t', '\r'][usize::from(self.next() % 4)]);
        }
    }
}

fn canonical_json(body: &[u8]) -> Result<Vec<u8>, CanonicalJsonError> {
    CanonicalJson::new().canonicalize(body)
}

fn strict_json(body: &[u8]) -> Result<Vec<u8>, CanonicalJsonError> {
    CanonicalJson::new().strict_rfc8785().canonicalize(body)
}

impl Json {
    /// Holds two spellings of the value, one plain, one chosen, against each other.
    pub fn check(&self, spelling: &[u8]) {
        let (plain, other) = (self.spelt(&[]), self.spelt(spelling));
        let strict = strict_json(plain.as_bytes());
        match (&strict, strict_json(other.as_bytes())) {
            (Ok(strict), Ok(other)) => assert_eq!(*strict, other, "{self:?}"),
            (Err(_), Err(_)) => {}
            (strict, other) => panic!("{self:?}: {strict:?} and {other:?}"),
        }
        let plain = canonical_json(plain.as_bytes());
        assert_eq!(plain.is_err(), self.is_refused(0), "{self:?}: {plain:?}");
        // No number is as far from 1 as an f64 cannot be.
        assert_eq!(strict.is_err(), plain.is_err(), "{self:?}: {strict:?}");
        let other = canonical_json(other.as_bytes());
        match (&plain, &other) {
            (Ok(plain), Ok(other)) => assert_eq!(plain, other, "{self:?}"),
            (Err(_), Err(_)) => {}
            _ => panic!("{self:?}: {plain:?} and {other:?}"),
        }
        if let Ok(canonical) = plain {
            assert_eq!(
                canonical_json(&canonical),
                Ok(canonical),
                "it is its own form"
            );
        }
    }

    /// The value, in a way to spell it that the fuzzer chooses.
    pub fn spelt(&self, spelling: &[u8]) -> String {
        let mut out = String::new();
        self.write(&mut Choices(spelling.iter()), &mut out);
        out
    }

    fn is_refused(&self, depth: usize) -> bool {
        match self {
            Self::Array(items) => {
                depth == 128 || items.iter().any(|item| item.is_refused(depth + 1))
            }
            Self::Object(members) => {
                let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
                names.sort();
                let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
                let inside = members.iter().any(|(_, value)| value.is_refused(depth + 1));
                depth == 128 || twice || inside
            }
            Self::Deep(levels) => depth + usize::from(*levels) > 128,
            _ => false,
        }
    }

    fn write(&self, choices: &mut Choices<'_>, out: &mut String) {
        choices.space(out);
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(&value.to_string()),
            Self::Integer(value) => number(i128::from(*value), 0, choices, out),
            Self::Decimal(digits, power) => {
                number(i128::from(*digits), i32::from(*power), choices, out);
            }
            Self::Text(value) => text(value, choices, out),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    item.write(choices, out);
                }
                choices.space(out);
                out.push(']');
            }
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                if !members.is_empty() {
                    let at = usize::from(choices.next()) % members.len();
                    members.rotate_left(at);
                }
                out.push('{');
                for (at, (name, value)) in members.into_iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    choices.space(out);
                    text(name, choices, out);
                    choices.space(out);
                    out.push(':');
                    value.write(choices, out);
                }
                choices.space(out);
                out.push('}');
            }
            Self::Deep(levels) => {
                out.extend((0..*levels).map(|_| '['));
                out.extend((0..*levels).map(|_| ']'));
                if *levels == 0 {
                    out.push('1');
                }
            }
        }
        choices.space(out);
    }
}

fn number(digits: i128, power: i32, choices: &mut Choices<'_>, out: &mut String) {
    let zeros = i32::from(choices.next() % 4);
    let shifted = digits * 10_i128.pow(zeros as u32);
    let sign = if shifted < 0 { "-" } else { "" };
    let digits = shifted.unsigned_abs().to_string();
    let power = power - zeros;
    match choices.next() % 3 {
        0 if power == 0 => out.push_str(&format!("{sign}{digits}")),
        1 if digits.len() > 1 => {
            let (whole, rest) = digits.split_at(1);
            let power = power + rest.len() as i32;
            out.push_str(&format!("{sign}{whole}.{rest}E{power:+}"));
        }
        _ => out.push_str(&format!("{sign}{digits}e{power}")),
    }
}

fn text(value: &str, choices: &mut Choices<'_>, out: &mut String) {
    out.push('"');
    for c in value.chars() {
        let escaped = choices.next() % 4 == 1;
        match c {
            '"' | '\\' if !escaped => out.extend(['\\', c]),
            '/' if escaped => out.push_str("\\/"),
            c if escaped || c < ' ' => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Any bytes: what has a canonical form is JSON, and its form means the same.
pub fn check_bytes(bytes: &[u8]) {
    let parsed = serde_json::from_slice::<Value>(bytes);
    let Ok(canonical) = canonical_json(bytes) else {
        // A power of ten beyond an i64 may be a zero, or near enough to one.
        if let (Ok(_), Err(error)) = (strict_json(bytes), parsed) {
            assert_no_room(&error);
        }
        return;
    };
    check_strict(bytes, &canonical);
    assert_eq!(canonical_json(&canonical).as_ref(), Ok(&canonical));
    assert!(
        canonical.len() <= bytes.len() * 6 + 24,
        "it is not much longer"
    );
    match (parsed, serde_json::from_slice::<Value>(&canonical)) {
        (Ok(before), Ok(after)) => assert!(alike(&before, &after), "{before} and {after}"),
        (Err(error), _) | (_, Err(error)) => assert_no_room(&error),
    }
}

/// The other reader has no room for some numbers and depths.
fn assert_no_room(error: &serde_json::Error) {
    let text = error.to_string();
    let known = ["out of range", "recursion limit"];
    assert!(known.iter().any(|known| text.contains(known)), "{text}");
}

/// The strict form of a body equals the strict form of its exact form, and means the same except
/// for its numbers.
fn check_strict(body: &[u8], exact: &[u8]) {
    let strict = match strict_json(body) {
        Ok(strict) => strict,
        Err(error) => {
            assert!(error.to_string().contains("than any f64"), "{error}");
            return assert!(strict_json(exact).is_err(), "{error}");
        }
    };
    assert_eq!(strict_json(&strict).as_ref(), Ok(&strict));
    assert_eq!(strict_json(exact).as_ref(), Ok(&strict));
    let exact = serde_json::from_slice::<Value>(exact);
    if let (Ok(exact), Ok(strict)) = (exact, serde_json::from_slice::<Value>(&strict)) {
        assert!(alike(&exact, &strict), "{exact} and {strict}");
    }
}

/// Equal, but for what an f64 loses of a number.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64(), b.as_f64());
            match (a.filter(|a| a.is_finite()), b.filter(|b| b.is_finite())) {
                // It reads with a few units in the last place too many, or too few.
                (Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-12 + f64::MIN_POSITIVE,
                (a, b) => a.is_none() && b.is_none(),
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}
