//! Stored pieces of brain maps.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::codec::{Array, CodecError, decode, encode};

pub(crate) const MAP: &str = "map";

/// A stored map unit: values of a range of centres.
#[derive(Debug, Clone, PartialEq)]
pub struct MapRecord {
    /// Names of the columns: of the layers, or `reliability`, or `lower` and `upper`.
    pub columns: Vec<String>,
    /// First centre of the range.
    pub first: u64,
    /// Linear index of each centre in the grid of its subject, x fastest.
    pub places: Vec<u32>,
    /// Centres x columns; NaN where there is no value.
    pub values: Array2<f32>,
    /// Voxels of each neighbourhood.
    pub voxels: Vec<u32>,
    /// Centres with fewer voxels than the minimum.
    pub too_small: u64,
    /// Centres with enough voxels and no value.
    pub undefined: u64,
    /// How alike the layers are, layers x layers; empty where columns are no layers.
    pub correlation: Array2<f64>,
    /// Similarities of the conditions in each layer, for figures: layers x pairs, strict upper triangles row by row. Only in the
    /// record of the first range, and empty where there are many conditions.
    pub rsms: Array2<f32>,
    /// What permutations of the images say, if there were any.
    pub permutation: Option<PermutationRecord>,
}

/// A null by permutations of the images, for the deciding residual method.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationRecord {
    /// Centres x columns: permutations whose value reaches the observed one.
    pub exceed: Array2<u32>,
    /// Permutations x columns: largest value over the centres of the range; -∞ where there is none.
    pub max: Array2<f32>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    kind: String,
    columns: Vec<String>,
    first: u64,
    centres: usize,
    too_small: u64,
    undefined: u64,
    correlated: usize,
    rsm_layers: usize,
    rsm_pairs: usize,
    permutations: usize,
}

impl MapRecord {
    /// The record as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let permutation = self.permutation.as_ref();
        let header = Header {
            kind: MAP.to_owned(),
            columns: self.columns.clone(),
            first: self.first,
            centres: self.values.nrows(),
            too_small: self.too_small,
            undefined: self.undefined,
            correlated: self.correlation.nrows(),
            rsm_layers: self.rsms.nrows(),
            rsm_pairs: self.rsms.ncols(),
            permutations: permutation.map_or(0, |permutation| permutation.max.nrows()),
        };
        let none = (Array2::zeros((0, 0)), Array2::zeros((0, 0)));
        let (exceed, max) = permutation.map_or((&none.0, &none.1), |found| (&found.exceed, &found.max));
        encode(
            &header,
            [
                ("correlation", Array::f64(self.correlation.iter().copied())),
                ("exceed", Array::u32(exceed.iter().copied())),
                ("max", Array::f32(max.iter().copied())),
                ("places", Array::u32(self.places.iter().copied())),
                ("rsms", Array::f32(self.rsms.iter().copied())),
                ("values", Array::f32(self.values.iter().copied())),
                ("voxels", Array::u32(self.voxels.iter().copied())),
            ],
        )
    }

    /// The record from bytes.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that are no such record.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let (header, mut arrays) = decode::<Header>(payload, MAP)?;
        let damaged = |problem: String| CodecError::new(MAP, problem);
        let (centres, columns) = (header.centres, header.columns.len());
        let count = |a: usize, b: usize| a.checked_mul(b);
        let shaped =
            |shape: (usize, usize)| move |error: ndarray::ShapeError| damaged(format!("{shape:?}: {error}"));
        let values = arrays.take_f32("values", count(centres, columns))?;
        let places = arrays.take_u32("places", Some(centres))?;
        let voxels = arrays.take_u32("voxels", Some(centres))?;
        let size = (header.correlated, header.correlated);
        let correlation = arrays.take("correlation", count(size.0, size.1))?;
        let drawn = (header.rsm_layers, header.rsm_pairs);
        let rsms = arrays.take_f32("rsms", count(drawn.0, drawn.1))?;
        let permuted = if header.permutations > 0 { centres } else { 0 };
        let exceed = arrays.take_u32("exceed", count(permuted, columns))?;
        let max = arrays.take_f32("max", count(header.permutations, columns))?;
        if header.kind != MAP {
            return Err(damaged(format!("it is a '{}'", header.kind)));
        }
        let permutation = if header.permutations > 0 {
            let max_shape = (header.permutations, columns);
            Some(PermutationRecord {
                exceed: Array2::from_shape_vec((centres, columns), exceed)
                    .map_err(shaped((centres, columns)))?,
                max: Array2::from_shape_vec(max_shape, max).map_err(shaped(max_shape))?,
            })
        } else {
            None
        };
        Ok(Self {
            columns: header.columns,
            first: header.first,
            places,
            values: Array2::from_shape_vec((centres, columns), values).map_err(shaped((centres, columns)))?,
            voxels,
            too_small: header.too_small,
            undefined: header.undefined,
            correlation: Array2::from_shape_vec(size, correlation).map_err(shaped(size))?,
            rsms: Array2::from_shape_vec(drawn, rsms).map_err(shaped(drawn))?,
            permutation,
        })
    }
}
