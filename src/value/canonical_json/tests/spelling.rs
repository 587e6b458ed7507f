//! Values, and the many ways to spell one.

use crate::value::canonical_json::tests::*;

/// A JSON value, apart from how it is spelt.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AnyJson {
    Null,
    Bool(bool),
    /// A number that is not zero and does not end in a zero, and a power of ten.
    Number(i64, i32),
    Zero,
    String(String),
    Array(Vec<AnyJson>),
    Object(BTreeMap<String, AnyJson>),
}

fn number() -> impl Strategy<Value = AnyJson> {
    (any::<i64>(), 0..64, -400..400).prop_map(|(digits, shift, power)| match digits >> shift {
        digits if digits % 10 == 0 => AnyJson::Zero,
        digits => AnyJson::Number(digits, if power > 0 { power / 8 } else { power }),
    })
}

pub(super) fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range('a', 'e'),
        2 => proptest::char::range('\0', '\u{7f}'),
        1 => proptest::char::range('\u{e000}', '\u{ffff}'),
        1 => proptest::char::range('\u{10000}', '\u{10ffff}'),
        1 => any::<char>(),
    ];
    vec(character, 0..6).prop_map(String::from_iter)
}

pub(super) fn json() -> impl Strategy<Value = AnyJson> {
    let leaf = prop_oneof![
        Just(AnyJson::Null),
        any::<bool>().prop_map(AnyJson::Bool),
        number(),
        text().prop_map(AnyJson::String),
    ];
    let (depth, size, most) = if cfg!(miri) { (2, 8, 3) } else { (5, 64, 8) };
    leaf.prop_recursive(depth, size, most, move |inner| {
        let most = most as usize;
        prop_oneof![
            vec(inner.clone(), 0..most).prop_map(AnyJson::Array),
            btree_map(text(), inner, 0..most).prop_map(AnyJson::Object),
        ]
    })
}

/// Spells a value in one of the many ways to do it, by what `state` brings (splitmix64).
pub(super) struct Spelling {
    state: u64,
    out: String,
}

impl Spelling {
    pub(super) fn of(value: &AnyJson, seed: u64) -> String {
        let mut spelling = Self {
            state: seed,
            out: String::new(),
        };
        spelling.value(value);
        spelling.out
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33;
        usize::try_from(mixed).expect("31 bits fit") % bound
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn space(&mut self) {
        let space = self.one_of(&["", "", "", " ", "\n", "\t", "\r\n  "]);
        self.out.push_str(space);
    }

    fn token(&mut self, token: &str) {
        self.space();
        self.out.push_str(token);
        self.space();
    }

    fn value(&mut self, value: &AnyJson) {
        self.space();
        match value {
            AnyJson::Null => self.token("null"),
            AnyJson::Bool(value) => self.token(&value.to_string()),
            AnyJson::Zero => {
                let zero = self.one_of(&["0", "-0", "0.0", "0e7", "-0.00E-3"]);
                self.token(zero);
            }
            AnyJson::Number(digits, power) => self.number(*digits, i64::from(*power)),
            AnyJson::String(text) => self.string(text),
            AnyJson::Array(elements) => {
                self.token("[");
                for (at, element) in elements.iter().enumerate() {
                    self.token(if at == 0 { "" } else { "," });
                    self.value(element);
                }
                self.token("]");
            }
            AnyJson::Object(members) => self.object(members.iter().collect()),
        }
        self.space();
    }

    fn object(&mut self, mut members: Vec<(&String, &AnyJson)>) {
        for end in (1..members.len()).rev() {
            let other = self.below(end + 1);
            members.swap(end, other);
        }
        self.token("{");
        for (at, (name, member)) in members.into_iter().enumerate() {
            self.token(if at == 0 { "" } else { "," });
            self.string(name);
            self.token(":");
            self.value(member);
        }
        self.token("}");
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let escaped = match character {
                '"' | '\\' | '/' => format!("\\{character}"),
                '\u{8}' => "\\b".into(),
                '\t' => "\\t".into(),
                '\n' => "\\n".into(),
                '\u{c}' => "\\f".into(),
                '\r' => "\\r".into(),
                '\0'..' ' => String::new(),
                _ => character.into(),
            };
            let raw = !matches!(character, '"' | '\\' | '\0'..' ');
            match self.below(3) {
                0 if raw => self.out.push(character),
                1 if !escaped.is_empty() => self.out.push_str(&escaped),
                _ => self.code_units(character),
            }
        }
        self.out.push('"');
    }

    fn code_units(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let upper = self.below(2) == 0;
            let unit = if upper {
                format!("\\u{unit:04X}")
            } else {
                format!("\\u{unit:04x}")
            };
            self.out.push_str(&unit);
        }
    }

    /// Moves the point, appends zeros, and makes up for both in the power of ten.
    fn number(&mut self, number: i64, power: i64) {
        let mut digits = number.unsigned_abs().to_string();
        let mut power = power;
        for _ in 0..self.below(4) {
            digits.push('0');
            power -= 1;
        }
        let fraction = self.below(digits.len() + 3);
        power += i64::try_from(fraction).expect("a few digits");
        let whole = digits.len().saturating_sub(fraction);
        let (whole, fraction) = match whole {
            0 => ("0", format!("{digits:0>fraction$}")),
            _ => (&digits[..whole], digits[whole..].to_owned()),
        };
        let sign = if number < 0 { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        let mut spelt = format!("{sign}{whole}{point}{fraction}");
        if power != 0 || self.below(3) == 0 {
            let e = self.one_of(&["e", "E"]);
            let sign = if power < 0 {
                "-"
            } else {
                self.one_of(&["", "+"])
            };
            let zeros = self.one_of(&["", "", "0", "000"]);
            spelt = format!("{spelt}{e}{sign}{zeros}{}", power.unsigned_abs());
        }
        self.token(&spelt);
    }
}

/// The leaves of a value: whatever has nothing in it.
pub(super) fn leaves(value: &mut AnyJson) -> Vec<&mut AnyJson> {
    let is_leaf = match value {
        AnyJson::Array(elements) => elements.is_empty(),
        AnyJson::Object(members) => members.is_empty(),
        _ => true,
    };
    match value {
        _ if is_leaf => vec![value],
        AnyJson::Array(elements) => elements.iter_mut().flat_map(leaves).collect(),
        AnyJson::Object(members) => members.values_mut().flat_map(leaves).collect(),
        _ => Vec::new(),
    }
}
