//! The response of every usable voxel to every image.

use ndarray::{Array2, ArrayView2, Axis};

use crate::Error;

/// Images a voxel's row is padded to a multiple of: one cache line of f32.
pub(crate) const LANES: usize = 16;
/// Most images: pairs are counted in 32 bits.
pub const MAX_IMAGES: usize = 1 << 16;
/// Most runs of a subject.
pub const MAX_RUNS: usize = 1 << 10;

/// Responses of the usable voxels to the images, once or per run.
///
/// Values are kept as they are given. No mean is taken off here: each neighbourhood takes off its own, after a shift by
/// one of its voxels, which is exact to f32 whatever the data's offset and leaves cosine and Euclidean RSMs what they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns {
    voxels: Vec<u32>,
    images: usize,
    runs: usize,
    stride: usize,
    values: Vec<f32>,
}

/// Voxels that were left out before neighbourhoods are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Voxels with a value that is NaN or infinite.
    pub non_finite: usize,
    /// Voxels with the same value for all images of a run.
    pub constant: usize,
}

impl Patterns {
    /// Patterns of one run, or of repetitions that are already averaged.
    ///
    /// # Errors
    /// See [`Patterns::from_runs`].
    pub fn new(voxels: Vec<u32>, values: ArrayView2<'_, f32>) -> Result<Self, Error> {
        Self::from_runs(voxels, &[values])
    }

    /// Patterns of several runs; `voxels` are linear indices, each run has voxels x images.
    ///
    /// # Errors
    /// [`Error::TooFew`] without voxels or runs or with fewer than 3 images, [`Error::TooMany`] beyond [`MAX_IMAGES`] or
    /// [`MAX_RUNS`], [`Error::Mismatch`] where runs differ in shape, [`Error::NonFinite`] for a NaN or an infinity,
    /// [`Error::Invalid`] for voxels that do not ascend.
    pub fn from_runs(voxels: Vec<u32>, runs: &[ArrayView2<'_, f32>]) -> Result<Self, Error> {
        let first = runs.first().ok_or(Error::TooFew { what: "runs", needed: 1, found: 0 })?;
        let images = first.ncols();
        check_shapes(&voxels, images, runs)?;
        let stride = images.next_multiple_of(LANES);
        let mut values = vec![0.0; voxels.len() * runs.len() * stride];
        for (voxel, rows) in values.chunks_exact_mut(runs.len() * stride).enumerate() {
            for (row, run) in rows.chunks_exact_mut(stride).zip(runs) {
                row.iter_mut().zip(run.row(voxel)).for_each(|(target, &value)| *target = value);
                if row.iter().any(|value| !value.is_finite()) {
                    let advice = "remove such voxels first";
                    return Err(Error::NonFinite { what: "pattern of voxel", index: voxel, advice });
                }
            }
        }
        Ok(Self { voxels, images, runs: runs.len(), stride, values })
    }

    /// Patterns of the voxels of a mask that can be used: finite everywhere, and not constant over the images of any run.
    ///
    /// # Errors
    /// See [`Patterns::from_runs`]; [`Error::TooFew`] if no voxel is left.
    pub fn from_mask(mask: &[u32], runs: &[ArrayView2<'_, f32>]) -> Result<(Self, Removed), Error> {
        if let Some(run) = runs.iter().find(|run| run.nrows() != mask.len()) {
            return Err(Error::Mismatch {
                what: "voxels of a run",
                expected: mask.len(),
                found: run.nrows(),
            });
        }
        let mut removed = Removed::default();
        let mut kept = Vec::with_capacity(mask.len());
        for voxel in 0..mask.len() {
            if runs.iter().any(|run| run.row(voxel).iter().any(|value| !value.is_finite())) {
                removed.non_finite += 1;
            } else if runs
                .iter()
                .any(|run| run.row(voxel).iter().all(|&value| Some(&value) == run.get((voxel, 0))))
            {
                removed.constant += 1;
            } else {
                kept.push(voxel);
            }
        }
        let voxels = kept.iter().map(|&voxel| mask[voxel]).collect();
        let rows: Vec<Array2<f32>> = runs.iter().map(|run| run.select(Axis(0), &kept)).collect();
        let views: Vec<_> = rows.iter().map(|rows| rows.view()).collect();
        Ok((Self::from_runs(voxels, &views)?, removed))
    }

    /// Linear indices of the voxels, ascending.
    #[must_use]
    pub fn voxels(&self) -> &[u32] {
        &self.voxels
    }

    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// Number of runs.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Responses of a voxel (position in [`Patterns::voxels`]) in a run.
    #[must_use]
    pub fn response(&self, voxel: usize, run: usize) -> &[f32] {
        &self.padded(voxel, run)[..self.images]
    }

    /// The mean over runs, as patterns of one run.
    #[must_use]
    pub fn averaged(&self) -> Self {
        let mut values = vec![0.0; self.voxels.len() * self.stride];
        for (voxel, row) in values.chunks_exact_mut(self.stride).enumerate() {
            for (image, value) in row.iter_mut().enumerate().take(self.images) {
                let sum: f64 = (0..self.runs).map(|run| f64::from(self.padded(voxel, run)[image])).sum();
                *value = (sum / self.runs as f64) as f32;
            }
        }
        Self { voxels: self.voxels.clone(), images: self.images, runs: 1, stride: self.stride, values }
    }

    /// The runs at these positions, in this order.
    ///
    /// # Errors
    /// [`Error::TooFew`] for an empty choice, [`Error::Mismatch`] for a run that is not there.
    pub fn select_runs(&self, chosen: &[usize]) -> Result<Self, Error> {
        if chosen.is_empty() {
            return Err(Error::TooFew { what: "chosen runs", needed: 1, found: 0 });
        }
        if let Some(&found) = chosen.iter().find(|&&run| run >= self.runs) {
            return Err(Error::Mismatch {
                what: "runs (a chosen run is not there)",
                expected: self.runs,
                found,
            });
        }
        let rows = (0..self.voxels.len()).flat_map(|voxel| chosen.iter().map(move |&run| (voxel, run)));
        let values = rows.flat_map(|(voxel, run)| self.padded(voxel, run).iter().copied()).collect();
        Ok(Self { voxels: self.voxels.clone(), runs: chosen.len(), values, ..*self })
    }

    /// A row with its padding of zeros.
    #[inline(always)]
    pub(crate) fn padded(&self, voxel: usize, run: usize) -> &[f32] {
        let start = (voxel * self.runs + run) * self.stride;
        &self.values[start..start + self.stride]
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }
}

fn check_shapes(voxels: &[u32], images: usize, runs: &[ArrayView2<'_, f32>]) -> Result<(), Error> {
    if voxels.is_empty() {
        return Err(Error::TooFew { what: "usable voxels in the mask", needed: 1, found: 0 });
    }
    if images < 3 {
        return Err(Error::TooFew { what: "images", needed: 3, found: images });
    }
    if images > MAX_IMAGES {
        return Err(Error::TooMany { what: "images", limit: MAX_IMAGES, found: images });
    }
    if runs.len() > MAX_RUNS {
        return Err(Error::TooMany { what: "runs", limit: MAX_RUNS, found: runs.len() });
    }
    for run in runs {
        if run.ncols() != images {
            return Err(Error::Mismatch { what: "images of a run", expected: images, found: run.ncols() });
        }
        if run.nrows() != voxels.len() {
            return Err(Error::Mismatch {
                what: "voxels of a run",
                expected: voxels.len(),
                found: run.nrows(),
            });
        }
    }
    if let Some(position) = voxels.windows(2).position(|pair| pair[0] >= pair[1]) {
        return Err(Error::Invalid {
            what: "voxel",
            found: voxels[position + 1].to_string(),
            advice: "voxels are linear indices in ascending order, each once",
        });
    }
    Ok(())
}

/// What is done to the responses of a run before RSMs are computed, in the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preparation {
    /// Univariate noise normalisation: divide each voxel by the standard deviation of its residuals ([`noise_sd`]).
    pub noise_normalisation: bool,
    /// Make each voxel's responses to the images of a run mean 0 and (population) standard deviation 1.
    pub z_score_runs: bool,
    /// Remove the cocktail blank: each voxel's mean over the images of a run.
    pub cocktail_blank: bool,
}

/// Applies a preparation to runs of voxels x images; `noise_sd` has one value per voxel.
///
/// A voxel whose standard deviation is zero becomes NaN where it is divided, and is removed by [`Patterns::from_mask`].
///
/// # Errors
/// [`Error::TooFew`] if noise normalisation is asked for without `noise_sd`, [`Error::Mismatch`] for another number of voxels.
pub fn prepare(
    runs: &mut [Array2<f32>],
    preparation: &Preparation,
    noise_sd: Option<&[f64]>,
) -> Result<(), Error> {
    for run in runs.iter_mut() {
        if preparation.noise_normalisation {
            let needs =
                "standard deviations of residuals for noise normalisation (several runs or repetitions)";
            let sd = noise_sd.ok_or(Error::TooFew { what: needs, needed: run.nrows(), found: 0 })?;
            if sd.len() != run.nrows() {
                return Err(Error::Mismatch { what: "noise_sd", expected: run.nrows(), found: sd.len() });
            }
            for (mut row, &sd) in run.rows_mut().into_iter().zip(sd) {
                row.mapv_inplace(|value| if sd > 0.0 { (f64::from(value) / sd) as f32 } else { f32::NAN });
            }
        }
        if preparation.z_score_runs || preparation.cocktail_blank {
            for mut row in run.rows_mut() {
                let count = row.len() as f64;
                let mean = row.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
                let variance =
                    row.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
                let scale = if preparation.z_score_runs { variance.sqrt() } else { 1.0 };
                row.mapv_inplace(|value| {
                    if scale > 0.0 { ((f64::from(value) - mean) / scale) as f32 } else { f32::NAN }
                });
            }
        }
    }
    Ok(())
}

/// Per voxel, the standard deviation of the responses around each image's mean over runs, pooled over images
/// (runs - 1 degrees of freedom per image).
///
/// # Errors
/// [`Error::TooFew`] with fewer than 2 runs, [`Error::Mismatch`] where runs differ in shape.
pub fn noise_sd(runs: &[ArrayView2<'_, f32>]) -> Result<Vec<f64>, Error> {
    if runs.len() < 2 {
        return Err(Error::TooFew { what: "runs to estimate noise from", needed: 2, found: runs.len() });
    }
    let (voxels, images) = runs[0].dim();
    if let Some(run) = runs.iter().find(|run| run.dim() != (voxels, images)) {
        return Err(Error::Mismatch { what: "values of a run", expected: voxels * images, found: run.len() });
    }
    let count = runs.len() as f64;
    let square = |voxel: usize, image: usize| {
        let mean = runs.iter().map(|run| f64::from(run[[voxel, image]])).sum::<f64>() / count;
        runs.iter().map(|run| (f64::from(run[[voxel, image]]) - mean).powi(2)).sum::<f64>()
    };
    let degrees = images as f64 * (count - 1.0);
    Ok((0..voxels).map(|v| ((0..images).map(|i| square(v, i)).sum::<f64>() / degrees).sqrt()).collect())
}
