//! Any bytes, as what a MessagePack-RPC peer says to a server or to a client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::second_door(data));
