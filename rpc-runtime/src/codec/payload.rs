//! Where the payload of a union's variant goes to and comes from.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::error::DecodeError;
use super::raw_variant::RawVariant;
use super::reader::Reader;
use super::sink;
use super::source::{ByName, BySlot};
use super::union::{Union, VariantFields, name_of, ordinal_of};
use super::value::Value;
use super::wire::{De, Decode, Encode, Ser, Wire};
use super::write;

/// Takes the payload of a variant.
pub trait PayloadSink: Sized {
    /// What the format gives back.
    type Ok;
    /// Why a payload could not be taken.
    type Error;

    /// Takes nothing: the variant is its name.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn unit(self) -> Result<Self::Ok, Self::Error>;

    /// Takes one value.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn value<T: Wire>(self, value: &T) -> Result<Self::Ok, Self::Error>;

    /// Takes the fields that `union` gives.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn fields<U: Union>(self, union: &U) -> Result<Self::Ok, Self::Error>;

    /// Takes the payload of an unknown variant.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn raw(self, variant: &RawVariant) -> Result<Self::Ok, Self::Error>;
}

/// Gives the payload of a variant.
pub trait PayloadSource<'de>: Sized {
    /// Why a payload could not be given.
    type Error;

    /// Passes over whatever there is.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn unit(self) -> Result<(), Self::Error>;

    /// Gives one value.
    ///
    /// # Errors
    ///
    /// When it does not fit the type.
    fn value<T: Wire>(self) -> Result<T, Self::Error>;

    /// Has `U` read the fields of one of its variants.
    ///
    /// # Errors
    ///
    /// When they do not fit.
    fn fields<U: Union>(self, ordinal: u32) -> Result<U, Self::Error>;

    /// Keeps the payload of an unknown variant.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn raw(self, ordinal: u32) -> Result<RawVariant, Self::Error>;

    /// Makes the error of a closed union that has no such variant.
    fn unknown(self, ty: &'static str, ordinal: u32) -> Self::Error;
}

/// A payload as MessagePack.
pub(super) struct WritePayload<'a>(pub(super) &'a mut Vec<u8>);

impl PayloadSink for WritePayload<'_> {
    type Ok = ();
    type Error = Infallible;

    #[inline]
    fn unit(self) -> Result<(), Infallible> {
        write::nil(self.0);
        Ok(())
    }

    #[inline]
    fn value<T: Wire>(self, value: &T) -> Result<(), Infallible> {
        value.encode(self.0);
        Ok(())
    }

    #[inline]
    fn fields<U: Union>(self, union: &U) -> Result<(), Infallible> {
        sink::encode(&VariantFields(union), self.0);
        Ok(())
    }

    fn raw(self, variant: &RawVariant) -> Result<(), Infallible> {
        write::raw(self.0, &variant.payload);
        Ok(())
    }
}

/// A payload from MessagePack.
pub(super) struct ReaderPayload<'a, 'de>(pub(super) &'a mut Reader<'de>);

impl<'de> PayloadSource<'de> for ReaderPayload<'_, 'de> {
    type Error = DecodeError;

    fn unit(self) -> Result<(), DecodeError> {
        self.0.skip()
    }

    #[inline]
    fn value<T: Wire>(self) -> Result<T, DecodeError> {
        T::decode(self.0)
    }

    fn fields<U: Union>(self, ordinal: u32) -> Result<U, DecodeError> {
        // No payload is no fields: all of them may be optional.
        if self.0.is_nil() {
            self.0.nil()?;
            return U::decode_fields(ordinal, &mut Reader::new(EMPTY));
        }
        U::decode_fields(ordinal, self.0)
    }

    fn raw(self, ordinal: u32) -> Result<RawVariant, DecodeError> {
        Ok(RawVariant {
            ordinal,
            payload: self.0.raw()?.to_vec(),
        })
    }

    fn unknown(self, ty: &'static str, ordinal: u32) -> DecodeError {
        DecodeError::unknown_variant(ty, ordinal.into())
    }
}

/// Gives a union to a serde format.
///
/// # Errors
///
/// Those of the format.
pub fn serialize<U: Union, S: Serializer>(value: &U, serializer: S) -> Result<S::Ok, S::Error> {
    let ordinal = value.ordinal();
    if serializer.is_human_readable() {
        return value.write(NamedPayload {
            serializer,
            name: name_of::<U>(ordinal).unwrap_or_default(),
        });
    }
    let mut pair = serializer.serialize_seq(Some(2))?;
    pair.serialize_element(&ordinal)?;
    value.write(PairPayload(pair))
}

/// The second element of a pair.
struct PairPayload<S>(S);

impl<S: SerializeSeq> PairPayload<S> {
    fn end(mut self, payload: &impl Serialize) -> Result<S::Ok, S::Error> {
        self.0.serialize_element(payload)?;
        self.0.end()
    }
}

impl<S: SerializeSeq> PayloadSink for PairPayload<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn unit(self) -> Result<S::Ok, S::Error> {
        self.end(&())
    }

    fn value<T: Wire>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.end(&Ser(value))
    }

    fn fields<U: Union>(self, union: &U) -> Result<S::Ok, S::Error> {
        self.end(&VariantFields(union))
    }

    fn raw(self, variant: &RawVariant) -> Result<S::Ok, S::Error> {
        self.end(&Ser(&value_of(variant).map_err(S::Error::custom)?))
    }
}

/// A map with the variant's name as its one key, or the name alone.
struct NamedPayload<S> {
    serializer: S,
    name: &'static str,
}

impl<S: Serializer> NamedPayload<S> {
    fn entry(self, name: &str, payload: &impl Serialize) -> Result<S::Ok, S::Error> {
        let mut map = self.serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, payload)?;
        map.end()
    }
}

impl<S: Serializer> PayloadSink for NamedPayload<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn unit(self) -> Result<S::Ok, S::Error> {
        self.serializer.serialize_str(self.name)
    }

    fn value<T: Wire>(self, value: &T) -> Result<S::Ok, S::Error> {
        let name = self.name;
        self.entry(name, &Ser(value))
    }

    fn fields<U: Union>(self, union: &U) -> Result<S::Ok, S::Error> {
        let name = self.name;
        self.entry(name, &VariantFields(union))
    }

    fn raw(self, variant: &RawVariant) -> Result<S::Ok, S::Error> {
        let value = value_of(variant).map_err(S::Error::custom)?;
        self.entry(&variant.ordinal.to_string(), &Ser(&value))
    }
}

impl<U: Union> Serialize for VariantFields<'_, U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        sink::serialize(self, serializer)
    }
}

fn value_of(variant: &RawVariant) -> Result<Value, DecodeError> {
    Value::decode(&mut Reader::new(&variant.payload))
}

/// Takes a union from a serde format.
///
/// # Errors
///
/// Those of the format, and whatever does not fit.
pub fn deserialize<'de, U: Union, D: Deserializer<'de>>(deserializer: D) -> Result<U, D::Error> {
    if deserializer.is_human_readable() {
        return deserializer.deserialize_any(UnionVisitor(PhantomData));
    }
    deserializer.deserialize_seq(UnionVisitor(PhantomData))
}

struct UnionVisitor<U>(PhantomData<U>);

impl<'de, U: Union> Visitor<'de> for UnionVisitor<U> {
    type Value = U;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a variant of {}", U::NAME)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<U, E> {
        let ordinal = ordinal_of::<U>(name).map_err(E::custom)?;
        U::read(ordinal, ReaderPayload(&mut Reader::new(NIL))).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<U, A::Error> {
        let Some(De(name)) = map.next_key::<De<String>>()? else {
            return Err(A::Error::invalid_length(0, &self));
        };
        let ordinal = ordinal_of::<U>(&name).map_err(A::Error::custom)?;
        let value = map.next_value_seed(Payload(ordinal, PhantomData))?;
        match map.next_key::<IgnoredAny>()? {
            None => Ok(value),
            Some(_) => Err(A::Error::invalid_length(2, &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<U, A::Error> {
        let Some(De(ordinal)) = pair.next_element()? else {
            return Err(A::Error::invalid_length(0, &self));
        };
        let value = match pair.next_element_seed(Payload(ordinal, PhantomData))? {
            Some(value) => value,
            None => {
                U::read(ordinal, ReaderPayload(&mut Reader::new(NIL))).map_err(A::Error::custom)?
            }
        };
        while pair.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value)
    }
}

/// Reads the payload of a variant whose ordinal has been read.
struct Payload<U>(u32, PhantomData<U>);

impl<'de, U: Union> DeserializeSeed<'de> for Payload<U> {
    type Value = U;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<U, D::Error> {
        U::read(self.0, SerdePayload(deserializer))
    }
}

struct SerdePayload<D>(D);

impl<'de, D: Deserializer<'de>> PayloadSource<'de> for SerdePayload<D> {
    type Error = D::Error;

    fn unit(self) -> Result<(), D::Error> {
        self.0.deserialize_ignored_any(IgnoredAny).map(|_| ())
    }

    fn value<T: Wire>(self) -> Result<T, D::Error> {
        T::deserialize(self.0)
    }

    fn fields<U: Union>(self, ordinal: u32) -> Result<U, D::Error> {
        if self.0.is_human_readable() {
            return self.0.deserialize_any(FieldsVisitor(ordinal, PhantomData));
        }
        self.0.deserialize_seq(FieldsVisitor(ordinal, PhantomData))
    }

    fn raw(self, ordinal: u32) -> Result<RawVariant, D::Error> {
        let mut payload = Vec::new();
        Value::deserialize(self.0)?.encode(&mut payload);
        Ok(RawVariant { ordinal, payload })
    }

    fn unknown(self, ty: &'static str, ordinal: u32) -> D::Error {
        D::Error::custom(DecodeError::unknown_variant(ty, ordinal.into()))
    }
}

struct FieldsVisitor<U>(u32, PhantomData<U>);

impl<'de, U: Union> Visitor<'de> for FieldsVisitor<U> {
    type Value = U;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match name_of::<U>(self.0) {
            Some(name) => write!(f, "the fields of {}.{name}", U::NAME),
            None => write!(f, "the fields of a variant of {}", U::NAME),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<U, A::Error> {
        U::read_fields(self.0, &mut BySlot::new(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<U, A::Error> {
        U::read_fields(self.0, &mut ByName(map))
    }

    fn visit_unit<E: Error>(self) -> Result<U, E> {
        U::decode_fields(self.0, &mut Reader::new(EMPTY)).map_err(E::custom)
    }
}

/// The message that says nothing: the payload of a unit variant.
pub(super) const NIL: &[u8] = &[0xc0];
/// The message without fields.
const EMPTY: &[u8] = &[0x90];
