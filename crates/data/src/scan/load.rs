//! The volumes of one subject: voxels with data inside the mask, by condition.

use ndarray::Array2;
use ventral_searchlight::Grid;

use super::orient::Orientation;
use super::{Scan, ScanSubject};
use crate::error::{Error, Result};
use crate::nifti::{NiftiHeader, NiftiReader, NiftiVolume, read_volume};

/// The data of a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectData {
    /// Label.
    pub id: String,
    /// Where the voxels are.
    pub grid: Grid,
    /// Linear indices of the voxels that are left, ascending.
    pub voxels: Vec<u32>,
    /// What was measured, run by run, each voxels x conditions.
    pub runs: Vec<RunData>,
    /// Names of the conditions.
    pub conditions: Vec<String>,
    /// Voxels that were left out, and why.
    pub removed: Removed,
    /// Standard deviation of each voxel over repetitions of a condition within a run, pooled; where there are repetitions.
    pub noise: Option<Vec<f32>>,
    /// Linear indices of the voxels of each named region, ascending, those without data included.
    pub regions: Vec<(String, Vec<u32>)>,
    /// Header of the first volume, for maps to copy their place from.
    pub header: NiftiHeader,
}

/// One run: means over the repetitions of each condition.
#[derive(Debug, Clone, PartialEq)]
pub struct RunData {
    /// Label.
    pub name: String,
    /// Voxels x conditions.
    pub values: Array2<f32>,
}

/// How many voxels were left out, and why; each counts once, for the first reason that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Removed {
    /// Outside of the mask.
    pub outside_mask: usize,
    /// NaN or infinite in some volume.
    pub non_finite: usize,
    /// The same under every condition of some run, as where nothing was measured.
    pub constant: usize,
}

/// Reads the volumes of a subject, one at a time; `index` is its position in [`Scan::subjects`].
///
/// # Errors
/// Those of [`NiftiReader`], and [`Error::Field`] for a subject that does not exist, a volume without any finite value in the
/// mask, and a subject of whose voxels none is left.
pub fn load_subject(scan: &Scan, index: usize) -> Result<SubjectData> {
    let subject = subject(scan, index)?;
    let all = subject.grid.len();
    let mut voxels = match (&subject.source.mask, &subject.mask) {
        (Some(mask), Some(orientation)) => inside(&subject.grid, orientation, &read_volume(&mask.path)?),
        _ => (0..all as u32).collect(),
    };
    let mut removed = Removed { outside_mask: all - voxels.len(), ..Removed::default() };
    let conditions = scan.conditions.len();
    let mut state = vec![State::Usable; voxels.len()];
    let mut noise = Noise { squares: vec![0.0; voxels.len()], freedom: 0 };
    let mut runs = Vec::with_capacity(subject.runs.len());
    for (files, source) in subject.plan.iter().zip(&subject.source.runs) {
        let planned = files.iter().flat_map(|file| file.volumes.iter().flatten().copied());
        let mut sums = Sums::new(planned, voxels.len(), conditions);
        for (file, source) in files.iter().zip(&source.files) {
            let positions = file.orientation.positions(&subject.grid, &voxels);
            let mut reader = NiftiReader::open(&source.path)?;
            let mut values = Vec::with_capacity(voxels.len());
            for (number, shown) in file.volumes.iter().enumerate() {
                let Some(place) = shown else {
                    reader.skip()?;
                    continue;
                };
                values.clear();
                reader.next(Some(&positions), &mut values)?;
                if mark_non_finite(&values, &mut state) == values.len() {
                    let condition = &scan.conditions[place.1];
                    let problem = format!(
                        "volume {} (condition `{condition}`) has no finite value in the mask; leave it out or correct the file",
                        number + 1
                    );
                    return Err(Error::field(&source.path, &source.field, problem));
                }
                sums.add(*place, &values, &mut noise);
            }
            reader.finish()?;
        }
        runs.extend(sums.finish(&subject.runs));
    }
    runs.iter().for_each(|run: &RunData| mark_constant(run, &mut state));
    removed.non_finite = state.iter().filter(|s| **s == State::NonFinite).count();
    removed.constant = state.iter().filter(|s| **s == State::Constant).count();
    let usable = |row: usize| state[row] == State::Usable;
    if !(0..voxels.len()).any(usable) {
        let problem = format!(
            "no voxel is left: of {} in the mask {} are not finite and {} are constant; is the mask of these volumes?",
            voxels.len(),
            removed.non_finite,
            removed.constant
        );
        return Err(Error::field(&scan.path, format!("subject[{}]", subject.id), problem));
    }
    let noise = noise.finish(&state);
    let runs = runs.into_iter().map(|run| keep(run, conditions, &state)).collect();
    let mut rows = 0..voxels.len();
    voxels.retain(|_| rows.next().is_some_and(usable));
    Ok(SubjectData {
        id: subject.id.clone(),
        grid: subject.grid,
        voxels,
        runs,
        conditions: scan.conditions.clone(),
        removed,
        noise,
        regions: regions(subject)?,
        header: subject.header.clone(),
    })
}

/// The volume that a subject's maps are shown on, if there is one; its grid may be another.
///
/// # Errors
/// Those of [`read_volume`], and [`Error::Field`] for a subject that does not exist.
pub fn load_anatomy(scan: &Scan, index: usize) -> Result<Option<NiftiVolume>> {
    subject(scan, index)?.source.anatomy.as_ref().map(|source| read_volume(&source.path)).transpose()
}

pub(super) fn subject(scan: &Scan, index: usize) -> Result<&ScanSubject> {
    scan.subjects.get(index).ok_or_else(|| {
        let problem = format!("there is no subject {index}, the scan has {}", scan.subjects.len());
        Error::field(&scan.path, "subject", problem)
    })
}

/// What is known of a voxel in the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Usable,
    NonFinite,
    Constant,
}

/// Voxels of the grid where a mask is above zero, ascending.
fn inside(grid: &Grid, orientation: &Orientation, mask: &NiftiVolume) -> Vec<u32> {
    let all: Vec<u32> = (0..grid.len() as u32).collect();
    let positions = orientation.positions(grid, &all);
    all.into_iter().zip(positions).filter(|(_, p)| mask.values[*p as usize] > 0.0).map(|(v, _)| v).collect()
}

fn regions(subject: &ScanSubject) -> Result<Vec<(String, Vec<u32>)>> {
    let regions = subject.source.regions.iter().zip(&subject.regions);
    let read = |((name, source), orientation): (&(String, super::sources::Source), &Orientation)| {
        Ok((name.clone(), inside(&subject.grid, orientation, &read_volume(&source.path)?)))
    };
    regions.map(read).collect()
}

/// Marks voxels that are not finite, and counts them in this volume.
fn mark_non_finite(values: &[f32], state: &mut [State]) -> usize {
    let mut count = 0;
    for (value, state) in values.iter().zip(state) {
        if !value.is_finite() {
            *state = State::NonFinite;
            count += 1;
        }
    }
    count
}

fn mark_constant(run: &RunData, state: &mut [State]) {
    for (row, state) in run.values.rows().into_iter().zip(state) {
        let first = row.first().copied().unwrap_or_default();
        if *state == State::Usable && row.iter().all(|&value| value == first) {
            *state = State::Constant;
        }
    }
}

/// The rows of usable voxels, moved together in place.
fn keep(run: RunData, conditions: usize, state: &[State]) -> RunData {
    let (mut values, _) = run.values.into_raw_vec_and_offset();
    let mut rows = 0;
    for (row, _) in state.iter().enumerate().filter(|(_, s)| **s == State::Usable) {
        values.copy_within(row * conditions..(row + 1) * conditions, rows * conditions);
        rows += 1;
    }
    values.truncate(rows * conditions);
    values.shrink_to_fit();
    RunData { name: run.name, values: array(values, conditions) }
}

fn array(values: Vec<f32>, conditions: usize) -> Array2<f32> {
    let rows = values.len() / conditions;
    Array2::from_shape_vec((rows, conditions), values).expect("made of whole rows")
}

/// Squared deviations from the means over repetitions.
struct Noise {
    squares: Vec<f64>,
    freedom: usize,
}

impl Noise {
    fn finish(self, state: &[State]) -> Option<Vec<f32>> {
        let usable = self.squares.iter().zip(state).filter(|(_, s)| **s == State::Usable);
        let freedom = self.freedom as f64;
        (self.freedom > 0).then(|| usable.map(|(square, _)| (square / freedom).sqrt() as f32).collect())
    }
}

/// Volumes of some runs added up. Without repetitions a value is stored as it is, in f32; means are f64 until all is read.
struct Sums {
    /// Number of the first run.
    first: usize,
    conditions: usize,
    counts: Vec<usize>,
    values: Values,
}

enum Values {
    Single(Vec<Vec<f32>>),
    Repeated(Vec<Vec<f64>>),
}

impl Sums {
    fn new(planned: impl Iterator<Item = (usize, usize)> + Clone, voxels: usize, conditions: usize) -> Self {
        let first = planned.clone().map(|(run, _)| run).min().unwrap_or(0);
        let runs = planned.clone().map(|(run, _)| run + 1 - first).max().unwrap_or(0);
        let repeated = planned.count() > runs * conditions;
        let values = if repeated {
            Values::Repeated(vec![vec![0.0; voxels * conditions]; runs])
        } else {
            Values::Single(vec![vec![0.0; voxels * conditions]; runs])
        };
        Self { first, conditions, counts: vec![0; runs * conditions], values }
    }

    fn add(&mut self, (run, condition): (usize, usize), values: &[f32], noise: &mut Noise) {
        let (run, stride) = (run - self.first, self.conditions);
        let count = &mut self.counts[run * stride + condition];
        *count += 1;
        noise.freedom += usize::from(*count > 1);
        let share = 1.0 / *count as f64;
        match &mut self.values {
            Values::Single(runs) => {
                let cells = runs[run].iter_mut().skip(condition).step_by(stride);
                cells.zip(values).for_each(|(cell, value)| *cell = *value);
            }
            // Welford's update, whose deviations do not cancel.
            Values::Repeated(runs) => {
                let cells = runs[run].iter_mut().skip(condition).step_by(stride);
                for ((mean, &value), square) in cells.zip(values).zip(&mut noise.squares) {
                    let deviation = f64::from(value) - *mean;
                    *mean += deviation * share;
                    *square += deviation * (f64::from(value) - *mean);
                }
            }
        }
    }

    fn finish(self, names: &[String]) -> Vec<RunData> {
        let (first, conditions) = (self.first, self.conditions);
        let run = |(index, values): (usize, Vec<f32>)| RunData {
            name: names[first + index].clone(),
            values: array(values, conditions),
        };
        match self.values {
            Values::Single(runs) => runs.into_iter().enumerate().map(run).collect(),
            Values::Repeated(runs) => {
                let single = |values: Vec<f64>| values.into_iter().map(|mean| mean as f32).collect();
                runs.into_iter().map(single).enumerate().map(run).collect()
            }
        }
    }
}
