//! What the compiler has to refuse: a lease has one outcome.
//!
//! `TRYBUILD=overwrite` writes the expected messages anew, after a new compiler has changed them.

#[test]
fn a_lease_has_one_outcome() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/fail_*.rs");
}
