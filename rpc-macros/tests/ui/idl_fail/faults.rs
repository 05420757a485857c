//! Faults in a text: each with its picture, and what is right is there.

rpc_macros::idl! {r#"
package acme.faults.v1;

struct User {
    1: name: strng,
    2: age: u8,
    2: size: u8,
}

struct Good { 1: name: string }
"#}

fn main() {
    let _ = acme::faults::v1::Good::new("x");
    let _: Option<acme::faults::v1::User> = None;
}
