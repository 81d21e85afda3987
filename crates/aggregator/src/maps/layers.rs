//! Which layer is where: masks, winners, overlap, entropy, order along the brain.

use ndarray::{Array2, ArrayView2};
use ventral_plan::GroupSpec;
use ventral_searchlight::Grid;
use ventral_searchlight::group::{Adjacency, ClusterForming, Connectivity, Tail, clusters};
use ventral_searchlight::layermap::{
    Hierarchy, OverlapTable, Shares, Standardisation, WinnerMap, hierarchy, overlap_table,
    selectivity_entropy, spatial_correlations, standardise, top_share, winner_take_all,
};

use crate::Error;

/// Where values lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space<'a> {
    pub(crate) grid: &'a Grid,
    /// Linear index of each centre, ascending.
    pub(crate) places: &'a [u32],
}

/// The layers of one subject or of the group on one brain.
#[derive(Debug, Clone)]
pub(crate) struct LayerMap {
    /// How voxels were chosen, in words.
    pub(crate) rule: String,
    /// Layers x centres: voxels that belong to a layer.
    pub(crate) masks: Array2<bool>,
    /// None for a single layer.
    pub(crate) winner: Option<WinnerMap>,
    /// None for a single layer.
    pub(crate) overlap: Option<OverlapTable>,
    /// Correlation of the unthresholded maps over voxels.
    pub(crate) correlations: Array2<f64>,
    /// Entropy over layers at each centre, in nats.
    pub(crate) entropy: Vec<f64>,
    pub(crate) hierarchy: Hierarchy,
    /// Per layer; `None` for a map without values.
    pub(crate) peaks: Vec<Option<Peak>>,
    /// Voxels of the largest cluster of each layer's mask.
    pub(crate) largest_cluster: Vec<usize>,
}

/// The largest value of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Peak {
    /// Position among the centres.
    pub(crate) centre: usize,
    pub(crate) value: f64,
    pub(crate) mm: [f64; 3],
}

/// What makes maps of different layers comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Each map over its voxels.
    OverVoxels,
    /// They are.
    Comparable,
}

/// Where the layers are, from their maps (layers x centres) and masks.
pub(crate) fn layer_map(
    maps: ArrayView2<'_, f64>,
    masks: Array2<bool>,
    rule: String,
    scale: Scale,
    space: Space<'_>,
    spec: &GroupSpec,
) -> Result<LayerMap, Error> {
    let several = maps.nrows() > 1;
    let by = if scale == Scale::OverVoxels { Standardisation::OverVoxels } else { Standardisation::None };
    let winner = if several {
        Some(winner_take_all(standardise(maps, by)?.view(), Some(masks.view()), 0.0)?)
    } else {
        None
    };
    let overlap = if several { Some(overlap_table(masks.view())?) } else { None };
    let adjacency = Adjacency::volume(space.places, space.grid.shape, connectivity(spec))?;
    Ok(LayerMap {
        correlations: spatial_correlations(maps),
        entropy: selectivity_entropy(maps, Shares::SquaredPositive)?,
        hierarchy: hierarchy(masks.view(), Some(maps), space.places, space.grid)?,
        peaks: peaks(maps, space),
        largest_cluster: largest_clusters(masks.view(), &adjacency)?,
        rule,
        masks,
        winner,
        overlap,
    })
}

/// The neighbours of a voxel that a spec means; it was checked to be one of three numbers.
pub(crate) fn connectivity(spec: &GroupSpec) -> Connectivity {
    match spec.connectivity {
        6 => Connectivity::Faces,
        18 => Connectivity::Edges,
        _ => Connectivity::Corners,
    }
}

/// Overlap of the highest voxels of each layer's map: mean Dice index and multiple overlap; NaN for a single layer.
pub(crate) fn top_overlap(maps: ArrayView2<'_, f64>, spec: &GroupSpec) -> Result<f64, Error> {
    if maps.nrows() < 2 {
        return Ok(f64::NAN);
    }
    Ok(overlap_table(top_masks(maps, spec)?.view())?.mean_dice)
}

/// The voxels with the largest values of each layer.
pub(crate) fn top_masks(maps: ArrayView2<'_, f64>, spec: &GroupSpec) -> Result<Array2<bool>, Error> {
    Ok(top_share(maps, spec.top_percent / 100.0)?)
}

/// [`top_masks`] in words.
pub(crate) fn top_rule(spec: &GroupSpec) -> String {
    format!("the {} % of voxels with the largest values of each layer", spec.top_percent)
}

fn peaks(maps: ArrayView2<'_, f64>, space: Space<'_>) -> Vec<Option<Peak>> {
    let peak = |map: ndarray::ArrayView1<'_, f64>| {
        let defined = map.iter().copied().enumerate().filter(|(_, value)| value.is_finite());
        let (centre, value) = defined.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let place = space.grid.position(space.places[centre] as usize).map(|c| c as f64);
        Some(Peak { centre, value, mm: space.grid.millimetres(place) })
    };
    maps.rows().into_iter().map(peak).collect()
}

fn largest_clusters(masks: ArrayView2<'_, bool>, adjacency: &Adjacency) -> Result<Vec<usize>, Error> {
    let forming = ClusterForming { threshold: 0.5, tail: Tail::Larger };
    let largest = |mask: ndarray::ArrayView1<'_, bool>| {
        let values: Vec<f64> = mask.iter().map(|&inside| f64::from(u8::from(inside))).collect();
        let found = clusters(&values, adjacency, &forming)?;
        Ok(found.table.first().map_or(0, |cluster| cluster.extent))
    };
    masks.rows().into_iter().map(largest).collect()
}
