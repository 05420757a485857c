//! [`SmolStr`] where a definition says `string`: short texts lie in the value, long ones are shared by its clones.

use serde::{Deserializer, Serializer};
use smol_str::SmolStr;

use super::error::DecodeError;
use super::reader::Reader;
use super::text;
use super::viewable::{Viewable, list_of_views};
use super::wire::{Decode, Encode, Wire};
use super::write;

impl Encode for SmolStr {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::str(out, self);
    }
}

impl<'de> Decode<'de> for SmolStr {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.str().map(Self::new)
    }
}

impl Wire for SmolStr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

impl Viewable for SmolStr {
    type View<'a> = &'a str;
    list_of_views!();

    #[inline]
    fn from_view(view: &&str) -> Self {
        Self::new(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_the_wire_what_a_string_is() {
        for text in [
            "",
            "short",
            "23 bytes are in the val",
            "this one is longer than a value and lies elsewhere",
            "日本語のテキスト、少し長い",
        ] {
            let (mut small, mut string) = (Vec::new(), Vec::new());
            SmolStr::new(text).encode(&mut small);
            text.to_owned().encode(&mut string);
            assert_eq!(small, string);
            assert_eq!(SmolStr::decode(&mut Reader::new(&small)).unwrap(), text);
        }
        let broken = [0xa2, 0xff, 0xfe];
        let error = SmolStr::decode(&mut Reader::new(&broken)).unwrap_err();
        let same = String::decode(&mut Reader::new(&broken)).unwrap_err();
        assert_eq!(error.to_string(), same.to_string());
    }

    #[test]
    fn short_ones_take_no_more_room_than_a_string_and_nothing_elsewhere() {
        assert_eq!(size_of::<SmolStr>(), size_of::<String>());
        assert!(!SmolStr::new("23 bytes are in the val").is_heap_allocated());
    }
}
