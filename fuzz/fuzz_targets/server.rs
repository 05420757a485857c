//! Any bytes, as what a client says to a server after HELLO.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::server(data));
