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
    /// Why its voxels are not those that were asked for.
    pub(crate) note: Option<String>,
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

impl Permuted {
    /// The smallest p there can be: the images as they are count as one relabelling.
    fn smallest(&self) -> f64 {
        1.0 / (1 + self.count) as f64
    }
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
        let tested = p.as_ref().filter(|_| group.threshold == Threshold::Fwe);
        let hopeless = tested.filter(|p| p.smallest() >= group.alpha);
        let note = hopeless.map(|p| {
            format!(
                "With {} relabellings of the images the smallest p of a subject is {}, so nothing can be significant at {}: the voxels of \
                 a layer are its highest {} % instead.",
                p.count,
                p.smallest(),
                group.alpha,
                group.top_percent
            )
        });
        let (masks, rule) = match tested {
            Some(p) if note.is_none() => (
                significant(p.fwe.view(), group.alpha)?,
                format!("p < {} over the brain, {} relabellings of the images", group.alpha, p.count),
            ),
            _ => (top_masks(deciding.view(), group)?, top_rule(group)),
        };
        let space = Space { grid: &facts.grid, places: &raw.places };
        let layers = layer_map(deciding.view(), masks, rule, Scale::OverVoxels, space, group)?;
        Ok(Self { index, id: facts.id.clone(), grid: facts.grid, methods, p, layers, overlaps, note, raw })
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
