//! The images that principal components are fitted on, added to a benchmark's own (spec §2.2).

use ventral_metrics::PCA_COMPONENTS;

use super::card::BenchmarkCard;
use super::locate::Roots;
use super::resolve::open_set;
use super::variants::Components;
use super::{Content, Metric};
use crate::error::Result;
use crate::stimuli::StimulusSet;

/// Before the identifiers of these images, so that they are never those of the benchmark.
const PREFIX: &str = "pca/";

/// The stimuli with the images for the fit after them, and how many components there are.
pub(super) fn resolve(
    card: &BenchmarkCard,
    metric: &Metric,
    stimuli: StimulusSet,
    roots: &Roots<'_>,
) -> Result<(StimulusSet, Option<Components>)> {
    let Some(pca) = &card.pca else { return Ok((stimuli, None)) };
    if !matches!(metric, Metric::Regression(_) | Metric::Cka(_)) || card.assembly.content == Content::Rdm {
        let problem =
            "must be a regression or cka with [pca]: others depend on the components' arbitrary signs";
        return Err(roots.field("metric.name", problem));
    }
    if pca.images.degrees.is_some() || pca.images.allow_unused {
        let problem =
            "has `degrees` or `allow_unused`; models see these images filling their input, remove it";
        return Err(roots.field("pca.images", problem));
    }
    let count = pca.components.unwrap_or(PCA_COMPONENTS);
    let images = open_set("pca.images", "pca", &pca.images, roots)?;
    if count == 0 || images.len() < count {
        let problem = format!("is {count}, there are {} images; give at least one image each", images.len());
        return Err(roots.field("pca.components", &problem));
    }
    let first = stimuli.len();
    Ok((stimuli.followed_by(images, PREFIX), Some(Components { count, first })))
}
