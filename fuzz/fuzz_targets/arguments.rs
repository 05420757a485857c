//! Any bytes, as the arguments of a call: the structure check and the decoders of all types.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::arguments(data));
