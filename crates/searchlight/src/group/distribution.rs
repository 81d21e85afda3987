//! Tails of the normal and of Student's t distribution.

use std::f64::consts::PI;

/// Beyond this the tail is computed as a continued fraction, before it as a power series.
const SERIES_BELOW: f64 = 2.5;
/// Terms after which a series or continued fraction has long converged.
const MAX_TERMS: usize = 300;
/// Halley steps from a start that is right to three digits.
const REFINEMENTS: usize = 4;

/// Probability that a standard normal variable exceeds `z`. NaN stays NaN.
#[must_use]
pub fn normal_upper_tail(z: f64) -> f64 {
    if z.is_nan() {
        return z;
    }
    let upper = tail_of_magnitude(z.abs());
    if z < 0.0 { 1.0 - upper } else { upper }
}

fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

fn tail_of_magnitude(z: f64) -> f64 {
    if z == f64::INFINITY {
        return 0.0;
    }
    if z < SERIES_BELOW {
        let (mut term, mut sum) = (z, z);
        for n in 1..MAX_TERMS {
            term *= z * z / (2 * n + 1) as f64;
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return 0.5 - density(z) * sum;
    }
    density(z) / (1..MAX_TERMS).rev().fold(z, |below, n| z + n as f64 / below)
}

/// The z that a standard normal variable exceeds with probability `p`: the inverse of [`normal_upper_tail`].
///
/// ∞ at 0, -∞ at 1, NaN outside. Right to about 14 digits wherever `p` is a normal number.
#[must_use]
pub fn z_of_upper_tail(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -z_of_upper_tail(1.0 - p);
    }
    if p == 0.0 {
        return f64::INFINITY;
    }
    // Hastings' rational start (Abramowitz & Stegun 26.2.23, error below 4.5e-4).
    let r = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + r * (0.802_853 + r * 0.010_328);
    let below = 1.0 + r * (1.432_788 + r * (0.189_269 + r * 0.001_308));
    let mut z = (r - above / below).max(0.0);
    for _ in 0..REFINEMENTS {
        // Newton on ln p, so that far tails converge as fast as near ones; Halley's term is the curvature of ln p.
        let tail = tail_of_magnitude(z);
        let (error, slope) = ((tail / p).ln(), density(z) / tail);
        let step = error / slope;
        z = (z + step / (1.0 + 0.5 * step * (slope - z))).max(0.0);
    }
    z
}

/// Probability that Student's t with `df` degrees of freedom exceeds `t`. NaN if `t` is, or without degrees of freedom.
#[must_use]
pub fn t_upper_tail(t: f64, df: usize) -> f64 {
    if t.is_nan() || df == 0 {
        return f64::NAN;
    }
    let half = 0.5 * t_two_sided(t, df);
    if t < 0.0 { 1.0 - half } else { half }
}

/// Probability that |t| of Student's distribution with `df` degrees of freedom exceeds |`t`|. NaN as for [`t_upper_tail`].
#[must_use]
pub fn t_two_sided(t: f64, df: usize) -> f64 {
    if t.is_nan() || df == 0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    let (square, a) = (t * t, df as f64 / 2.0);
    let total = df as f64 + square;
    let beta = beta_with_half(df);
    if df as f64 / total < (a + 1.0) / (a + 2.5) {
        incomplete_beta(df as f64 / total, square / total, a, 0.5, beta)
    } else {
        1.0 - incomplete_beta(square / total, df as f64 / total, 0.5, a, beta)
    }
}

/// The complete beta function B(df/2, 1/2).
fn beta_with_half(df: usize) -> f64 {
    let (mut beta, mut a) = if df.is_multiple_of(2) { (2.0, 1.0) } else { (PI, 0.5) };
    while 2.0 * a < df as f64 {
        beta *= a / (a + 0.5);
        a += 1.0;
    }
    beta
}

/// Regularised incomplete beta function by its continued fraction (modified Lentz); `y` is 1 - `x`, computed without cancellation.
fn incomplete_beta(x: f64, y: f64, a: f64, b: f64, beta: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let guard = |v: f64| if v.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..MAX_TERMS {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut last = 1.0;
        for term in [even, odd] {
            d = 1.0 / guard(1.0 + term * d);
            c = guard(1.0 + term / c);
            last = c * d;
            fraction *= last;
        }
        if (last - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    (a * x.ln() + b * y.ln()).exp() * fraction / (a * beta)
}

/// The t that Student's distribution with `df` degrees of freedom exceeds with probability `p`, by bisection: for
/// cluster-forming thresholds. NaN unless 0 < p < 1 and there are degrees of freedom.
#[must_use]
pub fn t_of_upper_tail(p: f64, df: usize) -> f64 {
    if !(p > 0.0 && p < 1.0) || df == 0 {
        return f64::NAN;
    }
    if p > 0.5 {
        return -t_of_upper_tail(1.0 - p, df);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while t_upper_tail(high, df) > p && high < f64::MAX / 4.0 {
        (low, high) = (high, 2.0 * high);
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if t_upper_tail(middle, df) > p { low = middle } else { high = middle }
    }
}

/// The z with the same tail probability as `t` with `df` degrees of freedom, for maps in units of z.
#[must_use]
pub fn z_of_t(t: f64, df: usize) -> f64 {
    z_of_upper_tail(t_upper_tail(t.abs(), df)).copysign(t)
}
