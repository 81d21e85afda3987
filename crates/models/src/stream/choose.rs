//! Where to put a layer together: in memory, in memory but over several passes, or on disk.

use std::ops::Range;

use ventral_metrics::TILE_FEATURES;

/// Most stimuli that are asked of the source at a time.
pub const STREAM_BATCH: usize = 64;
/// Passes are made smaller rather than that fewer stimuli than this are asked for at a time, as they could not run in parallel.
const LEAST_GOOD_BATCH: usize = 8;
/// Assumed speed of writing a spill file: an ordinary solid-state disk.
pub const WRITE_BYTES_PER_SECOND: f64 = 500e6;
/// Assumed speed of reading it again.
pub const READ_BYTES_PER_SECOND: f64 = 1e9;

/// What a choice depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// How many stimuli there are; at least 1.
    pub stimuli: usize,
    /// Features of each asked layer.
    pub features: Vec<u64>,
    /// Seconds the source needs for one stimulus.
    pub seconds_per_stimulus: f64,
    /// Most bytes of activations held at a time.
    pub memory_bytes: u64,
    /// Most bytes on disk; 0 if nothing may be spilled.
    pub spill_bytes: u64,
}

/// Where a layer is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In memory, during the first pass over the stimuli.
    Memory,
    /// In memory, at least in part during a later pass, which computes it again.
    Recomputed,
    /// At least in part on disk.
    Spilled,
}

/// One pass over the stimuli. Tiles are counted over all asked layers, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Tiles that are held in memory during this pass.
    pub tiles: Range<u64>,
    /// Positions, in the asked list, of the layers to compute.
    pub layers: Vec<usize>,
    /// Stimuli per request to the source.
    pub batch: usize,
}

/// What to hold when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The passes, in order; tiles ascend from pass to pass.
    pub passes: Vec<Pass>,
    /// Tiles, the last ones, that are written to disk during the first pass.
    pub spill: Option<Range<u64>>,
    /// Why.
    pub reason: String,
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// Chooses the cheapest way that keeps within the limits.
///
/// What fits in memory is held there in one pass. Of the rest, every further pass costs a whole run over the stimuli and spilling
/// costs writing and reading; both grow linearly, so the least of (e further passes, the remainder on disk) over all e is taken.
///
/// # Errors
/// Position of the layer that needs most memory, and the bytes that would do, if not even one stimulus and one tile fit.
pub fn choose(demand: &Demand) -> Result<Plan, (usize, u64)> {
    let tiles = Tiles::new(demand);
    let in_memory = tiles.passes(demand, None)?;
    if in_memory.len() <= 1 {
        return Ok(Plan { passes: in_memory, spill: None, reason: "everything fits in memory".into() });
    }
    let pass_seconds = demand.seconds_per_stimulus * demand.stimuli as f64;
    let recompute_seconds = (in_memory.len() - 1) as f64 * pass_seconds;
    let mut best = (recompute_seconds, in_memory.len(), None);
    let with_spill = match demand.spill_bytes {
        0 => Vec::new(),
        _ => tiles.passes(demand, Some(&tiles.all_layers())).unwrap_or_default(),
    };
    for (further, pass) in with_spill.iter().enumerate() {
        let rest = pass.tiles.end..tiles.count();
        let bytes = tiles.bytes(&rest);
        let seconds = further as f64 * pass_seconds
            + bytes as f64 * (1.0 / WRITE_BYTES_PER_SECOND + 1.0 / READ_BYTES_PER_SECOND);
        if bytes > 0 && bytes <= demand.spill_bytes && seconds < best.0 {
            best = (seconds, further + 1, Some(rest));
        }
    }
    let (seconds, passes, spill) = best;
    let too_much = format!(
        "{} of activations do not fit in {}",
        gigabytes(tiles.bytes(&(0..tiles.count()))),
        gigabytes(demand.memory_bytes)
    );
    let reason = match &spill {
        None if demand.spill_bytes == 0 => format!("{too_much} and nothing may be spilled: {passes} passes"),
        None => format!(
            "{too_much}: {passes} passes, {seconds:.0} s more; spilling would cost more or exceed its limit"
        ),
        Some(rest) => format!(
            "{too_much}: {passes} pass{} with {} spilled to disk, {seconds:.0} s more; further passes alone {recompute_seconds:.0} s",
            if passes == 1 { "" } else { "es" },
            gigabytes(tiles.bytes(rest))
        ),
    };
    let passes = if spill.is_some() { with_spill.into_iter().take(passes).collect() } else { in_memory };
    Ok(Plan { passes, spill, reason })
}

/// The tiles of all asked layers, one after another.
pub(super) struct Tiles {
    stimuli: u64,
    features: Vec<u64>,
    /// First tile of each layer, and the end.
    starts: Vec<u64>,
}

impl Tiles {
    pub fn new(demand: &Demand) -> Self {
        Self::of(demand.stimuli, demand.features.clone())
    }

    pub fn of(stimuli: usize, features: Vec<u64>) -> Self {
        let mut starts = vec![0];
        for layer in &features {
            starts.push(starts.last().copied().unwrap_or(0) + layer.div_ceil(TILE_FEATURES as u64));
        }
        Self { stimuli: stimuli as u64, features, starts }
    }

    pub fn count(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    pub fn all_layers(&self) -> Vec<usize> {
        (0..self.features.len()).collect()
    }

    /// Layer, first feature and width of a tile.
    pub fn locate(&self, tile: u64) -> (usize, u64, u64) {
        let layer = self.starts.partition_point(|&start| start <= tile).saturating_sub(1);
        let first = (tile - self.starts[layer]) * TILE_FEATURES as u64;
        (layer, first, (self.features[layer] - first).min(TILE_FEATURES as u64))
    }

    /// The part of `range` that belongs to `layer`.
    pub fn of_layer(&self, layer: usize, range: &Range<u64>) -> Range<u64> {
        let start = range.start.max(self.starts[layer]);
        start..range.end.min(self.starts[layer + 1]).max(start)
    }

    /// Layers that have a tile in `range`.
    pub fn layers(&self, range: &Range<u64>) -> Vec<usize> {
        (0..self.features.len()).filter(|&layer| !self.of_layer(layer, range).is_empty()).collect()
    }

    /// Bytes of the tiles of `range`, for all stimuli.
    pub fn bytes(&self, range: &Range<u64>) -> u64 {
        let features = |tile: u64| -> u64 {
            let layer = self.starts.partition_point(|&start| start <= tile).saturating_sub(1);
            match self.features.get(layer) {
                Some(&count) => {
                    self.features[..layer].iter().sum::<u64>()
                        + ((tile - self.starts[layer]) * TILE_FEATURES as u64).min(count)
                }
                None => self.features.iter().sum(),
            }
        };
        features(range.end)
            .saturating_sub(features(range.start))
            .saturating_mul(self.stimuli)
            .saturating_mul(4)
    }

    /// Bytes of one stimulus in the arrays that the source returns.
    fn stimulus_bytes(&self, layers: &[usize]) -> u64 {
        layers
            .iter()
            .map(|&layer| self.features[layer])
            .fold(0u64, |sum, features| sum.saturating_add(features.saturating_mul(4)))
    }

    /// Splits all tiles into passes that fit in memory; `first_layers` are those that the first pass computes besides its own.
    fn passes(&self, demand: &Demand, first_layers: Option<&[usize]>) -> Result<Vec<Pass>, (usize, u64)> {
        let mut passes: Vec<Pass> = Vec::new();
        let mut start = 0;
        while start < self.count() {
            let extra = first_layers.filter(|_| passes.is_empty());
            let good = LEAST_GOOD_BATCH.min(demand.stimuli);
            let pass =
                self.longest(demand, start, extra, good).or_else(|| self.longest(demand, start, extra, 1));
            let Some(pass) = pass else {
                let layer = self.locate(start).0;
                return Err((layer, self.needed(start, &self.layers(&(start..start + 1)), 1)));
            };
            start = pass.tiles.end;
            passes.push(pass);
        }
        Ok(passes)
    }

    /// The longest pass from `start` on that leaves room for batches of at least `least` stimuli.
    fn longest(&self, demand: &Demand, start: u64, extra: Option<&[usize]>, least: usize) -> Option<Pass> {
        let batch_of = |end: u64| {
            let layers = extra.map_or_else(|| self.layers(&(start..end)), <[usize]>::to_vec);
            let scratch = if extra.is_some() { TILE_FEATURES as u64 * 4 } else { 0 };
            let free = demand.memory_bytes.checked_sub(self.bytes(&(start..end)))?;
            let batch = free / (self.stimulus_bytes(&layers) + scratch).max(1);
            let batch = usize::try_from(batch).unwrap_or(usize::MAX).min(STREAM_BATCH).min(demand.stimuli);
            (batch >= least).then_some(Pass { tiles: start..end, layers, batch })
        };
        // Longer passes leave less room, so the longest that fits can be found by bisection.
        batch_of(start + 1)?;
        let (mut fits, mut beyond) = (start + 1, self.count() + 1);
        while beyond - fits > 1 {
            let middle = fits + (beyond - fits) / 2;
            if batch_of(middle).is_some() { fits = middle } else { beyond = middle }
        }
        batch_of(fits)
    }

    fn needed(&self, tile: u64, layers: &[usize], batch: u64) -> u64 {
        self.bytes(&(tile..tile + 1)).saturating_add(self.stimulus_bytes(layers).saturating_mul(batch))
    }
}
