//! The sign-flip null of the largest of any statistic of a t map: enhanced values, clusters.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::adjacency::Adjacency;
use super::check::same_size;
use super::cluster::{ClusterForming, ClusterMeasure, clusters};
use super::fdr::Tail;
use super::flips::Flips;
use super::signflip::{fwe, offered, t_of_sum};
use super::t::one_sample_t;
use super::tfce::Tfce;
use crate::Error;

/// Flips of one piece of work.
const PIECE: usize = 8;

/// What of a t map is the larger the more extreme it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MapStatistic<'a> {
    /// Threshold-free cluster enhancement.
    Tfce(&'a Tfce),
    /// A measure of the clusters above a threshold.
    Cluster(&'a ClusterForming, ClusterMeasure),
}

/// A statistic of the group's t map at every voxel, and its largest value under each flip.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxStatistic {
    /// Per voxel, signed if two-sided: the enhanced value, or the measure of the voxel's cluster; 0 outside clusters.
    pub statistic: Vec<f64>,
    /// p per voxel against the largest statistic: family-wise error; 1 where the statistic is 0, NaN where t is undefined.
    pub p_fwe: Vec<f64>,
    /// Largest statistic under each flip, the identity first (of mirrored pairs one, if two-sided and exhaustive).
    pub maxima: Vec<f64>,
}

/// The statistic on `values` (subjects x voxels), tested against sign flips. The same bytes for any number of threads.
///
/// # Errors
/// As [`super::sign_flip_test`], [`Tfce::enhance`] and [`clusters`].
pub fn max_statistic(
    values: ArrayView2<f64>,
    flips: &Flips,
    adjacency: &Adjacency,
    statistic: MapStatistic,
    tail: Tail,
) -> Result<MaxStatistic, Error> {
    offered(tail)?;
    same_size("subjects of the sign flips", values.nrows(), flips.subjects())?;
    same_size("voxels of the neighbourhood", values.ncols(), adjacency.voxels())?;
    let scaled = Scaled::new(values)?;
    let used = flips.distinct(tail == Tail::TwoSided);
    let measure = |flip: usize| statistic.of(&scaled.t(flips, flip), adjacency, tail);
    let observed = measure(0)?;
    let starts: Vec<usize> = (0..used).step_by(PIECE).collect();
    let pieces: Result<Vec<Vec<f64>>, Error> = starts
        .into_par_iter()
        .map(|start| {
            (start..used.min(start + PIECE)).map(|flip| Ok(largest_magnitude(&measure(flip)?))).collect()
        })
        .collect();
    let maxima: Vec<f64> = pieces?.concat();
    let magnitudes: Vec<f64> = observed.iter().map(|v| v.abs()).collect();
    let mut p_fwe = fwe(&magnitudes, &maxima, Tail::Larger)?;
    let undefined = scaled.undefined(values.ncols());
    p_fwe.iter_mut().zip(&undefined).filter(|(_, undefined)| **undefined).for_each(|(p, _)| *p = f64::NAN);
    Ok(MaxStatistic { statistic: observed, p_fwe, maxima })
}

fn largest_magnitude(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, v| v.abs().max(largest))
}

impl MapStatistic<'_> {
    fn of(self, t: &[f64], adjacency: &Adjacency, tail: Tail) -> Result<Vec<f64>, Error> {
        match (self, tail) {
            (MapStatistic::Tfce(tfce), Tail::TwoSided) => tfce.enhance_both(t, adjacency, None),
            (MapStatistic::Tfce(tfce), _) => tfce.enhance(t, adjacency, None),
            (MapStatistic::Cluster(forming, measure), _) => Ok(clusters(t, adjacency, forming)?.map(measure)),
        }
    }
}

/// The defined voxels' values, scaled to norm 1: voxel after voxel, subject after subject.
struct Scaled {
    voxels: Vec<usize>,
    values: Vec<f64>,
    subjects: usize,
    size: usize,
}

impl Scaled {
    fn new(values: ArrayView2<f64>) -> Result<Self, Error> {
        let group = one_sample_t(values)?;
        let voxels: Vec<usize> = (0..group.t.len()).filter(|&v| group.t[v].is_finite()).collect();
        let scale = |&v: &usize| {
            let column = values.column(v);
            let norm = column.iter().map(|x| x * x).sum::<f64>().sqrt();
            column.iter().map(|x| x / norm).collect::<Vec<f64>>()
        };
        let scaled = voxels.iter().flat_map(scale).collect();
        Ok(Self { voxels, values: scaled, subjects: values.nrows(), size: values.ncols() })
    }

    /// t of every voxel under a flip, NaN where undefined.
    fn t(&self, flips: &Flips, flip: usize) -> Vec<f64> {
        let sign: Vec<f64> =
            flips.changed(flip).iter().map(|&changed| if changed { -1.0 } else { 1.0 }).collect();
        let mut t = vec![f64::NAN; self.size];
        for (values, &voxel) in self.values.chunks_exact(self.subjects).zip(&self.voxels) {
            let sum = values.iter().zip(&sign).fold(0.0, |sum, (value, sign)| sum + sign * value);
            t[voxel] = t_of_sum(sum, self.subjects);
        }
        t
    }

    fn undefined(&self, size: usize) -> Vec<bool> {
        let mut undefined = vec![true; size];
        self.voxels.iter().for_each(|&v| undefined[v] = false);
        undefined
    }
}
