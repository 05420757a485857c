//! The serde form of any value: whatever comes closest in the format.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserializer, Serializer};

use super::base64;
use super::containers::serialize_items;
use super::scalar_forms::{Ext, serialize_ext};
use super::timestamp::Timestamp;
use super::value::Value;
use super::wire::{De, Ser, Wire, prealloc};

/// In JSON, bytes are base64, points in time RFC 3339, and extensions `{"ext": type, "data": base64}`; read back,
/// they are text and maps, since JSON does not say what they were.
impl Wire for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Nil => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Uint(value) => serializer.serialize_u64(*value),
            Value::F32(value) => Wire::serialize(value, serializer),
            Value::F64(value) => Wire::serialize(value, serializer),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Bin(bytes) => Wire::serialize(bytes, serializer),
            Value::Array(items) => serialize_items(items.iter(), serializer),
            Value::Map(entries) => serialize_entries(entries, serializer),
            Value::Ext(kind, data) if serializer.is_human_readable() => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("ext", kind)?;
                map.serialize_entry("data", &base64::encode(data))?;
                map.end()
            }
            Value::Ext(kind, data) => serialize_ext(*kind, data, serializer),
            Value::Timestamp(time) => Wire::serialize(time, serializer),
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

fn serialize_entries<S: Serializer>(
    entries: &[(Value, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for (key, value) in entries {
        map.serialize_entry(&Ser(key), &Ser(value))?;
    }
    map.end()
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f32<E>(self, value: f32) -> Result<Value, E> {
        Ok(Value::F32(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::F64(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Str(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Bin(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bin(bytes))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        let (kind, data) = Ext.visit_newtype_struct(deserializer)?;
        if kind != -1 {
            return Ok(Value::Ext(kind, data));
        }
        Timestamp::from_data(&data)
            .map(Value::Timestamp)
            .map_err(serde::de::Error::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(prealloc::<Value>(elements.size_hint().unwrap_or(0)));
        while let Some(De(item)) = elements.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries =
            Vec::with_capacity(prealloc::<(Value, Value)>(map.size_hint().unwrap_or(0)));
        while let Some((De(key), De(value))) = map.next_entry()? {
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}

super::wire!(serde Value);
