//! [`Number`]: a number of a body, and the two forms to write it in.

use std::io::Write as _;

use crate::value::canonical_json::refusal::{BEYOND_F64, CanonicalJsonError, OUT_OF_RANGE};

/// The form of numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum NumberForm {
    /// Exact decimals.
    #[default]
    Exact,
    /// Section 3.2.2.3 of RFC 8785: through an f64, laid out as ECMAScript does.
    Rfc8785,
}

/// Digits that decide which f64 is nearest: 768 do, and whether a digit that is not 0 follows.
const DECISIVE_DIGITS: usize = 800;

/// Powers of ten well beyond the largest f64, and below half of the smallest with a minus.
const FAR: i128 = 400;

/// A number as it is spelt in the body.
pub(super) struct Number<'a> {
    /// Where it is in the body.
    pub(super) offset: usize,
    pub(super) is_negative: bool,
    /// The digits before the point, and those behind it.
    pub(super) whole: &'a [u8],
    pub(super) fraction: &'a [u8],
    /// Saturated.
    pub(super) exponent: i128,
}

impl Number<'_> {
    pub(super) fn write(
        &self,
        numbers: NumberForm,
        out: &mut Vec<u8>,
    ) -> Result<(), CanonicalJsonError> {
        match numbers {
            NumberForm::Exact => self.write_exact(out),
            NumberForm::Rfc8785 => self.write_rfc8785(out),
        }
    }

    fn write_exact(&self, out: &mut Vec<u8>) -> Result<(), CanonicalJsonError> {
        let too_far = OUT_OF_RANGE;
        if i64::try_from(self.exponent).is_err() {
            return Err(self.refuse(too_far));
        }
        let start = out.len();
        if self.is_negative {
            out.push(b'-');
        }
        let Some(power) = self.write_digits(out) else {
            out.truncate(start);
            out.push(b'0');
            return Ok(());
        };
        match i64::try_from(power) {
            Ok(0) => {}
            Ok(power) => write!(out, "e{power}").expect("a Vec takes every write"),
            Err(_) => return Err(self.refuse(too_far)),
        }
        Ok(())
    }

    fn write_rfc8785(&self, out: &mut Vec<u8>) -> Result<(), CanonicalJsonError> {
        let start = out.len();
        let magnitude = self.magnitude(out);
        out.truncate(start);
        if magnitude.is_infinite() {
            return Err(self.refuse(BEYOND_F64));
        }
        // A zero has no sign, also one that was rounded.
        if self.is_negative && magnitude != 0.0 {
            out.push(b'-');
        }
        write_as_ecmascript(magnitude, out);
        Ok(())
    }

    /// Writes the digits without zeros at either end, and gives the power of ten of the last one;
    /// `None` for zero, which has none.
    fn write_digits(&self, out: &mut Vec<u8>) -> Option<i128> {
        let start = out.len();
        let digits = self.whole.iter().chain(self.fraction);
        out.extend(digits.skip_while(|digit| **digit == b'0'));
        if out.len() == start {
            return None;
        }
        let zeros = out.iter().rev().take_while(|digit| **digit == b'0').count();
        out.truncate(out.len() - zeros);
        let shift = wide(zeros) - wide(self.fraction.len());
        Some(self.exponent.saturating_add(shift))
    }

    /// The f64 that is nearest to the number without its sign; uses the end of `out` to work on.
    ///
    /// Rust reads digits exactly but gives up on powers of ten of more than five digits, which a
    /// body with as many zeros can make up for. So it gets to see the significant digits only.
    fn magnitude(&self, out: &mut Vec<u8>) -> f64 {
        let start = out.len();
        let Some(power) = self.write_digits(out) else {
            return 0.0;
        };
        // The number is 0.DIGITS times ten to the power of `point`.
        let point = power.saturating_add(wide(out.len() - start));
        if point > FAR {
            return f64::INFINITY;
        }
        if point < -FAR {
            return 0.0;
        }
        if out.len() - start > DECISIVE_DIGITS {
            // The last digit is not 0, so one stands for all that are cut off.
            out.truncate(start + DECISIVE_DIGITS);
            out.push(b'1');
        }
        let power = point - wide(out.len() - start);
        write!(out, "e{power}").expect("a Vec takes every write");
        let spelt = std::str::from_utf8(&out[start..]).expect("digits are ASCII");
        spelt.parse().expect("digits and a power are a number")
    }

    fn refuse(&self, reason: &'static str) -> CanonicalJsonError {
        CanonicalJsonError {
            offset: self.offset,
            reason,
        }
    }
}

fn wide(count: usize) -> i128 {
    i128::try_from(count).expect("a usize fits into an i128")
}

/// `Number::toString` of ECMAScript (ECMA-262, 7.1.12.1) for a number that is not negative.
fn write_as_ecmascript(value: f64, out: &mut Vec<u8>) {
    let spelt = shortest(value);
    let (digits, exponent) = spelt.split_once('e').expect("the form has an exponent");
    let digits = digits.replace('.', "");
    let exponent: i16 = exponent.parse().expect("it is 308 at most");
    // How many digits are before the point.
    let point = exponent + 1;
    let written = match usize::try_from(point) {
        Ok(point @ 1..=21) if digits.len() <= point => write!(out, "{digits:0<point$}"),
        Ok(point @ 1..=21) => write!(out, "{}.{}", &digits[..point], &digits[point..]),
        _ if (-5..=0).contains(&point) => {
            let width = digits.len() + usize::from(point.unsigned_abs());
            write!(out, "0.{digits:0>width$}")
        }
        _ if digits.len() == 1 => write!(out, "{digits}e{exponent:+}"),
        _ => write!(out, "{}.{}e{exponent:+}", &digits[..1], &digits[1..]),
    };
    written.expect("a Vec takes every write");
}

/// The fewest digits that read as `value`; of those the nearest, and of two as near the even ones.
fn shortest(value: f64) -> String {
    let spelt = format!("{value:e}");
    let mantissa = spelt.split('e').next().unwrap_or_default();
    let fraction = mantissa.len().saturating_sub("1.".len());
    // Two decimals of at most 15 digits never read as the same f64, so there is no choice.
    if fraction < 15 {
        return spelt;
    }
    // Of two that are as near Rust takes the upper one, unless it is told how many digits to write:
    // then the even one. That may lie too far below a power of two, where f64s are closer together.
    let even = format!("{value:.fraction$e}");
    if even.parse() == Ok(value) {
        even
    } else {
        spelt
    }
}
