//! A recording: presentations by neuroids by time bins, with labels on each axis (spec §0, §7.1).

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, ArrayView1, Axis};

use crate::error::ParseError;
use crate::table::{Table, Values};

/// Columns that identify a stimulus; `image_id` is the older name (spec §7.1).
pub const STIMULUS_ID: [&str; 2] = ["stimulus_id", "image_id"];
/// Column that counts the presentations of one stimulus.
pub const REPETITION: &str = "repetition";

/// A labelled array of responses.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembly {
    /// Identifier, from the file's attribute or its name.
    pub identifier: String,
    /// Responses, presentation x neuroid x time bin; NaN is a missing value.
    pub values: Array3<f64>,
    /// One row per presentation.
    pub presentation: Table,
    /// One row per neuroid (or per choice, in assemblies of choice probabilities).
    pub neuroid: Table,
    /// Start and end of each time bin in milliseconds, half open; empty if the file has no time axis.
    pub time_bins: Vec<(f64, f64)>,
    /// Name of the second axis: `neuroid`, or what the file calls it.
    pub neuroid_axis: String,
    /// Names of further groups in the file (metadata assemblies); they are not read.
    pub extra_groups: Vec<String>,
}

/// Rows of the presentations that belong to one stimulus.
struct Groups {
    labels: Table,
    rows: Vec<Vec<usize>>,
}

impl Assembly {
    /// Identifier of the stimulus of each presentation.
    ///
    /// # Errors
    /// [`ParseError::Invalid`] if there is neither a `stimulus_id` nor an `image_id`.
    pub fn stimulus_ids(&self) -> Result<Vec<String>, ParseError> {
        self.presentation.first_of(&STIMULUS_ID).map(Values::to_text).ok_or_else(|| {
            ParseError::Invalid(format!(
                "the presentations have no coordinate stimulus_id or image_id (they have: {}); add one",
                self.presentation.names()
            ))
        })
    }

    /// Mean over the repetitions of each stimulus (spec §1.5 `average_repetition`).
    ///
    /// Presentations are grouped by all their coordinates but `repetition`; groups are sorted lexicographically by the
    /// coordinates in file order. NaN is left out of a mean; a mean of nothing is NaN.
    ///
    /// # Errors
    /// [`ParseError::Invalid`] without a stimulus coordinate, or naming the coordinates that differ between
    /// repetitions of one stimulus (drop them first).
    pub fn average_repetitions(&self) -> Result<Assembly, ParseError> {
        let groups = self.groups()?;
        let (_, neuroids, bins) = self.values.dim();
        let mut values = Array3::zeros((groups.rows.len(), neuroids, bins));
        for (mut out, rows) in values.outer_iter_mut().zip(&groups.rows) {
            for ((neuroid, bin), cell) in out.indexed_iter_mut() {
                let samples = rows.iter().map(|&row| self.values[[row, neuroid, bin]]);
                *cell = mean_of_present(samples);
            }
        }
        Ok(Assembly { values, presentation: groups.labels, ..self.without_values() })
    }

    /// The responses of one time bin as repetition x stimulus x neuroid, NaN where a stimulus was not repeated.
    ///
    /// Repetitions are the sorted distinct values of the `repetition` coordinate; stimuli are in the order of
    /// [`Assembly::average_repetitions`].
    ///
    /// # Errors
    /// As there; and if there is no `repetition`, no such time bin, or a stimulus has the same repetition twice.
    pub fn repeats(&self, bin: usize) -> Result<Array3<f64>, ParseError> {
        let groups = self.groups()?;
        let (_, neuroids, bins) = self.values.dim();
        if bin >= bins {
            return Err(ParseError::Invalid(format!("time bin {bin} does not exist, there are {bins}")));
        }
        let repetition = self.presentation.column(REPETITION).ok_or_else(|| {
            ParseError::invalid(
                "the presentations have no coordinate `repetition`; repeats cannot be told apart",
            )
        })?;
        let mut order: Vec<usize> = (0..repetition.len()).collect();
        order.sort_by(|&a, &b| repetition.compare(a, b));
        let mut rank = vec![0; order.len()];
        let mut count = 0;
        for pair in order.windows(2) {
            count += usize::from(repetition.compare(pair[0], pair[1]).is_ne());
            rank[pair[1]] = count;
        }
        let cells =
            (count as u64 + 1).saturating_mul(groups.rows.len() as u64).saturating_mul(neuroids as u64);
        ParseError::check(
            "repetition x stimulus x neuroid",
            cells,
            crate::limits::MAX_ELEMENTS,
            "MAX_ELEMENTS",
        )?;
        let mut cube = Array3::from_elem((count + 1, groups.rows.len(), neuroids), f64::NAN);
        let mut taken = Array2::from_elem((count + 1, groups.rows.len()), false);
        for (stimulus, rows) in groups.rows.iter().enumerate() {
            for &row in rows {
                if std::mem::replace(&mut taken[[rank[row], stimulus]], true) {
                    let id = &groups.labels.first_of(&STIMULUS_ID).map(Values::to_text).unwrap_or_default()
                        [stimulus];
                    let value = &repetition.to_text()[row];
                    return Err(ParseError::Invalid(format!(
                        "stimulus `{id}` has two presentations with repetition {value}"
                    )));
                }
                let responses: ArrayView1<f64> = self.values.slice(ndarray::s![row, .., bin]);
                cube.slice_mut(ndarray::s![rank[row], stimulus, ..]).assign(&responses);
            }
        }
        Ok(cube)
    }

    /// The given neuroids, in that order; `None` when one does not exist.
    pub fn select_neuroids(&self, neuroids: &[usize]) -> Option<Assembly> {
        let labels = self.neuroid.select(neuroids)?;
        let values = self.values.select(Axis(1), neuroids);
        Some(Assembly { values, neuroid: labels, ..self.without_values() })
    }

    fn without_values(&self) -> Assembly {
        Assembly {
            identifier: self.identifier.clone(),
            values: Array3::zeros((0, 0, 0)),
            presentation: self.presentation.clone(),
            neuroid: self.neuroid.clone(),
            time_bins: self.time_bins.clone(),
            neuroid_axis: self.neuroid_axis.clone(),
            extra_groups: self.extra_groups.clone(),
        }
    }

    fn groups(&self) -> Result<Groups, ParseError> {
        let ids = self.stimulus_ids()?;
        let keys = self.presentation.without(&[REPETITION]);
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by(|&a, &b| keys.compare_rows(a, b));
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for row in order {
            match rows.last_mut() {
                Some(group) if keys.compare_rows(group[0], row).is_eq() => group.push(row),
                _ => rows.push(vec![row]),
            }
        }
        let firsts: Vec<usize> = rows.iter().map(|group| group[0]).collect();
        let mut first_of_id: BTreeMap<&str, usize> = BTreeMap::new();
        for &row in &firsts {
            if let Some(earlier) = first_of_id.insert(&ids[row], row) {
                return Err(varying_coordinate(&keys, &ids[row], earlier, row));
            }
        }
        let labels =
            keys.select(&firsts).ok_or_else(|| ParseError::invalid("coordinates of different lengths"))?;
        Ok(Groups { labels, rows })
    }
}

fn varying_coordinate(keys: &Table, id: &str, a: usize, b: usize) -> ParseError {
    let varying: Vec<&str> =
        keys.columns().iter().filter(|c| c.values.compare(a, b).is_ne()).map(|c| c.name.as_str()).collect();
    ParseError::Invalid(format!(
        "repetitions of stimulus `{id}` differ in {}, so they cannot be averaged; list these coordinates under `ignore`",
        varying.join(", ")
    ))
}

/// Mean of the values that are not NaN, in order; NaN if there are none.
pub(crate) fn mean_of_present(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0usize);
    for value in values.filter(|v| !v.is_nan()) {
        sum += value;
        count += 1;
    }
    sum / count as f64
}
