//! [`Exact`]: a deserializer of `serde_json` whose floating-point numbers are right to the last bit.
//!
//! Without its feature `float_roundtrip`, `serde_json` rounds twice and may be off by a few units in the last
//! place; with it, so would every other crate of the build decode otherwise. So `serde_json` reads, one
//! byte after the other as it promises for readers, and what it says of a floating-point number is
//! put right from the digits that it has just read.

use std::cell::Cell;
use std::fmt;
use std::io;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Bytes to read, and how many of them have been taken.
pub(super) struct Watched<'t> {
    bytes: &'t [u8],
    taken: &'t Cell<usize>,
}

impl<'t> Watched<'t> {
    pub(super) fn new(bytes: &'t [u8], taken: &'t Cell<usize>) -> Self {
        Self { bytes, taken }
    }
}

impl io::Read for Watched<'_> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let at = self.taken.get();
        let rest = self.bytes.get(at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.taken.set(at + count);
        Ok(count)
    }
}

/// The same bytes, to look up how a number is spelt.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    bytes: &'t [u8],
    taken: &'t Cell<usize>,
}

impl<'t> Text<'t> {
    pub(super) fn new(bytes: &'t [u8], taken: &'t Cell<usize>) -> Self {
        Self { bytes, taken }
    }

    /// The number that was read last. The byte behind it has been taken too, if there is one: only
    /// then is it known where a number ends.
    fn last_number(self) -> Option<&'t str> {
        let taken = self.bytes.get(..self.taken.get())?;
        let taken = match taken.split_last() {
            Some((last, before)) if !is_of_number(*last) => before,
            _ => taken,
        };
        let before = taken.iter().rposition(|byte| !is_of_number(*byte));
        let number = &taken[before.map_or(0, |at| at + 1)..];
        std::str::from_utf8(number).ok()
    }

    /// The number that was read last, for which `serde_json` says `rough`.
    ///
    /// Where the digits are followed by something like a digit, as in `1.5-`, the spelling is no number, and
    /// is refused next.
    fn exact(self, rough: f64) -> f64 {
        let exact = self.last_number().and_then(|number| number.parse().ok());
        exact
            .filter(|exact: &f64| (exact - rough).abs() <= rough.abs() * 1e-14 + f64::MIN_POSITIVE)
            .unwrap_or(rough)
    }

    /// As [`exact`](Self::exact), for a reader that makes an f32 of it: rounding to an f64 first may end
    /// beside the nearest f32.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "that is what the reader does with it"
    )]
    fn exact_narrow(self, rough: f64) -> f64 {
        let wide = self.exact(rough);
        let narrow = self.last_number().and_then(|number| number.parse().ok());
        match narrow {
            Some(narrow) if next_to(narrow, wide as f32) => f64::from(narrow),
            _ => wide,
        }
    }
}

/// Two neighbours among the f32s of one sign.
fn next_to(one: f32, other: f32) -> bool {
    one.is_finite() && one.to_bits().abs_diff(other.to_bits()) == 1
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Wraps a deserializer, and every deserializer that it hands on.
pub(super) struct Exact<'t, D> {
    inner: D,
    text: Text<'t>,
    /// The reader asked for an f32.
    is_narrow: bool,
}

impl<'t, D> Exact<'t, D> {
    pub(super) fn new(inner: D, text: Text<'t>) -> Self {
        Self {
            inner,
            text,
            is_narrow: false,
        }
    }

    fn around<I>(&self, inner: I) -> Exact<'t, I> {
        Exact::new(inner, self.text)
    }
}

macro_rules! deserialize {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.around(visitor);
            self.inner.$method($($name,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Exact<'_, D> {
    type Error = D::Error;

    deserialize! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let mut visitor = self.around(visitor);
        visitor.is_narrow = true;
        self.inner.deserialize_f32(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Exact<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    fn visit_f64<E: Error>(self, rough: f64) -> Result<V::Value, E> {
        let exact = if self.is_narrow {
            self.text.exact_narrow(rough)
        } else {
            self.text.exact(rough)
        };
        self.inner.visit_f64(exact)
    }

    visit! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let from = self.around(from);
        self.inner.visit_some(from)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        let from = self.around(from);
        self.inner.visit_newtype_struct(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, from: A) -> Result<V::Value, A::Error> {
        let from = self.around(from);
        self.inner.visit_seq(from)
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<V::Value, A::Error> {
        let from = self.around(from);
        self.inner.visit_map(from)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, from: A) -> Result<V::Value, A::Error> {
        let from = self.around(from);
        self.inner.visit_enum(from)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Exact<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        let from = self.around(from);
        self.inner.deserialize(from)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Exact<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Exact<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 't, A: EnumAccess<'de>> EnumAccess<'de> for Exact<'t, A> {
    type Error = A::Error;
    type Variant = Exact<'t, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let text = self.text;
        let seed = self.around(seed);
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Exact::new(variant, text)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Exact<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
