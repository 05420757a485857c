//! Emitted definitions compile in the strictest crate and do what they say.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, rust_2018_idioms)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]

mod user {
    include!("../../rpc-codegen/tests/golden/idl_user.rs");
}

mod corners {
    include!("../../rpc-codegen/tests/golden/idl_corners.rs");
}

#[test]
fn compiles() {}
