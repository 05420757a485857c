//! Unions and errors: a number and a payload on the wire, a name and a payload in JSON.

use super::error::DecodeError;
use super::payload::{NIL, PayloadSink, PayloadSource, ReaderPayload, WritePayload};
pub use super::payload::{deserialize, serialize};
use super::reader::Reader;
use super::sink::{Fields, Sink};
use super::source::Source;
use super::wire::Decode;
use super::write;

/// What generated code says about a union or error; [`wire!`](super::wire!) makes the other traits of it.
pub trait Union: Sized {
    /// The full name, for messages.
    const NAME: &'static str;
    /// The known ordinals and their names.
    const VARIANTS: &'static [(u32, &'static str)];

    /// The variant's number.
    fn ordinal(&self) -> u32;

    /// Gives the payload to the sink, by the one call that suits the variant.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    fn write<S: PayloadSink>(&self, to: S) -> Result<S::Ok, S::Error>;

    /// Takes the payload of a variant, by the one call that suits it.
    ///
    /// # Errors
    ///
    /// Those of the source, and an ordinal that a closed union does not have.
    fn read<'de, S: PayloadSource<'de>>(ordinal: u32, from: S) -> Result<Self, S::Error>;

    /// Gives the fields of a variant that has some; left out where none has.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    fn write_fields<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        let _ = to;
        Ok(())
    }

    /// Reads the fields of a variant that has some; left out where none has.
    ///
    /// # Errors
    ///
    /// When bytes do not fit, and missing fields.
    fn decode_fields(ordinal: u32, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let _ = input;
        Err(DecodeError::unknown_variant(Self::NAME, ordinal.into()))
    }

    /// Takes the fields of a variant that has some from a serde format; left out where none has.
    ///
    /// # Errors
    ///
    /// Those of the source, and missing fields.
    fn read_fields<'de, S: Source<'de>>(ordinal: u32, from: &mut S) -> Result<Self, S::Error> {
        Err(from.unknown(Self::NAME, ordinal))
    }
}

/// The fields of a union's variant.
pub(super) struct VariantFields<'a, U>(pub(super) &'a U);

impl<U: Union> Fields for VariantFields<'_, U> {
    #[inline]
    fn give<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        self.0.write_fields(to)
    }
}

/// Writes a union as MessagePack.
#[inline]
pub fn encode<U: Union>(value: &U, out: &mut Vec<u8>) {
    write::array(out, 2);
    write::uint(out, value.ordinal().into());
    let Ok(()) = value.write(WritePayload(out));
}

/// Reads a union from MessagePack.
///
/// # Errors
///
/// When the bytes do not fit.
pub fn decode<U: Union>(input: &mut Reader<'_>) -> Result<U, DecodeError> {
    decode_any(input).map_err(|error| error.in_type(U::NAME))
}

fn decode_any<U: Union>(input: &mut Reader<'_>) -> Result<U, DecodeError> {
    if input.is_str() {
        let ordinal = ordinal_of::<U>(input.str()?)?;
        return decode_payload(ordinal, &mut Reader::new(NIL));
    }
    if input.is_map() {
        return decode_named(input);
    }
    let count = input.array()?;
    if count == 0 {
        return Err(DecodeError::custom(
            "expected the number of a variant, found an empty array",
        ));
    }
    let ordinal = u32::decode(input)?;
    let value = match count {
        1 => decode_payload(ordinal, &mut Reader::new(NIL))?,
        _ => decode_payload(ordinal, input)?,
    };
    (2..count).try_for_each(|_| input.skip())?;
    input.close();
    Ok(value)
}

/// Reads a map with the name of the variant as its one key, as tools and people write it.
fn decode_named<U: Union>(input: &mut Reader<'_>) -> Result<U, DecodeError> {
    match input.map()? {
        1 => {
            let value = decode_payload(ordinal_of::<U>(input.key()?)?, input)?;
            input.close();
            Ok(value)
        }
        count => Err(DecodeError::custom(format!(
            "expected one variant, found {count}"
        ))),
    }
}

fn decode_payload<U: Union>(ordinal: u32, input: &mut Reader<'_>) -> Result<U, DecodeError> {
    U::read(ordinal, ReaderPayload(input)).map_err(|error| match name_of::<U>(ordinal) {
        Some(name) => error.in_field(name),
        None => error,
    })
}

/// The name of a variant, if it is known.
pub(super) fn name_of<U: Union>(ordinal: u32) -> Option<&'static str> {
    U::VARIANTS
        .iter()
        .find(|(known, _)| *known == ordinal)
        .map(|(_, name)| *name)
}

/// The ordinal of a variant's name; an unknown variant goes by its ordinal in digits.
pub(super) fn ordinal_of<U: Union>(name: &str) -> Result<u32, DecodeError> {
    let known = U::VARIANTS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(ordinal, _)| *ordinal);
    known.or_else(|| name.parse().ok()).ok_or_else(|| {
        DecodeError::custom(format!("`{name}` is no variant of this union")).in_type(U::NAME)
    })
}
