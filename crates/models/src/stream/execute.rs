//! Carrying out a plan.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use super::choose::{Pass, Placement, Plan, Tiles};
use super::spill::SpillFile;
use super::{StreamLimits, StreamProgress, StreamReport, TileSink};
use crate::{ActivationSource, Error};

pub(super) fn run(
    source: &dyn ActivationSource,
    layers: &[usize],
    limits: &StreamLimits,
    plan: &Plan,
    sink: &mut TileSink<'_>,
    progress: &dyn Fn(StreamProgress),
) -> Result<StreamReport, Error> {
    let features = layers.iter().map(|&layer| source.layers()[layer].features).collect();
    let tiles = Tiles::of(source.stimuli(), features);
    let mut state = Run { source, layers, tiles, passes: plan.passes.len(), peak: 0, progress };
    let spill = match (&plan.spill, &limits.spill_dir) {
        (Some(range), Some(directory)) => {
            Some((range.clone(), SpillFile::create(directory, state.tiles.bytes(range))?))
        }
        _ => None,
    };
    for (index, pass) in plan.passes.iter().enumerate() {
        let spilling = spill.as_ref().filter(|_| index == 0);
        let held = state.compute(index, pass, spilling)?;
        for (tile, values) in pass.tiles.clone().zip(held) {
            state.deliver(tile, values.view(), sink)?;
        }
    }
    if let Some((range, file)) = &spill {
        state.read_back(range, file, sink)?;
    }
    let range = plan.spill.clone().unwrap_or(0..0);
    Ok(StreamReport {
        placements: layers
            .iter()
            .enumerate()
            .map(|(position, &layer)| (layer, placement(&state.tiles, plan, position)))
            .collect(),
        passes: plan.passes.len(),
        spilled_bytes: state.tiles.bytes(&range),
        peak_bytes: state.peak,
        seconds_per_stimulus: None,
        reason: plan.reason.clone(),
    })
}

fn placement(tiles: &Tiles, plan: &Plan, layer: usize) -> Placement {
    let has = |range: &Range<u64>| !tiles.of_layer(layer, range).is_empty();
    if plan.spill.as_ref().is_some_and(has) {
        Placement::Spilled
    } else if plan.passes.iter().skip(1).any(|pass| has(&pass.tiles)) {
        Placement::Recomputed
    } else {
        Placement::Memory
    }
}

struct Run<'a> {
    source: &'a dyn ActivationSource,
    layers: &'a [usize],
    tiles: Tiles,
    passes: usize,
    peak: u64,
    progress: &'a dyn Fn(StreamProgress),
}

impl Run<'_> {
    /// Runs all stimuli once; returns the tiles to hold and writes those to spill.
    fn compute(
        &mut self,
        index: usize,
        pass: &Pass,
        spill: Option<&(Range<u64>, SpillFile)>,
    ) -> Result<Vec<Array2<f32>>, Error> {
        let stimuli = self.source.stimuli();
        let asked: Vec<usize> = pass.layers.iter().map(|&layer| self.layers[layer]).collect();
        let width = |tile| usize::try_from(self.tiles.locate(tile).2).unwrap_or(usize::MAX);
        let mut held: Vec<Array2<f32>> =
            pass.tiles.clone().map(|tile| Array2::zeros((stimuli, width(tile)))).collect();
        let held_bytes = self.tiles.bytes(&pass.tiles);
        let mut scratch = Vec::new();
        let mut start = 0;
        while start < stimuli {
            let rows = start..(start + pass.batch.max(1)).min(stimuli);
            let arrays = self.source.activations(rows.clone(), &asked)?;
            let batch_bytes: u64 = arrays.iter().map(|array| array.len() as u64 * 4).sum();
            for (&layer, array) in pass.layers.iter().zip(&arrays) {
                self.check_shape(layer, &rows, array)?;
                for tile in self.tiles.of_layer(layer, &pass.tiles) {
                    let part = self.part(tile, array);
                    let position = usize::try_from(tile - pass.tiles.start).unwrap_or(usize::MAX);
                    held[position].slice_mut(s![rows.clone(), ..]).assign(&part);
                }
                if let Some((range, file)) = spill {
                    self.write(layer, array, start, range, file, &mut scratch)?;
                }
            }
            self.peak = self.peak.max(held_bytes + batch_bytes + scratch.capacity() as u64);
            start = rows.end;
            (self.progress)(StreamProgress { pass: index, passes: self.passes, done: start, stimuli });
        }
        Ok(held)
    }

    fn write(
        &self,
        layer: usize,
        array: &Array2<f32>,
        start: usize,
        range: &Range<u64>,
        file: &SpillFile,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Error> {
        for tile in self.tiles.of_layer(layer, range) {
            let width = self.tiles.locate(tile).2;
            let tile_offset = self.tiles.bytes(&(range.start..tile));
            let offset = tile_offset + start as u64 * width * 4;
            file.write(offset, self.part(tile, array), scratch)?;
        }
        Ok(())
    }

    fn read_back(
        &mut self,
        range: &Range<u64>,
        file: &SpillFile,
        sink: &mut TileSink<'_>,
    ) -> Result<(), Error> {
        let stimuli = self.source.stimuli();
        let mut scratch = Vec::new();
        for tile in range.clone() {
            let width = usize::try_from(self.tiles.locate(tile).2).unwrap_or(usize::MAX);
            let mut values = Array2::zeros((stimuli, width));
            if let Some(values) = values.as_slice_mut() {
                file.read(self.tiles.bytes(&(range.start..tile)), values, &mut scratch)?;
            }
            self.peak = self.peak.max(values.len() as u64 * 4 + scratch.capacity() as u64);
            self.deliver(tile, values.view(), sink)?;
        }
        Ok(())
    }

    fn deliver(&self, tile: u64, values: ArrayView2<'_, f32>, sink: &mut TileSink<'_>) -> Result<(), Error> {
        let (layer, first, _) = self.tiles.locate(tile);
        sink(self.layers[layer], first, values)
    }

    /// The columns of a layer's array that belong to a tile.
    fn part<'b>(&self, tile: u64, array: &'b Array2<f32>) -> ArrayView2<'b, f32> {
        let (_, first, width) = self.tiles.locate(tile);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        array.slice(s![.., first..first + usize::try_from(width).unwrap_or(0)])
    }

    fn check_shape(&self, layer: usize, rows: &Range<usize>, array: &Array2<f32>) -> Result<(), Error> {
        let layer = &self.source.layers()[self.layers[layer]];
        let expected = usize::try_from(layer.features).unwrap_or(usize::MAX);
        if array.dim() == (rows.len(), expected) {
            return Ok(());
        }
        Err(Error::LayerSize {
            layer: layer.name.clone(),
            stimulus: rows.start,
            expected,
            found: array.ncols(),
        })
    }
}
