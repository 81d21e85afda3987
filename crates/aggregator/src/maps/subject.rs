//! The maps of one subject: residual methods, p from relabelled images, which layer is where.

use ndarray::Array2;
use ventral_plan::{SearchlightSpec, SubjectFacts, Threshold};
use ventral_searchlight::layermap::significant;
use ventral_searchlight::{Grid, RangeNull};

use super::collect::RawMaps;
use super::design::Design;
use super::layers::{LayerMap, Scale, Space, layer_map, top_masks, top_overlap, top_rule};
use crate::Error;

/// Maps of one subject.
#[derive(Debug, Clone)]
pub(crate) struct SubjectMaps {
    /// Index into the scan's subjects.
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) grid: Grid,
    pub(crate) raw: RawMaps,
    /// Layers x centres of each method of the design.
    pub(crate) methods: Vec<Array2<f64>>,
    /// p of the deciding method, if images were relabelled.
    pub(crate) p: Option<Permuted>,
    /// Of the deciding method.
    pub(crate) layers: LayerMap,
    /// Mean Dice index of the highest voxels, of each method.
    pub(crate) overlaps: Vec<f64>,
}

/// One-sided p from relabelled images (layers x centres).
#[derive(Debug, Clone)]
pub(crate) struct Permuted {
    pub(crate) uncorrected: Array2<f64>,
    /// Against the largest value over the centres of the same layer.
    pub(crate) fwe: Array2<f64>,
    /// Number of permutations.
    pub(crate) count: usize,
}

impl SubjectMaps {
    pub(crate) fn new(
        spec: &SearchlightSpec,
        design: &Design,
        index: usize,
        facts: &SubjectFacts,
        raw: RawMaps,
    ) -> Result<Self, Error> {
        let methods: Vec<Array2<f64>> =
            design.methods.iter().map(|method| method.apply(raw.values.view())).collect::<Result<_, _>>()?;
        let group = &spec.group;
        let overlaps =
            methods.iter().map(|maps| top_overlap(maps.view(), group)).collect::<Result<_, _>>()?;
        let deciding = methods.last().unwrap_or(&raw.values);
        // The null is that of the method that decides: the last one that the layers allow.
        let p = raw.null.as_ref().map(|null| permuted(null, deciding)).transpose()?;
        let (masks, rule) = match &p {
            Some(p) if group.threshold == Threshold::Fwe => (
                significant(p.fwe.view(), group.alpha)?,
                format!("p < {} over the brain, {} relabellings of the images", group.alpha, p.count),
            ),
            _ => (top_masks(deciding.view(), group)?, top_rule(group)),
        };
        let space = Space { grid: &facts.grid, places: &raw.places };
        let layers = layer_map(deciding.view(), masks, rule, Scale::OverVoxels, space, group)?;
        Ok(Self { index, id: facts.id.clone(), grid: facts.grid, methods, p, layers, overlaps, raw })
    }

    /// Layers x centres of the method that decides.
    pub(crate) fn deciding(&self) -> &Array2<f64> {
        self.methods.last().unwrap_or(&self.raw.values)
    }
}

fn permuted(null: &RangeNull, observed: &Array2<f64>) -> Result<Permuted, Error> {
    let centres = observed.t();
    Ok(Permuted {
        uncorrected: null.p_values(centres)?.reversed_axes(),
        fwe: null.corrected_p(centres, false)?.reversed_axes(),
        count: null.maxima.nrows(),
    })
}
