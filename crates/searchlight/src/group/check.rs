//! Checks of the sizes and settings of statistics over maps.

use crate::Error;

pub(crate) fn at_least(what: &'static str, needed: usize, found: usize) -> Result<(), Error> {
    if found < needed { Err(Error::TooFew { what, needed, found }) } else { Ok(()) }
}

pub(crate) fn at_most(what: &'static str, limit: usize, found: usize) -> Result<(), Error> {
    if found > limit { Err(Error::TooMany { what, limit, found }) } else { Ok(()) }
}

pub(crate) fn same_size(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Mismatch { what, expected, found }) }
}

pub(crate) fn positive(what: &'static str, value: f64) -> Result<(), Error> {
    let advice = "it must be a finite number above 0";
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(invalid(what, value, advice)) }
}

pub(crate) fn share(what: &'static str, value: f64) -> Result<(), Error> {
    let advice = "it must lie between 0 and 1, both excluded";
    if value > 0.0 && value < 1.0 { Ok(()) } else { Err(invalid(what, value, advice)) }
}

pub(crate) fn invalid(what: &'static str, found: impl ToString, advice: &'static str) -> Error {
    Error::Invalid { what, found: found.to_string(), advice }
}
