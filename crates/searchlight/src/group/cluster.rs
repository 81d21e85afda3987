//! Clusters above a threshold: extent, mass, peak.

use super::adjacency::Adjacency;
use super::check::{invalid, same_size};
use super::fdr::Tail;
use super::tree::Sets;
use crate::Error;

/// Which voxels belong to clusters.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ClusterForming {
    /// The cluster-forming threshold, in the units of the map: a voxel counts at this value and above.
    pub threshold: f64,
    /// [`Tail::TwoSided`]: values below minus the threshold form clusters of their own.
    pub tail: Tail,
}

/// What of a cluster is reported at its voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterMeasure {
    /// Number of voxels.
    #[default]
    Extent,
    /// Sum of the values' excess over the threshold (FSL, nilearn).
    Mass,
    /// Sum of the values (CoSMoMVPA, FieldTrip).
    Sum,
    /// Largest value.
    Peak,
}

/// One cluster. Measures are of magnitudes; `sign` is -1 for a cluster of negative values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    /// Number of voxels.
    pub extent: usize,
    /// Sum of the excess over the threshold.
    pub mass: f64,
    /// Sum of the values.
    pub sum: f64,
    /// Largest value.
    pub peak: f64,
    /// Voxel of the largest value, the first of equals.
    pub peak_voxel: u32,
    /// 1 or -1.
    pub sign: f64,
}

/// The clusters of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// Per voxel 1 + its cluster's index in `table`, 0 outside.
    pub labels: Vec<u32>,
    /// From the largest extent down, ties by the first voxel.
    pub table: Vec<Cluster>,
}

impl Clusters {
    /// The measure of each voxel's cluster with the cluster's sign, 0 outside.
    #[must_use]
    pub fn map(&self, measure: ClusterMeasure) -> Vec<f64> {
        let value = |&label: &u32| match label {
            0 => 0.0,
            label => self.table[label as usize - 1].measure(measure),
        };
        self.labels.iter().map(value).collect()
    }

    /// Number of clusters of each extent: entry i counts those of i + 1 voxels.
    #[must_use]
    pub fn histogram(&self) -> Vec<usize> {
        let mut counts = vec![0; self.table.first().map_or(0, |largest| largest.extent)];
        self.table.iter().for_each(|cluster| counts[cluster.extent - 1] += 1);
        counts
    }
}

impl Cluster {
    fn measure(&self, measure: ClusterMeasure) -> f64 {
        let magnitude = match measure {
            ClusterMeasure::Extent => self.extent as f64,
            ClusterMeasure::Mass => self.mass,
            ClusterMeasure::Sum => self.sum,
            ClusterMeasure::Peak => self.peak,
        };
        self.sign * magnitude
    }
}

/// The clusters of neighbouring voxels at or above the threshold. NaN belongs to none; infinite values may.
///
/// # Errors
/// [`Error::Mismatch`] if the neighbourhood has another number of voxels; [`Error::Invalid`] for a threshold that is not
/// finite, or not above 0 where both signs are asked for.
pub fn clusters(values: &[f64], adjacency: &Adjacency, forming: &ClusterForming) -> Result<Clusters, Error> {
    same_size("voxels of the neighbourhood", values.len(), adjacency.voxels())?;
    let two_sided = forming.tail == Tail::TwoSided;
    if !forming.threshold.is_finite() || (two_sided && forming.threshold <= 0.0) {
        let advice = "it must be finite, and above 0 if clusters of both signs are asked for";
        return Err(invalid("cluster-forming threshold", forming.threshold, advice));
    }
    let signs: Vec<f64> = values.iter().map(|&v| side(v, forming)).collect();
    let mut sets = Sets { parent: (0..values.len() as u32).collect() };
    for voxel in (0..values.len()).filter(|&v| signs[v] != 0.0) {
        for &other in adjacency.of(voxel).iter().filter(|&&o| (o as usize) < voxel) {
            if signs[other as usize] == signs[voxel] {
                let (a, b) = (sets.root(voxel as u32), sets.root(other));
                // The first voxel of a cluster is its root.
                sets.parent[a.max(b) as usize] = a.min(b);
            }
        }
    }
    Ok(collect(values, &signs, &mut sets, forming.threshold))
}

/// 1 or -1 for a voxel of a positive or negative cluster, else 0.
fn side(value: f64, forming: &ClusterForming) -> f64 {
    let above = forming.tail != Tail::Smaller && value >= forming.threshold;
    let below = forming.tail != Tail::Larger && -value >= forming.threshold;
    match (above, below) {
        (true, _) => 1.0,
        (_, true) => -1.0,
        _ => 0.0,
    }
}

fn collect(values: &[f64], signs: &[f64], sets: &mut Sets, threshold: f64) -> Clusters {
    let mut index_of_root = vec![u32::MAX; values.len()];
    let mut found: Vec<Cluster> = Vec::new();
    let mut own = vec![u32::MAX; values.len()];
    for voxel in (0..values.len()).filter(|&v| signs[v] != 0.0) {
        let root = sets.root(voxel as u32) as usize;
        if index_of_root[root] == u32::MAX {
            index_of_root[root] = found.len() as u32;
            let peak_voxel = voxel as u32;
            let empty = Cluster {
                extent: 0,
                mass: 0.0,
                sum: 0.0,
                peak: f64::NEG_INFINITY,
                peak_voxel,
                sign: signs[voxel],
            };
            found.push(empty);
        }
        own[voxel] = index_of_root[root];
        let cluster = &mut found[own[voxel] as usize];
        let value = signs[voxel] * values[voxel];
        cluster.extent += 1;
        cluster.mass += value - threshold;
        cluster.sum += value;
        if value > cluster.peak {
            (cluster.peak, cluster.peak_voxel) = (value, voxel as u32);
        }
    }
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(found[i].extent));
    let mut label = vec![0; found.len()];
    order.iter().enumerate().for_each(|(place, &i)| label[i] = place as u32 + 1);
    let labels = own.iter().map(|&i| label.get(i as usize).copied().unwrap_or(0)).collect();
    Clusters { labels, table: order.into_iter().map(|i| found[i]).collect() }
}
