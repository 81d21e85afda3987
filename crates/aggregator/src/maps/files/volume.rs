//! Values of centres as volumes.

use serde::Deserialize;
use ventral_data::{Intent, MapValues, NiftiMap, Placement};
use ventral_searchlight::Grid;

use crate::Error;

/// A grid, where its voxels lie in space, and the centres that have values.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    pub(crate) grid: &'a Grid,
    pub(crate) placement: Placement,
    pub(crate) places: &'a [u32],
}

/// The fields of [`Placement`].
#[derive(Deserialize)]
struct Fields {
    qform_code: i16,
    sform_code: i16,
    quaternion: [f64; 3],
    offset: [f64; 3],
    srow: [[f64; 4]; 3],
    pixdim: [f64; 8],
    units: u8,
}

/// Code of a space that the volumes are aligned to.
const ALIGNED: i16 = 2;
/// Units of space: mm.
const MILLIMETRES: u8 = 2;

/// The placement of a subject's volumes; from the affine alone where none is known.
pub(crate) fn placement(stored: &serde_json::Value, grid: &Grid) -> Placement {
    if let Ok(fields) = serde_json::from_value::<Fields>(stored.clone()) {
        let Fields { qform_code, sform_code, quaternion, offset, srow, pixdim, units } = fields;
        return Placement { qform_code, sform_code, quaternion, offset, srow, pixdim, units };
    }
    let a = &grid.affine;
    let size = |axis: usize| (0..3).map(|row| a[row][axis].powi(2)).sum::<f64>().sqrt();
    Placement {
        qform_code: 0,
        sform_code: ALIGNED,
        quaternion: [0.0; 3],
        offset: [0.0; 3],
        srow: [a[0], a[1], a[2]],
        pixdim: [1.0, size(0), size(1), size(2), 1.0, 1.0, 1.0, 1.0],
        units: MILLIMETRES,
    }
}

impl Frame<'_> {
    /// Numbers, 0 outside of the centres and NaN where undefined.
    pub(crate) fn numbers(
        &self,
        values: impl IntoIterator<Item = f64>,
        intent: Intent,
        what: &str,
    ) -> Result<Vec<u8>, Error> {
        let mut volume = vec![0.0f32; self.grid.len()];
        self.places.iter().zip(values).for_each(|(&place, value)| volume[place as usize] = value as f32);
        self.write(MapValues::F32(&volume), intent, what)
    }

    /// Labels or counts, 0 outside of the centres.
    pub(crate) fn integers(
        &self,
        values: impl IntoIterator<Item = i16>,
        intent: Intent,
        what: &str,
    ) -> Result<Vec<u8>, Error> {
        let mut volume = vec![0i16; self.grid.len()];
        self.places.iter().zip(values).for_each(|(&place, value)| volume[place as usize] = value);
        self.write(MapValues::I16(&volume), intent, what)
    }

    /// 1 at the centres.
    pub(crate) fn mask(&self, what: &str) -> Result<Vec<u8>, Error> {
        let mut volume = vec![0u8; self.grid.len()];
        self.places.iter().for_each(|&place| volume[place as usize] = 1);
        self.write(MapValues::U8(&volume), Intent::None, what)
    }

    fn write(&self, values: MapValues<'_>, intent: Intent, what: &str) -> Result<Vec<u8>, Error> {
        let map = NiftiMap { grid: self.grid, placement: &self.placement, intent, description: what, values };
        map.to_bytes().map_err(|source| Error::Volume { name: what.to_owned(), source })
    }
}
