//! A dose of the hostile kit; `HOSTILE=all` for everything, `HOSTILE=family` for one family.

use ventral_hostile::{Case, Limits, dose, failures, families, run_all, table};
use ventral_tests::binary::ventral;

fn chosen() -> Vec<Case> {
    match std::env::var("HOSTILE").as_deref() {
        Err(_) | Ok("") => dose(),
        Ok("all") => families(),
        Ok(family) => families().into_iter().filter(|case| case.family == family).collect(),
    }
}

#[test]
fn no_input_ends_the_program_hangs_it_or_takes_its_memory() {
    let cases = chosen();
    assert!(!cases.is_empty(), "HOSTILE names no family");
    let outcomes = run_all(ventral(), &cases, Limits::default()).expect("cases are made and run");
    println!("{}", table(&outcomes));
    let failed = failures(&outcomes);
    assert!(failed.is_empty(), "{failed}");
}
