//! [`Faithful`]: a serializer of `serde_json` that refuses what JSON would write as something else.

use std::cell::Cell;
use std::fmt::Display;

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Wraps a serializer, every serializer that it hands on, and each value in it.
pub(super) struct Faithful<'n, S> {
    inner: S,
    /// How often a `Some` was written as `null`.
    blurred: &'n Cell<u64>,
    /// Whether the value is the whole content of a `Some`.
    is_in_some: bool,
}

const NOT_FINITE: &str = "a NaN or an infinity is no number of JSON, and would be stored as null";

impl<'n, S> Faithful<'n, S> {
    pub(super) fn new(inner: S, blurred: &'n Cell<u64>) -> Self {
        Self {
            inner,
            blurred,
            is_in_some: false,
        }
    }

    fn around<I>(&self, inner: I) -> Faithful<'n, I> {
        Faithful::new(inner, self.blurred)
    }

    fn writes_null(&self) {
        self.blurred
            .set(self.blurred.get() + u64::from(self.is_in_some));
    }
}

/// Whether a reader that goes through an f64 gets this f32 back.
#[expect(
    clippy::cast_possible_truncation,
    reason = "that is what such a reader does"
)]
fn survives_an_f64(value: f32) -> bool {
    let read: Result<f64, _> = format!("{value:e}").parse();
    read.is_ok_and(|read| (read as f32).to_bits() == value.to_bits())
}

impl<T: Serialize + ?Sized> Serialize for Faithful<'_, &T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut to = self.around(to);
        to.is_in_some = self.is_in_some;
        self.inner.serialize(to)
    }
}

macro_rules! serialize {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $method(self, $($name: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($name),*)
        }
    )*};
}

macro_rules! serialize_null {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $method(self, $($name: $type),*) -> Result<S::Ok, S::Error> {
            self.writes_null();
            self.inner.$method($($name),*)
        }
    )*};
}

macro_rules! begin {
    ($($method:ident($($name:ident: $type:ty),*) -> $compound:ident;)*) => {$(
        fn $method(self, $($name: $type),*) -> Result<Self::$compound, S::Error> {
            let blurred = self.blurred;
            let inner = self.inner.$method($($name),*)?;
            Ok(Faithful::new(inner, blurred))
        }
    )*};
}

impl<'n, S: Serializer> Serializer for Faithful<'n, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Faithful<'n, S::SerializeSeq>;
    type SerializeTuple = Faithful<'n, S::SerializeTuple>;
    type SerializeTupleStruct = Faithful<'n, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Faithful<'n, S::SerializeTupleVariant>;
    type SerializeMap = Faithful<'n, S::SerializeMap>;
    type SerializeStruct = Faithful<'n, S::SerializeStruct>;
    type SerializeStructVariant = Faithful<'n, S::SerializeStructVariant>;

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if !value.is_finite() {
            return Err(S::Error::custom(NOT_FINITE));
        }
        self.inner.serialize_f64(value)
    }

    /// A reader that does not know yet that it wants an f32 takes an f64, and may round twice: then
    /// as many digits are written as the f64 has.
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if !value.is_finite() {
            return Err(S::Error::custom(NOT_FINITE));
        }
        if !survives_an_f64(value) {
            return self.inner.serialize_f64(value.into());
        }
        self.inner.serialize_f32(value)
    }

    serialize! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    serialize_null! {
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let mut value = self.around(value);
        value.is_in_some = true;
        self.inner.serialize_some(&value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let mut value = self.around(value);
        value.is_in_some = self.is_in_some;
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.around(value);
        self.inner
            .serialize_newtype_variant(name, index, variant, &value)
    }

    begin! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeStructVariant;
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! elements {
    ($($compound:ident: $method:ident;)*) => {$(
        impl<C: $compound> $compound for Faithful<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = self.around(value);
                self.inner.$method(&value)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! members {
    ($($compound:ident),*) => {$(
        impl<C: $compound> $compound for Faithful<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let value = self.around(value);
                self.inner.serialize_field(name, &value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

members!(SerializeStruct, SerializeStructVariant);

impl<C: SerializeMap> SerializeMap for Faithful<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        let key = self.around(key);
        self.inner.serialize_key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.around(value);
        self.inner.serialize_value(&value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
