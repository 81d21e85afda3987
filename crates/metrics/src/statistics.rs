//! Order statistics and moments with numpy's rules, summed in a fixed order.
//!
//! Functions whose name starts with `nan_` skip NaN, as xarray reductions do; the others propagate it, as plain numpy does (spec §0).

/// The values that are not NaN, in their order.
fn present(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|v| !v.is_nan()).collect()
}

/// Sum divided by count; NaN for an empty slice.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean of the values that are not NaN; NaN if there is none.
#[must_use]
pub fn nan_mean(values: &[f64]) -> f64 {
    mean(&present(values))
}

/// Population standard deviation (`ddof` 0); NaN for an empty slice.
#[must_use]
pub fn standard_deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: Vec<f64> = values.iter().map(|v| (v - centre).powi(2)).collect();
    mean(&squares).sqrt()
}

/// Population standard deviation (`ddof` 0) of the values that are not NaN.
#[must_use]
pub fn nan_standard_deviation(values: &[f64]) -> f64 {
    standard_deviation(&present(values))
}

/// Standard error of the mean as the reference computes it: the NaN-skipping standard deviation (`ddof` 0)
/// divided by the root of the number of **all** values (spec §1.2).
#[must_use]
pub fn sem(values: &[f64]) -> f64 {
    nan_standard_deviation(values) / (values.len() as f64).sqrt()
}

/// Standard error of the mean of a sample: its standard deviation (`ddof` 1) divided by the root of their number; NaN for fewer than two
/// values or if one is NaN (`scipy.stats.sem`).
#[must_use]
pub fn standard_error(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    standard_deviation(values) / (n - 1.0).max(0.0).sqrt()
}

/// Median; of an even count the mean of the two middle values. NaN if a value is NaN or there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (_, None) => f64::NAN,
        (1, Some(&value)) => value,
        (_, Some(&upper)) => mean(&[sorted[middle - 1], upper]),
    }
}

/// Median of the values that are not NaN; NaN if there is none.
#[must_use]
pub fn nan_median(values: &[f64]) -> f64 {
    median(&present(values))
}
