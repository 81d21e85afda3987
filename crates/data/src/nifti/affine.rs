//! From the fields of a header to the place of its voxels, and checks of it.

use super::header::Placement;
use crate::error::ParseError;

/// Most by which b² + c² + d² of a quaternion may exceed 1 through rounding to f32 (nibabel's bound, 3 ε).
const QUATERNION_SLACK: f64 = 3.0 * f32::EPSILON as f64;
/// Smallest volume of a voxel relative to the product of its edges; below, the axes lie in a plane.
const MIN_RELATIVE_VOLUME: f64 = 1e-6;

/// Rows of a 4 x 4 matrix.
type Affine = [[f64; 4]; 4];

const LAST_ROW: [f64; 4] = [0.0, 0.0, 0.0, 1.0];

/// Voxel to millimetres: sform before qform before voxel sizes alone.
pub(super) fn affine(placement: &Placement, shape: [usize; 3]) -> Result<Affine, ParseError> {
    let (name, affine) = if placement.sform_code > 0 {
        let [x, y, z] = placement.srow;
        ("srow_x, srow_y and srow_z", [x, y, z, LAST_ROW])
    } else if placement.qform_code > 0 {
        ("the quaternion and pixdim", from_quaternion(placement)?)
    } else {
        ("pixdim", from_sizes(placement, shape))
    };
    check(&affine, name)?;
    Ok(affine)
}

/// Sizes of voxels as `pixdim` has them.
fn sizes(placement: &Placement) -> [f64; 3] {
    [placement.pixdim[1], placement.pixdim[2], placement.pixdim[3]]
}

fn from_quaternion(placement: &Placement) -> Result<Affine, ParseError> {
    let [b, c, d] = placement.quaternion;
    let rest = 1.0 - (b * b + c * c + d * d);
    if rest.is_nan() || rest < -QUATERNION_SLACK {
        let problem = format!("quatern_b, quatern_c and quatern_d ({b}, {c}, {d}) are no rotation");
        return Err(ParseError::Invalid(problem));
    }
    let sizes = sizes(placement);
    if sizes.iter().any(|&size| size < 0.0) {
        return Err(ParseError::Invalid(format!("pixdim has the negative voxel sizes {sizes:?}")));
    }
    let a = rest.max(0.0).sqrt();
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let handedness = if placement.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let scale = [sizes[0], sizes[1], sizes[2] * handedness];
    let mut affine = [[0.0; 4], [0.0; 4], [0.0; 4], LAST_ROW];
    for (row, (turned, offset)) in affine.iter_mut().zip(rotation.iter().zip(placement.offset)) {
        for ((entry, turned), size) in row.iter_mut().zip(turned).zip(scale) {
            *entry = turned * size;
        }
        row[3] = offset;
    }
    Ok(affine)
}

/// nibabel's choice for a file without sform and qform: centred, x to the left.
fn from_sizes(placement: &Placement, shape: [usize; 3]) -> Affine {
    let sizes = sizes(placement);
    let mut affine = [[0.0; 4], [0.0; 4], [0.0; 4], LAST_ROW];
    for axis in 0..3 {
        let size = if axis == 0 { -sizes[axis] } else { sizes[axis] };
        affine[axis][axis] = size;
        affine[axis][3] = -size * (shape[axis] as f64 - 1.0) / 2.0;
    }
    affine
}

fn check(affine: &Affine, name: &str) -> Result<(), ParseError> {
    if affine.iter().flatten().any(|v| !v.is_finite()) {
        return Err(ParseError::Invalid(format!(
            "{name} place the voxels at {affine:?}, which is not finite"
        )));
    }
    let column = |j: usize| [affine[0][j], affine[1][j], affine[2][j]];
    let [a, b, c] = [column(0), column(1), column(2)];
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let volume = cross[0] * c[0] + cross[1] * c[1] + cross[2] * c[2];
    let edges: f64 = [a, b, c].iter().map(|e| e.iter().map(|v| v * v).sum::<f64>().sqrt()).product();
    if edges > 0.0 && volume.abs() > MIN_RELATIVE_VOLUME * edges {
        return Ok(());
    }
    Err(ParseError::Invalid(format!("{name} give voxels without volume; correct the header")))
}
