//! From the entries of a spec to card files.

use std::path::{Path, PathBuf};

pub use ventral_bundle::find_cards;

use ventral_plan::JobSpec;

use crate::Error;

/// [`ventral_bundle::resolve`], with this crate's error.
///
/// # Errors
/// [`Error::NoCard`] for an entry without a card.
pub fn resolve(
    spec: &Path,
    field: &'static str,
    patterns: &[String],
    file_name: &str,
) -> Result<Vec<PathBuf>, Error> {
    ventral_bundle::resolve(spec, field, patterns, file_name).map_err(of_bundle)
}

/// [`ventral_bundle::resolve_natural`], with this crate's error.
///
/// # Errors
/// [`Error::NoCard`].
pub(crate) fn resolve_natural(spec_file: &Path, spec: &JobSpec) -> Result<Option<PathBuf>, Error> {
    ventral_bundle::resolve_natural(spec_file, spec).map_err(of_bundle)
}

fn of_bundle(error: ventral_bundle::Error) -> Error {
    match error {
        ventral_bundle::Error::NoCard { spec, field, pattern, problem } => {
            Error::NoCard { spec, field, pattern, problem }
        }
        other => Error::Mismatch(other.to_string()),
    }
}
