//! Patterns of d' between pairs of objects: i1, i2, o1, o2 and their normalised kin (spec §4).

use ndarray::{Array1, Array2, ArrayView2};

use super::normal::normal_quantile;
use crate::Error;
use crate::correlation::pearson;
use crate::rng::RandomState;
use crate::statistics::nan_mean;

/// d' is clipped to this on both sides.
pub const D_PRIME_CAP: f64 = 5.0;
/// Halvings of the human trials, all from one generator.
pub const HALVINGS: usize = 2;
const SEED: u32 = 0;

/// Which pattern of d' is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// One value per image: mean over the distractors.
    I1,
    /// As `I1`, each (truth, distractor) cell first without its mean over the images of the truth.
    I1n,
    /// One value per image and distractor.
    I2,
    /// As `I2`, without the means.
    I2n,
    /// One value per object: mean over the objects it is told from.
    O1,
    /// One value per pair of objects.
    O2,
}

impl Pattern {
    fn by_object(self) -> bool {
        matches!(self, Self::O1 | Self::O2)
    }

    fn normalised(self) -> bool {
        matches!(self, Self::I1n | Self::I2n)
    }

    fn collapsed(self) -> bool {
        matches!(self, Self::I1 | Self::I1n | Self::O1)
    }
}

/// A choice between the object shown and another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ChoiceTrial {
    /// The image.
    pub image: usize,
    /// Object offered that was shown.
    pub sample: usize,
    /// The other object offered.
    pub distractor: usize,
    /// The object chosen.
    pub choice: usize,
}

/// Human choices between objects.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChoiceTrials {
    /// True object of each image; images in ascending order of their identifiers.
    pub truth: Vec<usize>,
    /// Number of objects; objects in ascending order of their names.
    pub objects: usize,
    /// The trials, in the order of the file: halves are drawn by position.
    pub trials: Vec<ChoiceTrial>,
}

/// Rates of choosing each distractor over the true object, image x object; NaN at the truth: p / (p + p(truth)).
///
/// # Errors
/// [`Error::Mismatch`] if rows and `truth` differ in number, [`Error::OutOfRange`] for an object that does not exist.
pub fn rates_of_probabilities(p: ArrayView2<'_, f64>, truth: &[usize]) -> Result<Array2<f64>, Error> {
    check_truth(truth, p.nrows(), p.ncols())?;
    Ok(Array2::from_shape_fn(p.dim(), |(image, object)| {
        if object == truth[image] {
            return f64::NAN;
        }
        p[(image, object)] / (p[(image, object)] + p[(image, truth[image])])
    }))
}

/// The pattern of a matrix of rates (image x object), flattened in ascending order of image and object (or object and object).
///
/// # Errors
/// As [`rates_of_probabilities`].
pub fn d_prime_pattern(
    rates: ArrayView2<'_, f64>,
    truth: &[usize],
    pattern: Pattern,
) -> Result<Array1<f64>, Error> {
    check_truth(truth, rates.nrows(), rates.ncols())?;
    let alarms = mean_by_truth(rates, truth);
    let mut d_prime = if pattern.by_object() {
        Array2::from_shape_fn(alarms.dim(), |(left, right)| {
            normal_quantile(1.0 - alarms[(right, left)]) - normal_quantile(alarms[(left, right)])
        })
    } else {
        // False alarms of a pair: how often the distractor's own images were taken for the object.
        Array2::from_shape_fn(rates.dim(), |(image, object)| {
            normal_quantile(1.0 - rates[(image, object)]) - normal_quantile(alarms[(object, truth[image])])
        })
    };
    // `clamp` keeps NaN.
    d_prime.mapv_inplace(|d| d.clamp(-D_PRIME_CAP, D_PRIME_CAP));
    if pattern.normalised() {
        let means = mean_by_truth(d_prime.view(), truth);
        for ((image, object), d) in d_prime.indexed_iter_mut() {
            *d -= means[(truth[image], object)];
        }
    }
    Ok(match (pattern.collapsed(), pattern.by_object()) {
        (true, true) => d_prime.columns().into_iter().map(|c| nan_mean(&c.to_vec())).collect(),
        (true, false) => d_prime.rows().into_iter().map(|r| nan_mean(&r.to_vec())).collect(),
        (false, _) => d_prime.iter().copied().collect(),
    })
}

/// Mean over the images of each object (NaN skipped), object x object.
fn mean_by_truth(values: ArrayView2<'_, f64>, truth: &[usize]) -> Array2<f64> {
    let objects = values.ncols();
    Array2::from_shape_fn((objects, objects), |(object, choice)| {
        let of_object = truth.iter().enumerate().filter(|(_, t)| **t == object);
        nan_mean(&of_object.map(|(image, _)| values[(image, choice)]).collect::<Vec<_>>())
    })
}

fn check_truth(truth: &[usize], images: usize, objects: usize) -> Result<(), Error> {
    if truth.len() != images {
        let what = "images, against true objects";
        return Err(Error::Mismatch { what, expected: truth.len(), found: images });
    }
    match truth.iter().find(|&&object| object >= objects) {
        Some(&index) => Err(Error::OutOfRange { what: "true object", index, len: objects }),
        None => Ok(()),
    }
}

impl ChoiceTrials {
    /// Positions of the trials in the two halves of every halving (numpy's `RandomState(0)`, one stream for all).
    pub fn halves(&self) -> Vec<[Vec<usize>; 2]> {
        let mut random = RandomState::new(SEED);
        let mut halves = Vec::with_capacity(HALVINGS);
        for _ in 0..HALVINGS {
            let mut first = random.permutation(self.trials.len());
            let second = first.split_off(self.trials.len() / 2);
            halves.push([first, second]);
        }
        halves
    }

    /// Rates of choosing each distractor where it was offered, image x object; NaN at the truth and where it never was.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for an image, object or trial that does not exist.
    pub fn rates(&self, trials: &[usize]) -> Result<Array2<f64>, Error> {
        let shape = (self.truth.len(), self.objects);
        let (mut chosen, mut offered) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros(shape));
        for &index in trials {
            let len = self.trials.len();
            let trial = self.trials.get(index).ok_or(Error::OutOfRange { what: "trial", index, len })?;
            let add = |counts: &mut Array2<f64>, object| match counts.get_mut((trial.image, object)) {
                Some(count) => {
                    *count += 1.0;
                    Ok(())
                }
                None => {
                    Err(Error::OutOfRange { what: "object of a trial", index: object, len: self.objects })
                }
            };
            add(&mut chosen, trial.choice)?;
            add(&mut offered, trial.sample)?;
            if trial.distractor != trial.sample {
                add(&mut offered, trial.distractor)?;
            }
        }
        Ok(Array2::from_shape_fn(shape, |(image, object)| match offered[(image, object)] {
            0.0 => f64::NAN,
            _ if object == self.truth[image] => f64::NAN,
            count => chosen[(image, object)] / count,
        }))
    }

    /// Correlation of a model's pattern with that of the first half of the trials, one value per halving.
    ///
    /// `probabilities` are image x object. Entries that people have no value for are left out.
    ///
    /// # Errors
    /// [`Error::NonFiniteTarget`] where people have a value and the model has none; as [`rates_of_probabilities`].
    pub fn score(&self, probabilities: ArrayView2<'_, f64>, pattern: Pattern) -> Result<Vec<f64>, Error> {
        let rates = rates_of_probabilities(probabilities, &self.truth)?;
        let model = d_prime_pattern(rates.view(), &self.truth, pattern)?;
        let halves = self.halves();
        let one = |[first, _]: &[Vec<usize>; 2]| {
            let human = self.pattern_of(first, pattern)?;
            if let Some(at) = (0..model.len()).find(|&i| model[i].is_nan() && !human[i].is_nan()) {
                let (stimulus, neuroid) = (at / self.objects, at % self.objects);
                return Err(Error::NonFiniteTarget { stimulus, neuroid });
            }
            correlate(&model, &human)
        };
        halves.iter().map(one).collect()
    }

    /// Correlation of the patterns of the two halves, one value per halving, without correction for their length. Entries that either lacks are left out.
    ///
    /// # Errors
    /// As [`ChoiceTrials::rates`].
    pub fn ceiling(&self, pattern: Pattern) -> Result<Vec<f64>, Error> {
        let halves = self.halves();
        let one = |[first, second]: &[Vec<usize>; 2]| {
            correlate(&self.pattern_of(first, pattern)?, &self.pattern_of(second, pattern)?)
        };
        halves.iter().map(one).collect()
    }

    fn pattern_of(&self, trials: &[usize], pattern: Pattern) -> Result<Array1<f64>, Error> {
        d_prime_pattern(self.rates(trials)?.view(), &self.truth, pattern)
    }
}

/// Pearson correlation over the entries where neither is NaN.
fn correlate(a: &Array1<f64>, b: &Array1<f64>) -> Result<f64, Error> {
    let both = || a.iter().zip(b).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let left: Array1<f64> = both().map(|(x, _)| *x).collect();
    let right: Array1<f64> = both().map(|(_, y)| *y).collect();
    pearson(left.view(), right.view())
}
