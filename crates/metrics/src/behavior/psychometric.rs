//! The psychometric function of a choice between two: from chance to nearly always right (Wichmann & Hill 2001).

use super::normal::{normal_cdf, normal_density, normal_quantile};

/// Share of right answers of a guess.
pub const GUESS_RATE: f64 = 0.5;
/// Bounds of the lapse rate.
pub const LAPSE_RANGE: [f64; 2] = [0.03, 0.5];
/// Slopes from which the search starts, 10^-3 to 10.
const START_SLOPES: usize = 50;
const START_EXPONENTS: [f64; 2] = [-3.0, 1.0];
/// Searches end when no step promises a decrease above this.
const MIN_DECREASE: f64 = 1e-14;
const MAX_STEPS: usize = 300;
const MAX_BACKTRACKS: usize = 40;
const SUFFICIENT: f64 = 1e-4;
/// Probabilities are kept this far from 0 and 1 in logarithms.
const TINY: f64 = 1e-300;

/// Share of right answers at x: 1/2 + (1/2 - lapse) Φ(slope (x - mean)).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Psychometric {
    /// Slope.
    pub slope: f64,
    /// Where the curve is steepest.
    pub mean: f64,
    /// Share of wrong answers however easy the task.
    pub lapse: f64,
}

impl Psychometric {
    /// Share of right answers at x.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        GUESS_RATE + (1.0 - GUESS_RATE - self.lapse) * normal_cdf(self.slope * (x - self.mean))
    }

    /// Where the share of right answers is y; NaN if nowhere.
    #[must_use]
    pub fn inverse(&self, y: f64) -> f64 {
        self.mean + normal_quantile((y - GUESS_RATE) / (1.0 - GUESS_RATE - self.lapse)) / self.slope
    }

    /// The most likely function for shares `y` at `x`: the best of searches from 50 slopes at every x, as in the reference.
    ///
    /// `None` without points. The reference searches with numerical derivatives; the optimum is the same, the place on a flat
    /// ridge (data that a step describes) need not be.
    #[must_use]
    pub fn fit(x: &[f64], y: &[f64]) -> Option<Self> {
        let highest = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lapse = (1.0 - highest).clamp(LAPSE_RANGE[0], LAPSE_RANGE[1]);
        let [from, to] = START_EXPONENTS;
        let mut best: Option<(f64, Self)> = None;
        for index in 0..START_SLOPES {
            let slope = 10f64.powf(from + (to - from) * index as f64 / (START_SLOPES - 1) as f64);
            for &mean in x {
                let (likelihood, found) = search(Self { slope, mean, lapse }, x, y);
                if likelihood.is_finite() && best.is_none_or(|(least, _)| likelihood < least) {
                    best = Some((likelihood, found));
                }
            }
        }
        best.map(|(_, found)| found)
    }

    /// Share of the variance of `y` that the function explains.
    #[must_use]
    pub fn r_squared(&self, x: &[f64], y: &[f64]) -> f64 {
        let mean = crate::statistics::mean(y);
        let residual: f64 = x.iter().zip(y).map(|(&x, y)| (y - self.at(x)).powi(2)).sum();
        1.0 - residual / y.iter().map(|y| (y - mean).powi(2)).sum::<f64>()
    }

    /// Negative log-likelihood and its gradient by slope, mean and lapse.
    fn likelihood(&self, x: &[f64], y: &[f64]) -> (f64, [f64; 3]) {
        let (mut sum, mut gradient) = (0.0, [0.0; 3]);
        let height = 1.0 - GUESS_RATE - self.lapse;
        for (&x, &y) in x.iter().zip(y) {
            let z = self.slope * (x - self.mean);
            let cdf = normal_cdf(z);
            let p = GUESS_RATE + height * cdf;
            sum -= y * p.max(TINY).ln() + (1.0 - y) * (1.0 - p).max(TINY).ln();
            let by_p = (1.0 - y) / (1.0 - p).max(TINY) - y / p.max(TINY);
            let by_z = by_p * height * normal_density(z);
            gradient[0] += by_z * (x - self.mean);
            gradient[1] -= by_z * self.slope;
            gradient[2] -= by_p * cdf;
        }
        (sum, gradient)
    }

    fn moved(&self, length: f64, direction: [f64; 3]) -> Self {
        Self {
            slope: self.slope + length * direction[0],
            mean: self.mean + length * direction[1],
            lapse: (self.lapse + length * direction[2]).clamp(LAPSE_RANGE[0], LAPSE_RANGE[1]),
        }
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Quasi-Newton search (BFGS) with the lapse rate kept within its bounds.
fn search(start: Psychometric, x: &[f64], y: &[f64]) -> (f64, Psychometric) {
    let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let mut at = start;
    let (mut value, mut gradient) = at.likelihood(x, y);
    let mut inverse = identity;
    for _ in 0..MAX_STEPS {
        // At a bound that the search presses against, the lapse rate stays.
        let held = (at.lapse <= LAPSE_RANGE[0] && gradient[2] > 0.0)
            || (at.lapse >= LAPSE_RANGE[1] && gradient[2] < 0.0);
        let free = if held { [gradient[0], gradient[1], 0.0] } else { gradient };
        let mut direction = inverse.map(|row| -dot(row, free));
        if held {
            direction[2] = 0.0;
        }
        if dot(direction, free) >= 0.0 {
            inverse = identity;
            direction = free.map(|g| -g);
        }
        let slope = dot(direction, free);
        if slope > -MIN_DECREASE {
            break;
        }
        let Some((next, next_value, next_gradient)) = descend(at, value, slope, direction, x, y) else {
            break;
        };
        let moved = [next.slope - at.slope, next.mean - at.mean, next.lapse - at.lapse];
        let turned = [0, 1, 2].map(|i| next_gradient[i] - gradient[i]);
        inverse = updated(inverse, moved, turned).unwrap_or(identity);
        let decrease = value - next_value;
        (at, value, gradient) = (next, next_value, next_gradient);
        if decrease < MIN_DECREASE {
            break;
        }
    }
    (value, at)
}

fn descend(
    at: Psychometric,
    value: f64,
    slope: f64,
    direction: [f64; 3],
    x: &[f64],
    y: &[f64],
) -> Option<(Psychometric, f64, [f64; 3])> {
    let mut length = 1.0;
    for _ in 0..MAX_BACKTRACKS {
        let next = at.moved(length, direction);
        let (next_value, gradient) = next.likelihood(x, y);
        if next_value <= value + SUFFICIENT * length * slope {
            return Some((next, next_value, gradient));
        }
        length *= 0.5;
    }
    None
}

/// The BFGS update of an inverse Hessian; `None` where the curvature is not positive.
fn updated(inverse: [[f64; 3]; 3], moved: [f64; 3], turned: [f64; 3]) -> Option<[[f64; 3]; 3]> {
    let curvature = dot(moved, turned);
    let least = f64::EPSILON * dot(turned, turned).sqrt() * dot(moved, moved).sqrt();
    if curvature.is_nan() || curvature <= least {
        return None;
    }
    let image = inverse.map(|row| dot(row, turned));
    let factor = (1.0 + dot(turned, image) / curvature) / curvature;
    let mut next = inverse;
    for (i, row) in next.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell += factor * moved[i] * moved[j] - (image[i] * moved[j] + moved[i] * image[j]) / curvature;
        }
    }
    Some(next)
}
