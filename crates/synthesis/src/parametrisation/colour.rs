//! Decorrelated colour (lucid): a square root of the colour covariance of natural images.

const COVARIANCE_ROOT: [[f64; 3]; 3] = [[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]];

/// The root divided by the norm of its longest column; RGB is this matrix times the three planes.
pub(super) fn matrix() -> [[f64; 3]; 3] {
    let norm =
        |column: usize| COVARIANCE_ROOT.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt();
    let largest = (0..3).map(norm).fold(0.0, f64::max);
    COVARIANCE_ROOT.map(|row| row.map(|value| value / largest))
}
