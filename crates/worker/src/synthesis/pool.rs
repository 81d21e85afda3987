//! Natural images.

use std::path::Path;

use ventral_data::{StimulusSet, load_benchmark};
use ventral_plan::{Digest, PoolFacts};

use crate::Error;

/// The stimuli of a benchmark, without those that its principal components are fitted on.
///
/// # Errors
/// [`Error::Data`] for a card or data file that cannot be used.
pub fn load_pool(file: &Path, data_dir: Option<&Path>) -> Result<(StimulusSet, PoolFacts), Error> {
    let benchmark = load_benchmark(file, data_dir)?;
    let all = benchmark.stimuli.len();
    let shown: Vec<usize> = (0..crate::model::fitted_on(&benchmark).min(all)).collect();
    let images = if shown.len() == all { Some(benchmark.stimuli) } else { benchmark.stimuli.select(&shown) };
    let images = images.ok_or_else(|| Error::Mismatch(format!("{}: no such stimuli", file.display())))?;
    let digest = images.digest()?;
    let facts = PoolFacts {
        identifier: benchmark.card.identifier,
        version: benchmark.card.version,
        stimuli: Digest::try_from(digest).map_err(|error| Error::Mismatch(error.to_string()))?,
        count: images.len(),
        citation: benchmark.card.citation,
    };
    Ok((images, facts))
}
