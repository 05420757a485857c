//! Maps and sets: sorted when written, and in any order when read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserializer, Serializer};

use super::containers::{deserialize_items, serialize_items};
use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{De, Decode, Encode, Ser, Wire, prealloc};
use super::write;

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_entries(self.iter(), out);
    }
}

/// Sorted by key, so that equal maps are equal bytes.
impl<K: Encode + Ord, V: Encode, H> Encode for HashMap<K, V, H> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_entries(sorted(self).into_iter(), out);
    }
}

impl<'de, K: Decode<'de> + Ord, V: Decode<'de>> Decode<'de> for BTreeMap<K, V> {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let count = map_of::<K, V>(input)?;
        let mut map = BTreeMap::new();
        decode_entries(count, input, |key, value| drop(map.insert(key, value)))?;
        Ok(map)
    }
}

impl<'de, K: Decode<'de> + Eq + Hash, V: Decode<'de>, H: BuildHasher + Default> Decode<'de>
    for HashMap<K, V, H>
{
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let count = map_of::<K, V>(input)?;
        let mut map = HashMap::with_capacity_and_hasher(prealloc::<(K, V)>(count), H::default());
        decode_entries(count, input, |key, value| drop(map.insert(key, value)))?;
        Ok(map)
    }
}

impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_entries(self.iter(), serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<K: Wire + Ord + Hash, V: Wire, H: BuildHasher + Default> Wire for HashMap<K, V, H> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_entries(sorted(self).into_iter(), serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        write::array(out, self.len());
        self.iter().for_each(|item| item.encode(out));
    }
}

/// Sorted, so that equal sets are equal bytes.
impl<T: Encode + Ord, H> Encode for HashSet<T, H> {
    fn encode(&self, out: &mut Vec<u8>) {
        write::array(out, self.len());
        sorted_items(self)
            .into_iter()
            .for_each(|item| item.encode(out));
    }
}

impl<'de, T: Decode<'de> + Ord> Decode<'de> for BTreeSet<T> {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let set = decode_items(set_of::<T>(input)?, input).collect();
        input.close();
        set
    }
}

impl<'de, T: Decode<'de> + Eq + Hash, H: BuildHasher + Default> Decode<'de> for HashSet<T, H> {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let set = decode_items(set_of::<T>(input)?, input).collect();
        input.close();
        set
    }
}

impl<T: Wire + Ord> Wire for BTreeSet<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_items(self.iter(), serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_items(deserializer).map(BTreeSet::from_iter)
    }
}

impl<T: Wire + Ord + Hash, H: BuildHasher + Default> Wire for HashSet<T, H> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_items(sorted_items(self).into_iter(), serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_items(deserializer).map(HashSet::from_iter)
    }
}

fn sorted<K: Ord, V, H>(map: &HashMap<K, V, H>) -> Vec<(&K, &V)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

fn sorted_items<T: Ord, H>(set: &HashSet<T, H>) -> Vec<&T> {
    let mut items: Vec<_> = set.iter().collect();
    items.sort_unstable();
    items
}

fn encode_entries<'a, K: Encode + 'a, V: Encode + 'a>(
    entries: impl ExactSizeIterator<Item = (&'a K, &'a V)>,
    out: &mut Vec<u8>,
) {
    write::map(out, entries.len());
    for (key, value) in entries {
        key.encode(out);
        value.encode(out);
    }
}

/// Entries for which a node of a tree has room, be it for one.
const NODE: usize = 11;

/// The count of a map, when the room for its entries was counted.
fn map_of<K, V>(input: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let count = input.map()?;
    input.weigh(room(count), size_of::<(K, V)>(), 2 * count)?;
    Ok(count)
}

/// The same of a set.
fn set_of<T>(input: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let count = input.array()?;
    input.weigh(room(count), size_of::<T>(), count)?;
    Ok(count)
}

fn room(count: usize) -> usize {
    if count == 0 { 0 } else { count.max(NODE) }
}

/// Reads the entries of a map; of equal keys the last one wins, by the order of the calls.
fn decode_entries<'de, K: Decode<'de>, V: Decode<'de>>(
    count: usize,
    input: &mut Reader<'de>,
    mut insert: impl FnMut(K, V),
) -> Result<(), DecodeError> {
    for _ in 0..count {
        let before = input.clone();
        let key = K::decode(input).map_err(|error| error.in_key(shown(before.clone())))?;
        let value = V::decode(input).map_err(|error| error.in_key(shown(before)))?;
        insert(key, value);
    }
    input.close();
    Ok(())
}

/// A key as an error's path shows it.
#[cold]
fn shown(mut key: Reader<'_>) -> String {
    if key.is_str() {
        return key
            .str()
            .map_or_else(|_| "?".into(), |key| format!("{key:?}"));
    }
    key.integer()
        .map_or_else(|_| "?".into(), |key| key.to_string())
}

fn decode_items<'de, T: Decode<'de>>(
    count: usize,
    input: &mut Reader<'de>,
) -> impl Iterator<Item = Result<T, DecodeError>> {
    (0..count).map(|index| T::decode(input).map_err(|error| error.in_index(index)))
}

fn serialize_entries<'a, K: Wire + 'a, V: Wire + 'a, S: Serializer>(
    entries: impl ExactSizeIterator<Item = (&'a K, &'a V)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for (key, value) in entries {
        map.serialize_entry(&Ser(key), &Ser(value))?;
    }
    map.end()
}

struct Entries<M, K, V>(PhantomData<(M, K, V)>);

impl<'de, M: FromIterator<(K, V)>, K: Wire, V: Wire> Visitor<'de> for Entries<M, K, V> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        std::iter::from_fn(|| map.next_entry().transpose())
            .map(|entry| entry.map(|(De(key), De(value))| (key, value)))
            .collect()
    }
}
