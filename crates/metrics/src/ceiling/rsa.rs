//! Noise ceiling of representational similarity (Nili et al. 2014; spec §5.2).

use ndarray::{ArrayView2, Axis};

use crate::Error;
use crate::correlation::spearman;
use crate::statistics::mean;

/// Bounds on the similarity that the true representation would reach with the subjects' dissimilarity matrices.
#[derive(Debug, Clone, PartialEq)]
pub struct RsaCeiling {
    /// Mean similarity of a subject with the mean of **all** subjects; 1 for a single subject.
    pub upper: f64,
    /// Mean similarity of a subject with the mean of the **other** subjects; NaN for a single subject.
    pub lower: f64,
    /// Similarity of each subject with the mean of all.
    pub upper_per_subject: Vec<f64>,
    /// Similarity of each subject with the mean of the others; empty for a single subject.
    pub lower_per_subject: Vec<f64>,
}

/// Upper and leave-one-out lower bound from the subjects' matrices (subject x pair of stimuli), by Spearman correlation.
///
/// Plain means, as in the reference: a subject with a NaN makes the bounds NaN.
///
/// # Errors
/// [`Error::TooFew`] without a subject or with fewer than two pairs.
pub fn rsa_ceiling(subjects: ArrayView2<'_, f64>) -> Result<RsaCeiling, Error> {
    let (count, pairs) = subjects.dim();
    if count == 0 {
        return Err(Error::TooFew { what: "subjects for a noise ceiling", needed: 1, found: 0 });
    }
    if pairs < 2 {
        return Err(Error::TooFew { what: "pairs of stimuli for a noise ceiling", needed: 2, found: pairs });
    }
    let total = subjects.sum_axis(Axis(0));
    let mean_of_all = &total / count as f64;
    let upper_per_subject: Vec<f64> =
        subjects.rows().into_iter().map(|own| spearman(own, mean_of_all.view())).collect::<Result<_, _>>()?;
    if count == 1 {
        return Ok(RsaCeiling {
            upper: mean(&upper_per_subject),
            lower: f64::NAN,
            upper_per_subject,
            lower_per_subject: vec![],
        });
    }
    let others = |i: usize| {
        let kept: Vec<usize> = (0..count).filter(|&j| j != i).collect();
        subjects.select(Axis(0), &kept).sum_axis(Axis(0)) / (count - 1) as f64
    };
    let lower_per_subject: Vec<f64> =
        (0..count).map(|i| spearman(subjects.row(i), others(i).view())).collect::<Result<_, _>>()?;
    Ok(RsaCeiling {
        upper: mean(&upper_per_subject),
        lower: mean(&lower_per_subject),
        upper_per_subject,
        lower_per_subject,
    })
}
