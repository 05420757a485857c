//! Text inside of a function, in a strict crate.

#![deny(warnings, missing_docs)]

fn main() {
    rpc_macros::idl! {r#"
        package acme.local.v1;

        struct Pair { 1: left: u8, 2: right: u8? }

        service Pairs {
            fn swap(pair: Pair) -> Pair;
        }
    "#}
    let pair = acme::local::v1::Pair::new(1).with_right(2);
    assert_eq!(pair.right, Some(2));
    assert_eq!(acme::local::v1::PairsClient::SERVICE.methods[0].signature, "(pair: Pair) -> Pair");
}
