//! Any text, as one or several .idl files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::idl_text(data));
