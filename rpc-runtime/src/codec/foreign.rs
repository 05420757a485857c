//! Carries types that only know serde, by way of `rmp-serde`.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::error::DecodeError;
use super::reader::Reader;
use super::table::Codec;
use super::write;

/// What may be an argument or a result of a service's method.
///
/// Every type that serde can write and read, that owns its content and that may go to another thread.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel over RPC",
    label = "used here as an RPC argument or result",
    note = "`{Self}` and the types in it need `#[derive(serde::Serialize, serde::Deserialize)]`; types of other crates often have both behind a feature `serde`; borrowed types and raw handles cannot be sent; an object of a service goes by reference, as `Handle<GreeterClient>`"
)]
pub trait RpcType: Sized {
    /// The codec through serde.
    #[doc(hidden)]
    fn codec() -> Codec<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> RpcType for T {
    fn codec() -> Codec<Self> {
        Codec {
            encode: encode::<T>,
            decode: |input| decode(input),
            encode_list: |items, out| {
                write::array(out, items.len());
                items.iter().for_each(|item| encode(item, out));
            },
            decode_list: |input| {
                let count = input.array()?;
                let items = (0..count)
                    .map(|index| decode(input).map_err(|error| error.in_index(index)))
                    .collect();
                input.close();
                items
            },
        }
    }
}

/// A type's own `Serialize` may fail; then the reason takes the place of the value, and the receiver refuses it.
fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if let Err(error) = rmp_serde::encode::write(out, value) {
        write::failure(out, start, &error.to_string());
    }
}

/// Reads exactly one value: `rmp-serde` alone would not notice what is left over.
fn decode<T: DeserializeOwned>(input: &mut Reader<'_>) -> Result<T, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(input.raw()?);
    let value = T::deserialize(&mut deserializer)
        .map_err(|error| DecodeError::custom(error.to_string()))?;
    match IgnoredAny::deserialize(&mut deserializer) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(DecodeError::custom(
            "the value has more in it than its type reads",
        )),
    }
}
