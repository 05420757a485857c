//! What the structure check lets through never panics a decoder, and what was decoded has one form.

use rpc_runtime::codec::{
    CheckLimits, De, Decode, Encode, Reader, Record, Ser, Value, Wire, check, check_prefix,
};

use crate::everything::v1::{All, Sealed, Shape, Trouble};

/// Reads bytes as a message of every type there is.
///
/// The check and its incremental form agree; whatever is decoded is written in one form, which leads back to it by all
/// roads: the direct one, by way of any value, by way of serde, and as a map by the names of the fields.
pub fn arguments(data: &[u8]) {
    let limits = CheckLimits {
        max_nodes: 10_000,
        ..CheckLimits::default()
    };
    let whole = check(data, &limits);
    let prefix = check_prefix(data, &limits);
    match &whole {
        Ok(()) => assert_eq!(prefix, Ok(Some(data.len()))),
        Err(malformed) => {
            assert!(malformed.position() <= data.len());
            assert_ne!(prefix, Ok(Some(data.len())), "{malformed}");
        }
    }
    if whole.is_err() {
        return;
    }
    let all = there_and_back::<All>(data);
    there_and_back::<Shape>(data);
    there_and_back::<Sealed>(data);
    there_and_back::<Trouble>(data);
    there_and_back::<Value>(data);
    there_and_back::<Vec<Option<All>>>(data);
    if let Some(written) = all {
        by_names(&written);
    }
}

/// The canonical form of what was read, if it was.
fn there_and_back<T: Wire>(data: &[u8]) -> Option<Vec<u8>> {
    let mut input = Reader::new(data);
    let value = T::decode(&mut input).ok()?;
    assert!(input.finish().is_ok(), "the check saw one value");
    let mut written = Vec::new();
    value.encode(&mut written);
    let limits = CheckLimits::default();
    assert_eq!(check(&written, &limits), Ok(()), "{written:02x?}");
    assert_eq!(written, again::<T>(&written), "another form by itself");
    if Value::decode(&mut Reader::new(&written)).is_err() {
        // What this version does not know of a union is kept as it came, texts that are none included: only those who know
        // the variant can say that it is malformed.
        return None;
    }
    // What this version does not know of a union is kept with its bytes, which need not be the shortest.
    let shortest = again::<Value>(&written);
    assert_eq!(shortest, again::<Value>(&shortest), "another form by any");
    assert_eq!(shortest, again::<Value>(&again::<T>(&shortest)));
    let Ok(by_serde) = rmp_serde::to_vec(&Ser(&value)) else {
        unreachable!("what was read can be written: {written:02x?}");
    };
    assert_eq!(shortest, again::<Value>(&by_serde), "another form by serde");
    let De(back) = match rmp_serde::from_slice::<De<T>>(&written) {
        Ok(back) => back,
        Err(error) => unreachable!("{error}: {written:02x?}"),
    };
    let mut rewritten = Vec::new();
    back.encode(&mut rewritten);
    assert_eq!(
        shortest,
        again::<Value>(&rewritten),
        "serde reads it as another"
    );
    Some(written)
}

fn again<T: Wire>(written: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match T::decode(&mut Reader::new(written)) {
        Ok(value) => value.encode(&mut out),
        Err(error) => unreachable!("{error}: {written:02x?}"),
    }
    out
}

/// The same message as a map by names, as other languages may send it.
fn by_names(written: &[u8]) {
    let Ok(Value::Array(fields)) = Value::decode(&mut Reader::new(written)) else {
        unreachable!("a struct is an array: {written:02x?}");
    };
    // From the last field to the first: the order is free.
    let named = All::FIELDS
        .iter()
        .zip(fields)
        .rev()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (Value::from(*name), value))
        .collect();
    let mut map = Vec::new();
    Value::Map(named).encode(&mut map);
    let shortest = again::<Value>(written);
    assert_eq!(
        again::<Value>(&again::<All>(&map)),
        shortest,
        "as a map: {map:02x?}"
    );
}
