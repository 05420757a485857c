//! Makes the five traits of a type that travels, from what generated code says about it.

/// `wire!(record User)`, `wire!(enumeration Side)`, `wire!(union Shape)`: `Encode`, `Decode`, `Wire`, `Serialize` and
/// `Deserialize` by way of [`Record`](super::record::Record), [`Enumeration`](super::enumeration::Enumeration) or
/// [`Union`](super::union::Union). `wire!(serde T)`: the last two by way of `Wire`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rpc_wire {
    (serde $ty:ty) => {
        #[automatically_derived]
        impl $crate::codec::serde::Serialize for $ty {
            fn serialize<S: $crate::codec::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::codec::Wire::serialize(self, serializer)
            }
        }

        #[automatically_derived]
        impl<'de> $crate::codec::serde::Deserialize<'de> for $ty {
            fn deserialize<D: $crate::codec::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                <Self as $crate::codec::Wire>::deserialize(deserializer)
            }
        }
    };
    ($kind:ident $ty:ty) => {
        #[automatically_derived]
        impl $crate::codec::Encode for $ty {
            #[inline]
            fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                $crate::codec::$kind::encode(self, out)
            }
        }

        #[automatically_derived]
        impl<'de> $crate::codec::Decode<'de> for $ty {
            #[inline]
            fn decode(
                input: &mut $crate::codec::Reader<'de>,
            ) -> ::core::result::Result<Self, $crate::codec::DecodeError> {
                $crate::codec::$kind::decode(input)
            }
        }

        #[automatically_derived]
        impl $crate::codec::Wire for $ty {
            fn serialize<S: $crate::codec::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::codec::$kind::serialize(self, serializer)
            }

            fn deserialize<'de, D: $crate::codec::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::codec::$kind::deserialize(deserializer)
            }
        }

        $crate::__rpc_wire!(serde $ty);
    };
}
