//! Psychophysical thresholds of models and people (Malania et al. 2007; spec §3).

use super::psychometric::Psychometric;
use crate::Error;
use crate::rng::RandomState;
use crate::statistics::{mean, standard_deviation};

/// A model below this share of right answers has no threshold.
pub const REQUIRED_ACCURACY: f64 = 0.6;
/// A fit that explains less of the variance is none.
pub const REQUIRED_R_SQUARED: f64 = 0.4;
/// Share of the measured points that must be left once those behind the asymptote are gone.
const REMAINING: f64 = 1.0 / 3.0;

/// Where the share of right answers reaches a level.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Threshold {
    /// The value of the variable.
    pub value: f64,
    /// The level: share of right answers at the threshold.
    pub level: f64,
}

/// The threshold of answers, right or wrong, to stimuli with a variable each; `None` if they have none.
///
/// The level is half way between the fitted function's ends, unless given. Points after the maximum are dropped from where all
/// stay at least one standard deviation below it. There is no threshold for answers that are right too seldom
/// ([`REQUIRED_ACCURACY`]), too few points left, a bad fit ([`REQUIRED_R_SQUARED`]) or one beyond the largest variable measured.
///
/// # Errors
/// [`Error::Mismatch`] if the lengths differ, [`Error::TooFew`] without answers.
pub fn threshold(variable: &[f64], correct: &[bool], level: Option<f64>) -> Result<Option<Threshold>, Error> {
    if variable.len() != correct.len() {
        let what = "answers, against values of the variable";
        return Err(Error::Mismatch { what, expected: variable.len(), found: correct.len() });
    }
    if correct.is_empty() {
        return Err(Error::TooFew { what: "answers", needed: 1, found: 0 });
    }
    let right = correct.iter().filter(|c| **c).count() as f64;
    if right / (correct.len() as f64) < REQUIRED_ACCURACY {
        return Ok(None);
    }
    let (all_x, all_y) = shares(variable, correct);
    let kept = before_asymptote(&all_y);
    if (kept as f64) < REMAINING * all_y.len() as f64 {
        return Ok(None);
    }
    let (x, y) = (&all_x[..kept], &all_y[..kept]);
    let Some(fit) = Psychometric::fit(x, y) else { return Ok(None) };
    // A NaN (all shares equal) is no good fit either.
    let r_squared = fit.r_squared(x, y);
    if r_squared.is_nan() || r_squared < REQUIRED_R_SQUARED {
        return Ok(None);
    }
    let ends = (fit.at(all_x[0]), fit.at(all_x[all_x.len() - 1]));
    let level = level.unwrap_or(ends.0 + (ends.1 - ends.0) / 2.0);
    let value = fit.inverse(level);
    let beyond = value.is_nan() || value > x[kept - 1];
    Ok((!beyond).then_some(Threshold { value, level }))
}

/// Distinct values of the variable, ascending, and the share of right answers at each.
fn shares(variable: &[f64], correct: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let mut order: Vec<usize> = (0..variable.len()).collect();
    order.sort_by(|&a, &b| variable[a].total_cmp(&variable[b]));
    let groups = order.chunk_by(|&a, &b| variable[a] == variable[b]);
    let share = |group: &[usize]| {
        (variable[group[0]], group.iter().filter(|&&i| correct[i]).count() as f64 / group.len() as f64)
    };
    groups.map(share).unzip()
}

/// How many points there are before all stay at least one standard deviation below the first maximum.
fn before_asymptote(y: &[f64]) -> usize {
    let deviation = standard_deviation(y);
    let highest = super::first_largest(y.iter().copied());
    let stays = |from: usize| y[from..].iter().all(|v| (v - y[highest]).abs() >= deviation);
    (highest + 1..y.len()).find(|&from| stays(from)).unwrap_or(y.len())
}

/// How a threshold is compared with those of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdScoring {
    /// With their mean.
    #[default]
    Pool,
    /// With each of them, then the mean.
    Individual,
}

/// 1 minus the distance of a threshold from people's, in units of theirs and not below 0; one value, or one per person.
///
/// # Errors
/// [`Error::TooFew`] without people.
pub fn threshold_nearness(model: f64, people: &[f64], scoring: ThresholdScoring) -> Result<Vec<f64>, Error> {
    if people.is_empty() {
        return Err(Error::TooFew { what: "human thresholds", needed: 1, found: 0 });
    }
    let near = |target: f64| (1.0 - (target - model).abs() / target).max(0.0);
    Ok(match scoring {
        ThresholdScoring::Pool => vec![near(mean(people))],
        ThresholdScoring::Individual => people.iter().map(|&target| near(target)).collect(),
    })
}

/// A person's threshold against all others', as often as there are people.
///
/// Who is compared is drawn as the reference does it: by `RandomState(i)` for the i-th value, from a list whose drawn elements go
/// to its end. So somebody may be drawn twice.
///
/// # Errors
/// [`Error::TooFew`] with less than two people.
pub fn threshold_ceiling(people: &[f64], scoring: ThresholdScoring) -> Result<Vec<f64>, Error> {
    let n = people.len();
    if n < 2 {
        return Err(Error::TooFew { what: "human thresholds", needed: 2, found: n });
    }
    let mut list = people.to_vec();
    let mut values = Vec::with_capacity(n);
    for seed in 0..n {
        let drawn = RandomState::new(seed as u32).permutation(n)[0];
        let person = list[drawn];
        // Of equal thresholds the first leaves the list.
        let position = list.iter().position(|&value| value == person).unwrap_or(drawn);
        list.remove(position);
        values.push(mean(&threshold_nearness(person, &list, scoring)?));
        list.push(person);
    }
    Ok(values)
}
