//! A panel of subjects who judged the same stimuli: how alike are accuracies and errors (spec §3).

use ndarray::Array2;

use crate::Error;
use crate::statistics::{mean, nan_mean};

/// One judgement of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Judgement {
    /// The stimulus.
    pub stimulus: usize,
    /// The condition it was shown in.
    pub condition: usize,
    /// What was there.
    pub truth: usize,
    /// What the subject said; `None` for no answer, or one that is no label.
    pub choice: Option<usize>,
}

impl Judgement {
    fn is_correct(&self) -> bool {
        self.choice == Some(self.truth)
    }
}

/// The judgements of several subjects.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Panel {
    /// Judgements of each subject.
    pub subjects: Vec<Vec<Judgement>>,
    /// Number of conditions.
    pub conditions: usize,
}

/// Cohen's kappa of two observers' errors: agreement beyond what their accuracies make expect. NaN if both are always or never right.
#[must_use]
pub fn cohens_kappa(pairs: &[(bool, bool)]) -> f64 {
    let n = pairs.len() as f64;
    let share = |pick: &dyn Fn(&(bool, bool)) -> bool| pairs.iter().filter(|p| pick(p)).count() as f64 / n;
    let (a, b) = (share(&|p| p.0), share(&|p| p.1));
    let observed = share(&|p| p.0 == p.1);
    let expected = a * b + (1.0 - a) * (1.0 - b);
    if expected == 1.0 { f64::NAN } else { (observed - expected) / (1.0 - expected) }
}

/// 1 minus the distance of an accuracy from the target's, in units of the largest distance possible.
#[must_use]
pub fn accuracy_nearness(source: f64, target: f64) -> f64 {
    1.0 - (source - target).abs() / (1.0 - target).max(target)
}

impl Panel {
    /// Kappa between a model, right or wrong per stimulus, and every subject: subject x condition. Stimuli a subject did not judge are left out.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a judgement on a stimulus that does not exist; [`Error::TooFew`] without subjects.
    pub fn error_consistency(&self, model: &[bool]) -> Result<Array2<f64>, Error> {
        self.check(1, Some(model.len()))?;
        let kappa = |subject: &[Judgement], condition| {
            let judged = subject.iter().filter(|j| j.condition == condition);
            cohens_kappa(&judged.map(|j| (model[j.stimulus], j.is_correct())).collect::<Vec<_>>())
        };
        let shape = (self.subjects.len(), self.conditions);
        Ok(Array2::from_shape_fn(shape, |(subject, c)| kappa(&self.subjects[subject], c)))
    }

    /// Kappa between all pairs of subjects, over the stimuli that both judged: pair x condition.
    ///
    /// # Errors
    /// [`Error::TooFew`] with less than two subjects.
    pub fn error_consistency_ceiling(&self) -> Result<Array2<f64>, Error> {
        self.check(2, None)?;
        let pairs = self.pairs();
        Ok(Array2::from_shape_fn((pairs.len(), self.conditions), |(pair, condition)| {
            let (a, b) = pairs[pair];
            cohens_kappa(&common(&self.subjects[a], &self.subjects[b], condition))
        }))
    }

    /// Nearness of a model's accuracy to each subject's, on the stimuli of that subject: subjects x 1.
    ///
    /// With `by_condition`, the mean over conditions of the nearness within each.
    ///
    /// # Errors
    /// As [`Panel::error_consistency`].
    pub fn accuracy_distance(&self, model: &[bool], by_condition: bool) -> Result<Array2<f64>, Error> {
        self.check(1, Some(model.len()))?;
        let source = |j: &Judgement| model[j.stimulus];
        let near = |subject: &Vec<Judgement>| {
            let pairs: Vec<_> = subject.iter().map(|j| (j.condition, source(j), j.is_correct())).collect();
            self.nearness(&pairs, by_condition)
        };
        let values: Vec<f64> = self.subjects.iter().map(near).collect();
        Ok(column(values))
    }

    /// The same for all pairs of subjects, the second being the target: pairs x 1.
    ///
    /// # Errors
    /// [`Error::TooFew`] with less than two subjects.
    pub fn accuracy_distance_ceiling(&self, by_condition: bool) -> Result<Array2<f64>, Error> {
        self.check(2, None)?;
        let of_pair = |(a, b): (usize, usize)| {
            let groups: Vec<Option<usize>> =
                if by_condition { (0..self.conditions).map(Some).collect() } else { vec![None] };
            let near = |group: &Option<usize>| {
                accuracy_nearness(
                    accuracy_of(&self.subjects[a], *group),
                    accuracy_of(&self.subjects[b], *group),
                )
            };
            nan_mean(&groups.iter().map(near).collect::<Vec<_>>())
        };
        Ok(column(self.pairs().into_iter().map(of_pair).collect()))
    }

    /// Mean over the subjects of their accuracies.
    ///
    /// # Errors
    /// [`Error::TooFew`] without subjects.
    pub fn mean_accuracy(&self) -> Result<f64, Error> {
        self.check(1, None)?;
        Ok(mean(&self.subjects.iter().map(|s| accuracy_of(s, None)).collect::<Vec<_>>()))
    }

    /// All answers as (truth, choice), without those that are no label.
    pub fn answers(&self) -> Vec<(usize, usize)> {
        let all = self.subjects.iter().flatten();
        all.filter_map(|j| Some((j.truth, j.choice?))).collect()
    }

    fn nearness(&self, trials: &[(usize, bool, bool)], by_condition: bool) -> f64 {
        let of = |condition: Option<usize>| {
            let picked: Vec<_> = trials.iter().filter(|t| condition.is_none_or(|c| t.0 == c)).collect();
            let share = |pick: &dyn Fn(&(usize, bool, bool)) -> bool| {
                picked.iter().filter(|t| pick(t)).count() as f64 / picked.len() as f64
            };
            accuracy_nearness(share(&|t| t.1), share(&|t| t.2))
        };
        if by_condition {
            nan_mean(&(0..self.conditions).map(|c| of(Some(c))).collect::<Vec<_>>())
        } else {
            of(None)
        }
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let n = self.subjects.len();
        (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect()
    }

    fn check(&self, subjects: usize, stimuli: Option<usize>) -> Result<(), Error> {
        let found = self.subjects.iter().filter(|s| !s.is_empty()).count();
        if found < subjects || found < self.subjects.len() {
            return Err(Error::TooFew {
                what: "subjects with judgements",
                needed: subjects.max(self.subjects.len()),
                found,
            });
        }
        let last = self.subjects.iter().flatten().map(|j| j.stimulus).max().unwrap_or(0);
        match stimuli {
            Some(len) if last >= len => Err(Error::OutOfRange { what: "judged stimulus", index: last, len }),
            _ => Ok(()),
        }
    }
}

fn column(values: Vec<f64>) -> Array2<f64> {
    ndarray::Array1::from(values).insert_axis(ndarray::Axis(1))
}

fn accuracy_of(subject: &[Judgement], condition: Option<usize>) -> f64 {
    let judged: Vec<_> = subject.iter().filter(|j| condition.is_none_or(|c| j.condition == c)).collect();
    judged.iter().filter(|j| j.is_correct()).count() as f64 / judged.len() as f64
}

/// Right or wrong of both subjects on the stimuli of a condition that both judged, each stimulus at its first judgement.
fn common(a: &[Judgement], b: &[Judgement], condition: usize) -> Vec<(bool, bool)> {
    let mut other = std::collections::HashMap::new();
    for judgement in b.iter().filter(|j| j.condition == condition) {
        other.entry(judgement.stimulus).or_insert(judgement.is_correct());
    }
    let judged = a.iter().filter(|j| j.condition == condition);
    judged.filter_map(|j| Some((j.is_correct(), *other.get(&j.stimulus)?))).collect()
}
