//! What `idl!` makes of files and texts, and what is said about those with faults.

mod generated {
    rpc_macros::idl!("tests/ui/idl/greeter.idl");
}

/// `TRYBUILD=overwrite cargo test -p rpc-macros --features idl --test ui_idl` records what is said.
#[test]
fn definitions_compile_or_say_why_not() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/idl_pass/*.rs");
    cases.compile_fail("tests/ui/idl_fail/*.rs");
}

/// Paths are relative to the package that calls the macro.
#[test]
fn files_are_found_beside_the_manifest() {
    let service = generated::acme::greeter::v1::GreeterClient::SERVICE;
    assert_eq!(service.name, "acme.greeter.v1.Greeter");
}
