//! [`canonicalize`]: one spelling for every JSON body that means the same request.
//!
//! A fingerprint must not tell `{"a":1,"b":2}` from `{ "b": 2.0, "a": 1 }`, and must tell apart
//! whatever a reader could. The canonical form follows RFC 8785 (JCS), but for its numbers:
//!
//! - no white space; the members of an object in the order of the UTF-16 code units of their
//!   unescaped names; the elements of an array where they were;
//! - strings with the fewest escapes: `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, and `\u00xx` for
//!   the other control characters. Unicode normalisation is not applied, as in RFC 8785;
//! - numbers are *exact decimals*, where RFC 8785 rounds each of them to an f64: under it two
//!   payments of 9007199254740992 and 9007199254740993 would be one request, and 1e400 would be no
//!   number at all. A number is written as its digits without zeros at either end, then `e` and
//!   the power of ten unless that is 0: `1.50` is `15e-1`, `1200` is `12e2`, and `1`, `1.0` and
//!   `10e-1` are all `1`. Minus zero is `0`.
//!
//! Refused, because readers do not agree on what it means or because it is no JSON at all: a second
//! member of the same name, a lone surrogate, bytes that are not UTF-8 (or start with a byte order
//! mark), a power of ten beyond an i64, nesting deeper than [`DEPTH_MAX`], and anything but white
//! space after the value.
//!
//! Fingerprints of this form are stored, so a change of it is a change of their scheme.
//!
//! # Cost
//!
//! One pass over the body. Memory is proportional to the body: powers of ten are never expanded
//! into digits, and every stack is shared by all nested objects. An object whose members come out
//! of order is moved once more, so a byte is moved at most [`DEPTH_MAX`] times.

use std::error::Error as StdError;
use std::fmt;
use std::io::Write as _;

#[cfg(test)]
mod tests;

/// Most arrays and objects inside one another.
pub(crate) const DEPTH_MAX: usize = 128;

/// Appends the canonical form of `body` to `out`.
///
/// The canonical form is JSON again, and its own canonical form.
///
/// # Errors
///
/// The first place where `body` has no canonical form, and why; `out` is then as it was.
pub(crate) fn canonicalize(body: &[u8], out: &mut Vec<u8>) -> Result<(), CanonicalJsonError> {
    let body = std::str::from_utf8(body).map_err(|error| CanonicalJsonError {
        offset: error.valid_up_to(),
        reason: "the bytes are not UTF-8",
    })?;
    let before = out.len();
    out.reserve(body.len());
    let mut canonicalizer = Canonicalizer {
        body,
        at: 0,
        out,
        text: String::new(),
        members: Vec::new(),
        moved: Vec::new(),
    };
    let done = canonicalizer.document();
    if done.is_err() {
        out.truncate(before);
    }
    done
}

/// Where and why a JSON body has no canonical form; the text never quotes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CanonicalJsonError {
    offset: usize,
    reason: &'static str,
}

impl fmt::Display for CanonicalJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the JSON body is refused at byte {}: {}",
            self.offset, self.reason
        )
    }
}

impl StdError for CanonicalJsonError {}

type Result<T, E = CanonicalJsonError> = std::result::Result<T, E>;

/// Reads `body` and writes its canonical form in one pass.
///
/// Invariant: `at` is at a character boundary of `body`, because only whole ASCII characters and
/// runs that end before one are stepped over.
struct Canonicalizer<'a> {
    body: &'a str,
    at: usize,
    out: &'a mut Vec<u8>,
    /// Unescaped strings, as a stack: the names of the open objects, then the string being read.
    text: String,
    /// The members so far of the open objects, as a stack.
    members: Vec<Member>,
    /// Scratch to move members from.
    moved: Vec<u8>,
}

/// A member of an object that is not closed yet.
struct Member {
    /// Where its name is in the body.
    offset: usize,
    /// Its unescaped name, as a range of `text`.
    name: (usize, usize),
    /// Its name, value and comma, as a range of `out`.
    piece: (usize, usize),
}

impl<'a> Canonicalizer<'a> {
    fn document(&mut self) -> Result<()> {
        self.value(0)?;
        self.skip_white_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.refuse("something follows the value")),
        }
    }

    /// A value inside `depth` arrays and objects. The recursion ends at [`DEPTH_MAX`].
    fn value(&mut self, depth: usize) -> Result<()> {
        self.skip_white_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => {
                Err(self.refuse("arrays and objects are nested more than 128 deep"))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => {
                let start = self.text.len();
                self.string(start)?;
                self.text.truncate(start);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.literal("null"),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(_) => Err(self.refuse("a value is expected")),
            None => Err(self.refuse("a value is expected, but the body ends")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<()> {
        self.at += 1;
        self.out.push(b'[');
        if !self.opens_empty(b']') {
            loop {
                self.value(depth)?;
                if self.ends(b']')? {
                    break;
                }
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<()> {
        self.at += 1;
        self.out.push(b'{');
        if !self.opens_empty(b'}') {
            let (members, names) = (self.members.len(), self.text.len());
            loop {
                self.member(depth)?;
                if self.ends(b'}')? {
                    break;
                }
            }
            self.sort_members(members)?;
            self.members.truncate(members);
            self.text.truncate(names);
            // Every member brought a comma, so that members can change places.
            self.out.pop();
        }
        self.out.push(b'}');
        Ok(())
    }

    fn member(&mut self, depth: usize) -> Result<()> {
        self.skip_white_space();
        let (offset, name, piece) = (self.at, self.text.len(), self.out.len());
        if self.peek() != Some(b'"') {
            return Err(self.refuse("the name of a member is expected"));
        }
        self.string(name)?;
        let name = (name, self.text.len());
        self.skip_white_space();
        if !self.eat(b':') {
            return Err(self.refuse("a colon is expected after the name of a member"));
        }
        self.out.push(b':');
        self.value(depth)?;
        self.out.push(b',');
        let piece = (piece, self.out.len());
        self.members.push(Member {
            offset,
            name,
            piece,
        });
        Ok(())
    }

    /// Puts the members from `first` on, which are the end of `out`, into canonical order.
    fn sort_members(&mut self, first: usize) -> Result<()> {
        let text = &self.text;
        let name = |member: &Member| text[member.name.0..member.name.1].encode_utf16();
        let members = &mut self.members[first..];
        if members.is_sorted_by(|left, right| name(left).lt(name(right))) {
            return Ok(());
        }
        let start = members
            .first()
            .map_or(self.out.len(), |member| member.piece.0);
        members.sort_unstable_by(|left, right| {
            name(left)
                .cmp(name(right))
                .then(left.offset.cmp(&right.offset))
        });
        let second = members
            .windows(2)
            .filter(|pair| name(&pair[0]).eq(name(&pair[1])))
            .map(|pair| pair[1].offset)
            .min();
        if let Some(offset) = second {
            let reason = "the object has a member of this name already";
            return Err(CanonicalJsonError { offset, reason });
        }
        self.moved.clear();
        self.moved.extend_from_slice(&self.out[start..]);
        self.out.truncate(start);
        for member in members {
            let (from, to) = member.piece;
            self.out
                .extend_from_slice(&self.moved[from - start..to - start]);
        }
        Ok(())
    }

    /// A string: unescaped to the end of `text`, which is at `start`, and written to `out`.
    fn string(&mut self, start: usize) -> Result<()> {
        let opened = self.at;
        self.at += 1;
        loop {
            let rest = &self.body[self.at..];
            let special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
            let Some(run) = rest.bytes().position(special) else {
                let reason = "the string that starts here is not closed";
                return Err(CanonicalJsonError {
                    offset: opened,
                    reason,
                });
            };
            self.text.push_str(&rest[..run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(self.refuse("a control character in a string is not escaped")),
            }
        }
        self.at += 1;
        write_string(self.out, &self.text[start..]);
        Ok(())
    }

    fn escape(&mut self) -> Result<()> {
        let offset = self.at;
        let unescaped = match self.body.as_bytes().get(self.at + 1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'b') => '\u{8}',
            Some(b't') => '\t',
            Some(b'n') => '\n',
            Some(b'f') => '\u{c}',
            Some(b'r') => '\r',
            Some(b'u') => {
                let character = self.unicode_escape(offset)?;
                self.text.push(character);
                return Ok(());
            }
            _ => return Err(self.refuse("there is no such escape")),
        };
        self.text.push(unescaped);
        self.at += 2;
        Ok(())
    }

    /// `\uxxxx`, or two of them that are a surrogate pair.
    fn unicode_escape(&mut self, offset: usize) -> Result<char> {
        let high = self.code_unit()?;
        if let Some(character) = char::from_u32(u32::from(high)) {
            return Ok(character);
        }
        let reason = "a surrogate is not one of a pair";
        let lone = CanonicalJsonError { offset, reason };
        if !self.body[self.at..].starts_with("\\u") {
            return Err(lone);
        }
        let low = self.code_unit()?;
        match char::decode_utf16([high, low]).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(lone),
        }
    }

    /// The four hexadecimal digits after `\u`.
    fn code_unit(&mut self) -> Result<u16> {
        let digits = self
            .body
            .as_bytes()
            .get(self.at + 2..self.at + 6)
            .unwrap_or_default();
        let unit = digits.iter().try_fold(0, |unit: u32, digit| {
            char::from(*digit)
                .to_digit(16)
                .map(|digit| unit << 4 | digit)
        });
        match unit.map(u16::try_from) {
            Some(Ok(unit)) if digits.len() == 4 => {
                self.at += 6;
                Ok(unit)
            }
            _ => Err(self.refuse("four hexadecimal digits are expected after \\u")),
        }
    }

    fn number(&mut self) -> Result<()> {
        let offset = self.at;
        let start = self.out.len();
        if self.eat(b'-') {
            self.out.push(b'-');
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with(b"0") {
            let reason = "a number starts with a zero";
            return Err(CanonicalJsonError { offset, reason });
        }
        let fraction = if self.eat(b'.') { self.digits()? } else { &[] };
        let exponent = self.exponent(offset)?;

        let first_digit = self.out.len();
        let digits = whole
            .iter()
            .chain(fraction)
            .skip_while(|digit| **digit == b'0');
        self.out.extend(digits);
        let written = self.out.len() - first_digit;
        if written == 0 {
            self.out.truncate(start);
            self.out.push(b'0');
            return Ok(());
        }
        let zeros = self
            .out
            .iter()
            .rev()
            .take_while(|digit| **digit == b'0')
            .count();
        self.out.truncate(self.out.len() - zeros);
        match shift(exponent, zeros, fraction.len()) {
            Some(0) => {}
            Some(power) => write!(self.out, "e{power}").expect("a Vec takes every write"),
            None => return Err(too_far(offset)),
        }
        Ok(())
    }

    fn exponent(&mut self, offset: usize) -> Result<i64> {
        if !self.eat(b'e') && !self.eat(b'E') {
            return Ok(0);
        }
        let negative = self.eat(b'-');
        if !negative {
            self.eat(b'+');
        }
        let sign = if negative { -1 } else { 1 };
        let exponent = self.digits()?.iter().try_fold(0_i64, |exponent, digit| {
            exponent
                .checked_mul(10)?
                .checked_add(sign * i64::from(digit - b'0'))
        });
        exponent.ok_or_else(|| too_far(offset))
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<&'a [u8]> {
        let rest = &self.body.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.refuse("a digit is expected"));
        }
        self.at += count;
        Ok(&rest[..count])
    }

    fn literal(&mut self, word: &str) -> Result<()> {
        if !self.body[self.at..].starts_with(word) {
            return Err(self.refuse("a value is expected"));
        }
        self.at += word.len();
        self.out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    /// Whether an array or object that was just opened is closed by `close` right away.
    fn opens_empty(&mut self, close: u8) -> bool {
        self.skip_white_space();
        self.eat(close)
    }

    /// Whether `close` follows an element or member, rather than a comma and another one.
    fn ends(&mut self, close: u8) -> Result<bool> {
        self.skip_white_space();
        if self.eat(b',') {
            return Ok(false);
        }
        if self.eat(close) {
            return Ok(true);
        }
        Err(self.refuse("a comma or the closing bracket is expected"))
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over `byte`, which is ASCII, if it comes next.
    fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.at).copied()
    }

    fn refuse(&self, reason: &'static str) -> CanonicalJsonError {
        CanonicalJsonError {
            offset: self.at,
            reason,
        }
    }
}

/// The power of ten of digits that lost `zeros` at their end, of which `fraction` were behind the
/// point.
fn shift(exponent: i64, zeros: usize, fraction: usize) -> Option<i64> {
    let zeros = i64::try_from(zeros).ok()?;
    let fraction = i64::try_from(fraction).ok()?;
    // Both are positive, so only the sum can overflow: two spellings of a number do so together.
    exponent.checked_add(zeros - fraction)
}

fn too_far(offset: usize) -> CanonicalJsonError {
    let reason = "the power of ten of a number is out of range";
    CanonicalJsonError { offset, reason }
}

/// Writes `text` in quotes, with the escapes that RFC 8785 asks for and no other.
fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    while let Some(run) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..run]);
        let byte = rest[run];
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => write!(out, "\\u{byte:04x}").expect("a Vec takes every write"),
        }
        rest = &rest[run + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
