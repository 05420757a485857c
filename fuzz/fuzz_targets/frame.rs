//! Any bytes, as frames after HELLO: cutting them, and the tables that they drive.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::frame(data));
