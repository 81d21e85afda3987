//! All group statistics of all layers at once, as options ask for them.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::adjacency::{Adjacency, Connectivity};
use super::check::{at_least, share};
use super::cluster::{ClusterForming, ClusterMeasure, Clusters, clusters};
use super::distribution::{t_of_upper_tail, z_of_t};
use super::fdr::{Tail, fdr_adjusted};
use super::flips::{DEFAULT_DRAWS, Flips};
use super::maxstat::{MapStatistic, MaxStatistic, max_statistic};
use super::signflip::{SignFlipTest, fwe_over_layers, sign_flip_test};
use super::tfce::Tfce;
use crate::Error;

/// Flips for enhancement and clusters unless another number is asked for: each costs a pass over the neighbours of a map.
pub const DEFAULT_CLUSTER_DRAWS: usize = 1_000;

/// Clusters of a group's t map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterOptions {
    /// Uncorrected p that forms clusters, of the tail that is tested.
    pub forming_p: f64,
    /// What of a cluster is compared with the largest of each flip.
    pub measure: ClusterMeasure,
}

impl Default for ClusterOptions {
    /// p < .001, extent.
    fn default() -> Self {
        Self { forming_p: 0.001, measure: ClusterMeasure::Extent }
    }
}

/// Which group statistics to compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupOptions {
    /// Which effects count.
    pub tail: Tail,
    /// Sign flips where there are too many subjects for all of them.
    pub draws: usize,
    /// Seed of the flips.
    pub seed: u64,
    /// Threshold-free cluster enhancement, if wanted.
    pub enhancement: Option<Tfce>,
    /// Clusters, if wanted.
    pub clusters: Option<ClusterOptions>,
    /// How voxels of a cluster touch.
    pub connectivity: Connectivity,
    /// Most sign flips for enhancement and clusters: all flips if there are no more, else random ones.
    pub cluster_draws: usize,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            tail: Tail::TwoSided,
            draws: DEFAULT_DRAWS,
            seed: 0,
            enhancement: None,
            clusters: None,
            connectivity: Connectivity::default(),
            cluster_draws: DEFAULT_CLUSTER_DRAWS,
        }
    }
}

/// Group statistics of one layer, each per voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerGroup {
    /// t, p and family-wise p over voxels.
    pub test: SignFlipTest,
    /// z with the tail probability of t.
    pub z: Vec<f64>,
    /// Family-wise p over voxels and layers.
    pub p_over_layers: Vec<f64>,
    /// Smallest false discovery rate at which the voxel is significant, from its p over flips.
    pub q: Vec<f64>,
    /// Enhanced t map, if asked for.
    pub enhanced: Option<MaxStatistic>,
    /// Clusters of the t map and their measure's family-wise p, if asked for.
    pub clusters: Option<(Clusters, MaxStatistic)>,
}

/// The statistics that `options` ask for, of `layers` (each subjects x voxels; Fisher z of correlations) that share voxels.
///
/// `adjacency` is needed for enhancement and clusters. Results are the same bytes for any number of threads.
/// # Errors
/// [`Error::TooFew`] without layers, [`Error::Invalid`] without a neighbourhood where one is needed; see [`sign_flip_test`] and
/// [`max_statistic`].
pub fn analyse_group(
    layers: &[ArrayView2<f64>],
    adjacency: Option<&Adjacency>,
    options: &GroupOptions,
) -> Result<Vec<LayerGroup>, Error> {
    at_least("layers", 1, layers.len())?;
    let subjects = layers[0].nrows();
    let flips = Flips::new(subjects, options.draws, options.seed)?;
    let tests = sign_flip_test(layers, &flips, options.tail)?;
    let over_layers = fwe_over_layers(&tests, options.tail)?;
    let mut groups = Vec::with_capacity(layers.len());
    for ((test, p_over_layers), values) in tests.into_iter().zip(over_layers).zip(layers) {
        let df = test.group.df;
        let z = test.group.t.iter().map(|&t| z_of_t(t, df)).collect();
        let q = fdr_adjusted(&test.p);
        let (enhanced, clusters) = of_neighbours(*values, &test, adjacency, options)?;
        groups.push(LayerGroup { test, z, p_over_layers, q, enhanced, clusters });
    }
    Ok(groups)
}

type OfNeighbours = (Option<MaxStatistic>, Option<(Clusters, MaxStatistic)>);

fn of_neighbours(
    values: ArrayView2<f64>,
    test: &SignFlipTest,
    adjacency: Option<&Adjacency>,
    options: &GroupOptions,
) -> Result<OfNeighbours, Error> {
    if options.enhancement.is_none() && options.clusters.is_none() {
        return Ok((None, None));
    }
    let Some(adjacency) = adjacency else {
        let advice = "give the neighbours of each voxel, or leave enhancement and clusters out";
        return Err(super::check::invalid("neighbourhood of the voxels", "none", advice));
    };
    let flips = Flips::at_most(values.nrows(), options.cluster_draws, options.seed)?;
    let statistic = |statistic| max_statistic(values, &flips, adjacency, statistic, options.tail);
    let enhanced =
        options.enhancement.as_ref().map(|tfce| statistic(MapStatistic::Tfce(tfce))).transpose()?;
    let Some(wanted) = options.clusters else { return Ok((enhanced, None)) };
    share("cluster-forming p", wanted.forming_p)?;
    let of_one_tail = if options.tail == Tail::TwoSided { wanted.forming_p / 2.0 } else { wanted.forming_p };
    let forming =
        ClusterForming { threshold: t_of_upper_tail(of_one_tail, test.group.df), tail: options.tail };
    let tested = statistic(MapStatistic::Cluster(&forming, wanted.measure))?;
    let found = clusters(&test.group.t, adjacency, &forming)?;
    Ok((enhanced, Some((found, tested))))
}
