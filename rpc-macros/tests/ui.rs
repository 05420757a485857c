//! What users may write, and what is said about the rest.

/// `TRYBUILD=overwrite cargo test -p rpc-macros --test ui` records what is said; the difference is the review.
#[test]
fn traits_compile_or_say_why_not() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
