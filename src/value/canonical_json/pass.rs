//! [`Pass`]: reads a body and writes its canonical form.

use std::io::Write as _;

use crate::value::canonical_json::number::{Number, NumberForm};
use crate::value::canonical_json::pick::{Picks, Scope, Step, Walk};
use crate::value::canonical_json::refusal::{
    CanonicalJsonError, LONE_SURROGATE, SECOND_MEMBER, TOO_DEEP,
};

/// Most arrays and objects inside one another.
pub(super) const DEPTH_MAX: usize = 128;

type Result<T, E = CanonicalJsonError> = std::result::Result<T, E>;

/// Reads `body` and writes its canonical form.
///
/// What does not count is read and written like the rest, and then taken back, so that it is
/// checked like the rest.
///
/// Invariant: `at` is at a character boundary of `body`, because only whole ASCII characters and
/// runs that end before one are stepped over.
pub(super) struct Pass<'a> {
    body: &'a str,
    at: usize,
    out: Vec<u8>,
    numbers: NumberForm,
    walk: Walk<'a>,
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
    /// Its name, value and comma, as a range of `out`; empty if it does not count.
    piece: (usize, usize),
}

impl<'a> Pass<'a> {
    pub(super) fn new(body: &'a str, numbers: NumberForm, picks: &'a Picks) -> Self {
        Self {
            body,
            at: 0,
            out: Vec::with_capacity(body.len()),
            numbers,
            walk: Walk::new(picks),
            text: String::new(),
            members: Vec::new(),
            moved: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<Vec<u8>> {
        let counts = self.value(0, self.walk.outermost())?;
        self.skip_white_space();
        if self.peek().is_some() {
            return Err(self.refuse("something follows the value"));
        }
        if !counts && !self.out.starts_with(b"{") && !self.out.starts_with(b"[") {
            return Ok(b"null".to_vec());
        }
        Ok(self.out)
    }

    /// A value inside `depth` arrays and objects; says whether it counts. The recursion ends at
    /// [`DEPTH_MAX`].
    fn value(&mut self, depth: usize, scope: Scope) -> Result<bool> {
        self.skip_white_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => Err(self.refuse(TOO_DEEP)),
            Some(b'{') => return self.object(depth, scope),
            Some(b'[') => return self.array(depth, scope),
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
        }?;
        Ok(scope.counts(false))
    }

    fn array(&mut self, depth: usize, scope: Scope) -> Result<bool> {
        self.at += 1;
        self.out.push(b'[');
        let first = self.out.len();
        // Behind the last element that counts.
        let mut end = first;
        if !self.opens_empty(b']') {
            for index in 0.. {
                if self.element(depth, scope, index)? {
                    end = self.out.len();
                }
                if self.ends(b']')? {
                    break;
                }
                self.out.push(b',');
            }
        }
        self.out.truncate(end);
        self.out.push(b']');
        Ok(scope.counts(end > first))
    }

    /// An element, or `null` in its place; says whether it counts.
    fn element(&mut self, depth: usize, around: Scope, index: usize) -> Result<bool> {
        let start = self.out.len();
        let scope = self.walk.enter(around, depth, Step::Element(index));
        let counts = self.value(depth + 1, scope)?;
        self.walk.leave(scope);
        if !counts {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
        }
        Ok(counts)
    }

    fn object(&mut self, depth: usize, scope: Scope) -> Result<bool> {
        self.at += 1;
        self.out.push(b'{');
        let first = self.out.len();
        if !self.opens_empty(b'}') {
            let (members, names) = (self.members.len(), self.text.len());
            loop {
                self.member(depth, scope)?;
                if self.ends(b'}')? {
                    break;
                }
            }
            self.sort_members(members)?;
            self.members.truncate(members);
            self.text.truncate(names);
        }
        let counts = self.out.len() > first;
        if counts {
            // Every member brought a comma, so that members can change places.
            self.out.pop();
        }
        self.out.push(b'}');
        Ok(scope.counts(counts))
    }

    fn member(&mut self, depth: usize, around: Scope) -> Result<()> {
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
        let step = Step::Member(&self.text[name.0..name.1]);
        let scope = self.walk.enter(around, depth, step);
        let counts = self.value(depth + 1, scope)?;
        self.walk.leave(scope);
        if counts {
            self.out.push(b',');
        } else {
            self.out.truncate(piece);
        }
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
            let reason = SECOND_MEMBER;
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
        write_string(&mut self.out, &self.text[start..]);
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
        let reason = LONE_SURROGATE;
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
        let is_negative = self.eat(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with(b"0") {
            let reason = "a number starts with a zero";
            return Err(CanonicalJsonError { offset, reason });
        }
        let fraction = if self.eat(b'.') { self.digits()? } else { &[] };
        let number = Number {
            offset,
            is_negative,
            whole,
            fraction,
            exponent: self.exponent()?,
        };
        number.write(self.numbers, &mut self.out)
    }

    fn exponent(&mut self) -> Result<i128> {
        if !self.eat(b'e') && !self.eat(b'E') {
            return Ok(0);
        }
        let is_negative = self.eat(b'-');
        if !is_negative {
            self.eat(b'+');
        }
        let sign = if is_negative { -1 } else { 1 };
        let exponent = self.digits()?.iter().fold(0_i128, |exponent, digit| {
            exponent
                .saturating_mul(10)
                .saturating_add(sign * i128::from(digit - b'0'))
        });
        Ok(exponent)
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
