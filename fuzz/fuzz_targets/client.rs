//! Any bytes, as what a server says to a client that has calls under way.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::client(data));
