use ndarray::{Array1, Array2, ArrayView2, s};

use super::blocks::Blocks;
use super::tile::{Feature, RowSums, columns, shifts, sign, subtract};
use super::{LayerGram, MAX_STIMULI, Precision, TILE_FEATURES, TileConsumer};
use crate::Error;

/// The shifted tile, kept between tiles so that memory is taken once.
enum Shifted {
    F64(Vec<f64>),
    F32(Vec<f32>),
}

/// Turns the tiles of one layer into its [`LayerGram`].
///
/// Memory: n² + n²/2 numbers of 64 bit at the end, n²/2 and one tile before, whatever the number of features.
/// The result is the same, byte for byte, for any number of threads.
pub struct GramBuilder {
    stimuli: usize,
    features: u64,
    blocks: Blocks,
    shifted: Shifted,
    sums: Vec<f64>,
    shift_products: Vec<f64>,
    shift_sum: f64,
    shift_square: f64,
    /// K times the signs of the stimuli, by another way than through K.
    signed_products: Vec<f64>,
    faintest: f64,
}

impl GramBuilder {
    /// A Gram matrix of `stimuli` rows without any feature yet.
    ///
    /// # Errors
    /// [`Error::TooFew`] without stimuli, [`Error::TooMany`] beyond [`MAX_STIMULI`].
    pub fn new(stimuli: usize, precision: Precision) -> Result<Self, Error> {
        if stimuli == 0 {
            return Err(Error::TooFew { what: "stimuli of a Gram matrix", needed: 1, found: 0 });
        }
        if stimuli > MAX_STIMULI {
            return Err(Error::TooMany {
                what: "stimuli of a Gram matrix",
                limit: MAX_STIMULI,
                found: stimuli,
            });
        }
        Ok(Self {
            stimuli,
            features: 0,
            blocks: Blocks::zeros(stimuli),
            shifted: match precision {
                Precision::F64 => Shifted::F64(Vec::new()),
                Precision::F32 => Shifted::F32(Vec::new()),
            },
            sums: vec![0.0; stimuli],
            shift_products: vec![0.0; stimuli],
            shift_sum: 0.0,
            shift_square: 0.0,
            signed_products: vec![0.0; stimuli],
            faintest: f64::INFINITY,
        })
    }

    /// Number type of the products.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match self.shifted {
            Shifted::F64(_) => Precision::F64,
            Shifted::F32(_) => Precision::F32,
        }
    }

    /// Number of rows.
    pub(super) fn stimuli(&self) -> usize {
        self.stimuli
    }

    /// The Gram matrix of all features pushed so far.
    ///
    /// # Errors
    /// [`Error::TooFew`] without features; [`Error::Overflow`] if products left the range of the number type.
    pub fn finish(self) -> Result<LayerGram, Error> {
        if self.features == 0 {
            return Err(Error::TooFew { what: "features of a layer", needed: 1, found: 0 });
        }
        let precision = self.precision();
        let products = self.blocks.into_symmetric();
        // By Cauchy-Schwarz no product exceeds both of its diagonal elements.
        if let Some(stimulus) = products.diag().iter().position(|x| !x.is_finite()) {
            return Err(Error::Overflow { stimulus, precision });
        }
        Ok(LayerGram {
            features: self.features,
            precision,
            noise: noise(&products, &self.signed_products),
            faintest: self.faintest,
            products,
            sums: Array1::from(self.sums),
            shift_products: Array1::from(self.shift_products),
            shift_sum: self.shift_sum,
            shift_square: self.shift_square,
        })
    }

    fn push_piece<T: Feature>(&mut self, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        let shifts = shifts(self.features, tile)?;
        let width = tile.ncols();
        let columns = columns(tile, &shifts);
        self.faintest = self.faintest.min(columns.faintest);
        let rows = RowSums {
            sums: &mut self.sums,
            shift_products: &mut self.shift_products,
            signed_products: &mut self.signed_products,
        };
        match &mut self.shifted {
            Shifted::F64(z) => {
                z.resize(self.stimuli * width, 0.0);
                subtract(tile, &shifts, &columns.signed, z, rows);
                self.blocks.add_f64(z, width);
            }
            Shifted::F32(z) => {
                z.resize(self.stimuli * width, 0.0);
                subtract(tile, &shifts, &columns.signed, z, rows);
                self.blocks.add_f32(z, width);
            }
        }
        self.shift_sum += shifts.iter().sum::<f64>();
        self.shift_square += shifts.iter().map(|shift| shift * shift).sum::<f64>();
        self.features += width as u64;
        Ok(())
    }
}

/// Root mean square of the errors of the products K, from K s and what it should be, s being the [`sign`]s: for errors that are
/// independent of each other E |(K - K₀) s|² = Σ (K - K₀)². At least what one rounding in 64 bit makes of the largest product.
fn noise(products: &Array2<f64>, expected: &[f64]) -> f64 {
    let n = expected.len();
    let squares = products.outer_iter().zip(expected).map(|(row, expected)| {
        let found: f64 = row.iter().enumerate().map(|(stimulus, product)| sign(stimulus) * product).sum();
        (found - expected).powi(2)
    });
    let largest = products.diag().fold(0.0_f64, |max, &x| max.max(x));
    (squares.sum::<f64>().sqrt() / n as f64).max(largest * f64::EPSILON)
}

impl TileConsumer for GramBuilder {
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::TileOrder`] and [`Error::Mismatch`] if the tile is not the next one.
    fn push<T: Feature>(&mut self, first_feature: u64, tile: ArrayView2<'_, T>) -> Result<(), Error> {
        super::check_tile(self.stimuli, self.features, first_feature, tile.dim())?;
        for start in (0..tile.ncols()).step_by(TILE_FEATURES) {
            let end = tile.ncols().min(start + TILE_FEATURES);
            self.push_piece(tile.slice(s![.., start..end]))?;
        }
        Ok(())
    }
}
