//! Simulated subjects whose layer map is known: near blob l of the cortex the local RSM resembles that of layer l.
//!
//! Every number follows from the seed and the voxel's place in the grid, so a smaller mask or another cut into ranges leaves a voxel
//! as it is.

use faer::{Mat, Side};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::group::check::{at_least, at_most, invalid, positive, same_size};
use crate::{Error, Grid};

/// Width of a blob in voxels unless another is asked for.
pub const DEFAULT_SIGMA_VOXELS: f64 = 3.5;
/// Correlation of a layer's latents with those of the layer before it, for natural images.
pub const NATURAL_ALPHA: f64 = 0.9;
/// Most layers of a simulation.
pub const MAX_SIMULATED_LAYERS: usize = 1_000;
/// Most images of a simulation.
pub const MAX_SIMULATED_IMAGES: usize = 10_000;
/// A blob ends where its amplitude falls below this share.
const LEAST_AMPLITUDE: f64 = 1e-3;
/// Eigenvalues below this share of the largest carry nothing.
const LEAST_EIGENVALUE: f64 = 1e-10;
/// A blob's centre has mask on all six sides at this distance in voxels, where the mask allows.
const INSIDE_VOXELS: i64 = 3;

/// What the images have in common over layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stimuli {
    /// A layer's latents are `alpha` times those of the layer before plus fresh ones: RSMs of layers are alike.
    Natural {
        /// Correlation of neighbouring layers' latents, between -1 and 1.
        alpha: f64,
    },
    /// Latents of different layers are unrelated.
    Synthesised,
}

/// Rectified latents of each layer (images x features), unit variance before rectification.
///
/// # Errors
/// [`Error::TooFew`] or [`Error::TooMany`] images, layers or features; [`Error::Invalid`] for an `alpha` beyond ±1.
pub fn layer_activations(
    stimuli: Stimuli,
    images: usize,
    layers: usize,
    features: usize,
    seed: u64,
) -> Result<Vec<Array2<f64>>, Error> {
    check_sizes(images, layers)?;
    at_least("features", 2, features)?;
    at_most("features", MAX_SIMULATED_IMAGES, features)?;
    let alpha = match stimuli {
        Stimuli::Natural { alpha } => alpha,
        Stimuli::Synthesised => 0.0,
    };
    if !(-1.0..=1.0).contains(&alpha) {
        return Err(invalid("alpha", alpha, "it must lie between -1 and 1"));
    }
    let fresh = (1.0 - alpha * alpha).sqrt();
    let mut latents = Array2::zeros((images, features));
    let activations = (0..layers).map(|layer| {
        let mut random = Random::new([seed, layer as u64, LATENTS]);
        let (old, new) = if layer == 0 { (0.0, 1.0) } else { (alpha, fresh) };
        latents.mapv_inplace(|latent: f64| old * latent + new * random.normal());
        latents.mapv(|latent| latent.max(0.0))
    });
    Ok(activations.collect())
}

/// RSM of each layer: Pearson correlation of two images' activations, strict upper triangles row by row (layers x pairs).
#[must_use]
pub fn activation_rsms(activations: &[Array2<f64>]) -> Array2<f64> {
    let images = activations.first().map_or(0, Array2::nrows);
    let mut rsms = Array2::zeros((activations.len(), images * images.saturating_sub(1) / 2));
    for (layer, mut rsm) in activations.iter().zip(rsms.axis_iter_mut(Axis(0))) {
        let mut unit = layer.clone();
        for mut row in unit.axis_iter_mut(Axis(0)) {
            let mean = row.sum() / row.len() as f64;
            row -= mean;
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        let gram = unit.dot(&unit.t());
        let pairs = (0..images).flat_map(|i| (i + 1..images).map(move |j| (i, j)));
        rsm.iter_mut().zip(pairs).for_each(|(r, pair)| *r = gram[pair]);
    }
    rsms
}

/// F (images x rank) with FFᵀ = the RSM of one layer (strict upper triangle, ones on the diagonal), without the part of an
/// indefinite matrix that no patterns can have.
///
/// # Errors
/// [`Error::Mismatch`] for another number of pairs, [`Error::NonFinite`] for one that is not a number.
pub fn rsm_factor(rsm: &[f64], images: usize) -> Result<Array2<f64>, Error> {
    same_size("image pairs of an RSM", images * images.saturating_sub(1) / 2, rsm.len())?;
    if let Some(index) = rsm.iter().position(|r| !r.is_finite()) {
        return Err(Error::NonFinite { what: "RSM entry", index, advice: "leave the layer out" });
    }
    let mut full = Mat::<f64>::identity(images, images);
    let pairs = (0..images).flat_map(|i| (i + 1..images).map(move |j| (i, j)));
    for (&r, (i, j)) in rsm.iter().zip(pairs) {
        full[(i, j)] = r;
        full[(j, i)] = r;
    }
    let advice = "its eigenvalues could not be found";
    let eigen = full.self_adjoint_eigen(Side::Lower).map_err(|_| invalid("RSM", "a matrix", advice))?;
    let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
    let largest = values.iter().copied().fold(0.0, f64::max);
    let kept: Vec<usize> = (0..images).filter(|&k| values[k] > LEAST_EIGENVALUE * largest).collect();
    Ok(Array2::from_shape_fn((images, kept.len()), |(i, k)| eigen.U()[(i, kept[k])] * values[kept[k]].sqrt()))
}

/// Where the blobs are and how strong.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Linear index of each layer's blob centre, from the first layer (lowest y in mm) to the last.
    pub centres: Vec<u32>,
    /// Standard deviation of a blob in voxels.
    pub sigma_voxels: f64,
    /// Standard deviation of the signal over images at a blob's centre, over that of the noise.
    pub snr: f64,
}

impl Scene {
    /// Blobs for `layers` inside a mask (ascending linear indices): along y in mm with depth, as far apart as the mask allows.
    ///
    /// # Errors
    /// [`Error::TooFew`] or [`Error::TooMany`] layers or voxels; [`Error::Invalid`] for voxels that do not ascend or lie outside,
    /// and for an `snr` that is not a finite number above 0.
    pub fn new(layers: usize, grid: &Grid, voxels: &[u32], snr: f64) -> Result<Self, Error> {
        at_least("layers", 1, layers)?;
        at_most("layers", MAX_SIMULATED_LAYERS, layers)?;
        at_least("voxels for the blobs", layers, voxels.len())?;
        positive("signal-to-noise ratio", snr)?;
        crate::group::check_ascending(voxels, grid.len())?;
        let place = |v: u32| grid.position(v as usize).map(|c| c as f64);
        let mut order: Vec<(f64, u32)> = voxels.iter().map(|&v| (grid.millimetres(place(v))[1], v)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut centres: Vec<u32> = Vec::with_capacity(layers);
        for layer in 0..layers {
            let slab = &order[layer * order.len() / layers..(layer + 1) * order.len() / layers];
            let candidates: Vec<u32> = slab.iter().map(|&(_, v)| v).collect();
            let inside: Vec<u32> =
                candidates.iter().copied().filter(|&v| is_inside(v, grid, voxels)).collect();
            let candidates = if inside.is_empty() { candidates } else { inside };
            let clearance = |v: u32| {
                let distances = centres.iter().map(|&c| squared_distance(place(c), place(v)));
                distances.fold(f64::INFINITY, f64::min)
            };
            // The first is the one in the middle of its slab, the others keep away from those before.
            let best = match layer {
                0 => candidates[candidates.len() / 2],
                _ => {
                    candidates
                        .iter()
                        .copied()
                        .fold((candidates[0], -1.0), |best, v| {
                            let distance = clearance(v);
                            if distance > best.1 { (v, distance) } else { best }
                        })
                        .0
                }
            };
            centres.push(best);
        }
        Ok(Self { centres, sigma_voxels: DEFAULT_SIGMA_VOXELS, snr })
    }

    /// The responses of one subject (voxels x images) to images with the given structure in each layer ([`rsm_factor`]s, images x
    /// rank): patterns of each blob are random mixtures of its layer's columns, fading with the distance from its centre, in noise. Signal and noise differ between seeds; the layers' structure does not.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of layers or images, [`Error::Invalid`] for a layer without variance or voxels
    /// outside the grid.
    pub fn subject(
        &self,
        layers: &[Array2<f64>],
        grid: &Grid,
        voxels: &[u32],
        seed: u64,
    ) -> Result<Array2<f32>, Error> {
        same_size("layers", self.centres.len(), layers.len())?;
        crate::group::check_ascending(voxels, grid.len())?;
        positive("width of a blob", self.sigma_voxels)?;
        let images = layers[0].nrows();
        check_sizes(images, layers.len())?;
        layers.iter().try_for_each(|layer| same_size("images of a layer", images, layer.nrows()))?;
        let scaled: Vec<Array2<f64>> = layers.iter().map(unit_variance).collect::<Result<_, _>>()?;
        let mut values = Array2::<f32>::zeros((voxels.len(), images));
        values.axis_iter_mut(Axis(0)).into_par_iter().zip(voxels).for_each(|(mut row, &voxel)| {
            let mut sum: Vec<f64> = {
                let mut noise = Random::new([seed, u64::from(voxel), NOISE]);
                (0..images).map(|_| noise.normal() / self.snr).collect()
            };
            for (layer, amplitude) in self.amplitudes(grid, voxel) {
                let mut random = Random::new([seed, u64::from(voxel), layer as u64]);
                for column in scaled[layer].rows() {
                    let weight = amplitude * random.normal();
                    sum.iter_mut().zip(column).for_each(|(sum, value)| *sum += weight * value);
                }
            }
            row.iter_mut().zip(sum).for_each(|(value, sum)| *value = sum as f32);
        });
        Ok(values)
    }

    /// The layers that reach a voxel, with the amplitude of their blobs there.
    fn amplitudes(&self, grid: &Grid, voxel: u32) -> impl Iterator<Item = (usize, f64)> {
        let place = |v: u32| grid.position(v as usize).map(|c| c as f64);
        let here = place(voxel);
        let width = 2.0 * self.sigma_voxels * self.sigma_voxels;
        let amplitude = move |centre: u32| (-squared_distance(place(centre), here) / width).exp();
        self.centres
            .iter()
            .map(move |&centre| amplitude(centre))
            .enumerate()
            .filter(|(_, a)| *a > LEAST_AMPLITUDE)
    }

    /// The layer whose blob a voxel belongs to (nearest centre within `within_voxels`), for scoring maps.
    #[must_use]
    pub fn truth(&self, grid: &Grid, voxel: u32, within_voxels: f64) -> Option<usize> {
        let place = |v: u32| grid.position(v as usize).map(|c| c as f64);
        let distance = |&c: &u32| squared_distance(place(c), place(voxel));
        let distances: Vec<f64> = self.centres.iter().map(distance).collect();
        let nearest = (0..distances.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b]))?;
        (distances[nearest] <= within_voxels * within_voxels).then_some(nearest)
    }
}

/// Responses of one subject (voxels x images) to images whose layers have the given RSMs (layers x pairs): see [`Scene`].
///
/// # Errors
/// As [`rsm_factor`], [`Scene::new`] and [`Scene::subject`].
pub fn simulate_subject(
    rsms: ArrayView2<f64>,
    images: usize,
    grid: &Grid,
    voxels: &[u32],
    seed: u64,
    snr: f64,
) -> Result<Array2<f32>, Error> {
    check_sizes(images, rsms.nrows())?;
    let scene = Scene::new(rsms.nrows(), grid, voxels, snr)?;
    let factors: Result<Vec<Array2<f64>>, Error> =
        rsms.axis_iter(Axis(0)).map(|rsm| rsm_factor(&rsm.to_vec(), images)).collect();
    scene.subject(&factors?, grid, voxels, seed)
}

fn check_sizes(images: usize, layers: usize) -> Result<(), Error> {
    at_least("images", 3, images)?;
    at_most("images", MAX_SIMULATED_IMAGES, images)?;
    at_least("layers", 1, layers)?;
    at_most("layers", MAX_SIMULATED_LAYERS, layers)
}

fn squared_distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum()
}

fn is_inside(voxel: u32, grid: &Grid, voxels: &[u32]) -> bool {
    let place = grid.position(voxel as usize).map(|c| c as i64);
    (0..6).all(|side| {
        let mut other = place;
        other[side / 2] += if side % 2 == 0 { INSIDE_VOXELS } else { -INSIDE_VOXELS };
        let in_grid = (0..3).all(|axis| (0..grid.shape[axis] as i64).contains(&other[axis]));
        in_grid && voxels.binary_search(&(grid.linear(other.map(|c| c as usize)) as u32)).is_ok()
    })
}

/// The columns as rows, scaled so that a random mixture of them has variance 1 over images on average.
fn unit_variance(layer: &Array2<f64>) -> Result<Array2<f64>, Error> {
    let n = layer.nrows() as f64;
    let variance: f64 = layer
        .columns()
        .into_iter()
        .map(|column| {
            let mean = column.sum() / n;
            column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n
        })
        .sum();
    let advice = "its images must differ, and be finite";
    if !(variance.is_finite() && variance > 0.0) {
        return Err(invalid("variance of a layer over images", variance, advice));
    }
    Ok((layer / variance.sqrt()).t().as_standard_layout().into_owned())
}

/// Streams of a seed that are no layer's.
const LATENTS: u64 = u64::MAX;
const NOISE: u64 = u64::MAX - 1;

/// A stream of random numbers from a key (splitmix64).
struct Random {
    state: u64,
    second: Option<f64>,
}

impl Random {
    fn new(key: [u64; 3]) -> Self {
        let mut random = Self { state: 0, second: None };
        for part in key {
            random.state ^= part;
            random.state = random.bits();
        }
        random
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal by the polar method.
    fn normal(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let radius = x * x + y * y;
            if radius < 1.0 && radius > 0.0 {
                let factor = (-2.0 * radius.ln() / radius).sqrt();
                self.second = Some(factor * x);
                return factor * y;
            }
        }
    }
}
