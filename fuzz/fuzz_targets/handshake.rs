//! Any bytes, as the first words of a connection, from either side.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::handshake(data));
