//! Decisions between categories, and what is measured on them alone (spec §2.6, §3).

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::Error;
use crate::correlation::pearson;
use crate::statistics::mean;

/// How the scores of a category's classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryRule {
    /// The largest: what the published decisions of networks were made with (Geirhos et al. 2019).
    Max,
    /// The mean of their softmax probabilities (Brain-Score).
    Mean,
}

/// Which classes of a readout belong to which category.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CategoryMap {
    /// Number of classes of the readout.
    pub classes: usize,
    /// Classes of each category; none of them empty, all below `classes`.
    pub categories: Vec<Vec<usize>>,
}

impl CategoryMap {
    /// The category of every row of a readout, rows x classes; the first of equals.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a readout with another number of classes, [`Error::TooFew`] without categories or for an empty one,
    /// [`Error::OutOfRange`] for a class that does not exist.
    pub fn decide(&self, readout: ArrayView2<'_, f64>, rule: CategoryRule) -> Result<Vec<usize>, Error> {
        if readout.ncols() != self.classes {
            let what = "outputs of the readout layer, against classes of the category map";
            return Err(Error::Mismatch { what, expected: self.classes, found: readout.ncols() });
        }
        let fewest = self.categories.iter().map(Vec::len).min().unwrap_or(0);
        if fewest == 0 {
            return Err(Error::TooFew { what: "classes of a category", needed: 1, found: 0 });
        }
        if let Some(&index) = self.categories.iter().flatten().find(|&&class| class >= self.classes) {
            return Err(Error::OutOfRange { what: "class of a category", index, len: self.classes });
        }
        Ok(readout.rows().into_iter().map(|row| self.decide_row(row, rule)).collect())
    }

    fn decide_row(&self, row: ArrayView1<'_, f64>, rule: CategoryRule) -> usize {
        // Without the largest the exponentials cannot overflow; the shares stay what they are.
        let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let score = |classes: &Vec<usize>| match rule {
            CategoryRule::Max => classes.iter().map(|&c| row[c]).fold(f64::NEG_INFINITY, f64::max),
            CategoryRule::Mean => {
                mean(&classes.iter().map(|&c| (row[c] - largest).exp()).collect::<Vec<_>>())
            }
        };
        first_largest(self.categories.iter().map(score))
    }
}

/// Position of the largest value, the first of equals; 0 if there is none.
pub fn first_largest(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

/// Which decisions are right.
///
/// # Errors
/// [`Error::Mismatch`] if the lengths differ.
pub fn correct(decisions: &[usize], truth: &[usize]) -> Result<Vec<bool>, Error> {
    if decisions.len() != truth.len() {
        let what = "decisions, against true labels";
        return Err(Error::Mismatch { what, expected: truth.len(), found: decisions.len() });
    }
    Ok(decisions.iter().zip(truth).map(|(a, b)| a == b).collect())
}

/// 1 for right and 0 for wrong, 1 x stimuli: their mean is the accuracy, their deviation its error.
///
/// # Errors
/// [`Error::TooFew`] without decisions.
pub fn accuracy(correct: &[bool]) -> Result<Array2<f64>, Error> {
    if correct.is_empty() {
        return Err(Error::TooFew { what: "decisions", needed: 1, found: 0 });
    }
    Ok(Array2::from_shape_fn((1, correct.len()), |(_, i)| f64::from(u8::from(correct[i]))))
}

/// Share of shape among the decisions for either shape or texture, over the stimuli where the two differ.
///
/// # Errors
/// [`Error::Mismatch`] if the lengths differ, [`Error::TooFew`] if no decision is for either.
pub fn shape_bias(decisions: &[usize], shape: &[usize], texture: &[usize]) -> Result<f64, Error> {
    let for_shape = correct(decisions, shape)?;
    let for_texture = correct(decisions, texture)?;
    let conflict = |wanted: &[bool]| {
        let chosen = wanted.iter().zip(shape.iter().zip(texture));
        chosen.filter(|(wanted, (shape, texture))| **wanted && shape != texture).count()
    };
    let (shapes, textures) = (conflict(&for_shape), conflict(&for_texture));
    if shapes + textures == 0 {
        return Err(Error::TooFew { what: "decisions for the shape or the texture", needed: 1, found: 0 });
    }
    Ok(shapes as f64 / (shapes + textures) as f64)
}

/// Counts of (truth, choice), labels x labels.
///
/// # Errors
/// [`Error::OutOfRange`] for a label that does not exist.
pub fn confusion(pairs: &[(usize, usize)], labels: usize) -> Result<Array2<f64>, Error> {
    let mut counts = Array2::zeros((labels, labels));
    for &(truth, choice) in pairs {
        match counts.get_mut((truth, choice)) {
            Some(count) => *count += 1.0,
            None => {
                return Err(Error::OutOfRange { what: "label", index: truth.max(choice), len: labels });
            }
        }
    }
    Ok(counts)
}

/// Pearson correlation of the off-diagonal counts of two confusion matrices (Maniquet et al. 2024).
///
/// # Errors
/// [`Error::Mismatch`] if the sizes differ.
pub fn confusion_similarity(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Result<f64, Error> {
    let errors = |m: ArrayView2<'_, f64>| -> ndarray::Array1<f64> {
        m.indexed_iter().filter(|((i, j), _)| i != j).map(|(_, v)| *v).collect()
    };
    pearson(errors(a).view(), errors(b).view())
}

/// exp(-scale |a - b|): how near a number of a model is to a human one.
#[must_use]
pub fn value_delta(model: f64, human: f64, scale: f64) -> f64 {
    (-scale * (model - human).abs()).exp()
}
