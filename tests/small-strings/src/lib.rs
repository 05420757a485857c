//! The library of `idl/library.idl`, twice; the tests are in `tests/`.

/// Strings are `String`.
pub mod strings {
    include!(concat!(env!("OUT_DIR"), "/strings.rs"));
}

/// Strings are `SmolStr`.
pub mod small {
    include!(concat!(env!("OUT_DIR"), "/small.rs"));
}
