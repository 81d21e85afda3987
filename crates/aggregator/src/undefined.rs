//! Values of a metric that are not defined: how many, where, and what counted instead.

use std::fmt;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::Value;

/// Mark of a score some of whose values are undefined.
pub const UNDEFINED_MARK: char = '†';
/// What is shown of a value, with the mark if there is something to note.
#[must_use]
pub(crate) fn marked(value: &Value, note: Option<&String>) -> String {
    let mark = note.map_or_else(String::new, |_| UNDEFINED_MARK.to_string());
    format!("{value}{mark}")
}

/// Most places, and most splits, that are named.
pub const MAX_PLACES: usize = 5;

/// What became of undefined values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndefinedRule {
    /// Left out of medians and means, which is the reference's rule: reductions of xarray skip NaN (spec §0, §1.2).
    Skipped,
    /// They leave no score: nothing but them is there, or no reference skips them.
    NotScored,
}

/// Values among split x neuroid (or split x subject, person x condition) that are NaN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undefined {
    /// How many.
    pub values: usize,
    /// Of so many.
    pub of: usize,
    /// The first [`MAX_PLACES`] of them.
    pub places: Vec<Place>,
    /// Number of splits.
    pub splits: usize,
    /// Number of splits without any value.
    pub empty_splits: usize,
    /// The first [`MAX_PLACES`] of these, from 0.
    pub first_empty: Vec<usize>,
    /// What became of them.
    pub rule: UndefinedRule,
    /// What rows and columns are.
    #[serde(default, skip_serializing_if = "Axes::are_plain")]
    pub axes: Axes,
}

/// What the rows and columns of a metric's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axes {
    /// Splits, and neuroids (or subjects, time bins) with names.
    #[default]
    Named,
    /// Splits, and values without names.
    Unnamed,
    /// Halvings of the trials: patterns of d'.
    Halvings,
    /// People, and conditions.
    People,
}

impl Axes {
    fn are_plain(&self) -> bool {
        *self == Self::Named
    }
}

/// Where a value is undefined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The split, from 0.
    pub split: usize,
    /// Identifier of the neuroid, or the number of the column from 0.
    pub neuroid: String,
}

impl Undefined {
    /// Those of a metric's values, splits x neuroids; `names` are those of the columns where they have any. Nothing if all are defined.
    #[must_use]
    pub fn of(values: &Array2<f64>, names: &[String], rule: UndefinedRule) -> Option<Self> {
        let name = |column: usize| match names.len() == values.ncols() {
            true => names[column].clone(),
            false => column.to_string(),
        };
        let undefined = || values.indexed_iter().filter(|(_, value)| value.is_nan());
        let empty = || {
            let rows = values.rows().into_iter().enumerate();
            rows.filter(|(_, row)| row.iter().all(|value| value.is_nan())).map(|(split, _)| split)
        };
        let places = undefined().take(MAX_PLACES);
        (undefined().next().is_some()).then(|| Self {
            values: undefined().count(),
            of: values.len(),
            places: places.map(|((split, column), _)| Place { split, neuroid: name(column) }).collect(),
            splits: values.nrows(),
            empty_splits: empty().count(),
            first_empty: empty().take(MAX_PLACES).collect(),
            rule,
            axes: if names.len() == values.ncols() { Axes::Named } else { Axes::Unnamed },
        })
    }

    /// The same of a metric by its name, whose values have other rows than splits.
    #[must_use]
    pub fn of_metric(self, metric: &str) -> Self {
        let axes = match metric {
            "i1" | "i1n" | "i2" | "i2n" | "o1" | "o2" => Axes::Halvings,
            "error_consistency" | "accuracy_distance" | "threshold" | "threshold_elevation" => Axes::People,
            _ => self.axes,
        };
        Self { axes, ..self }
    }

    fn place(&self, Place { split, neuroid }: &Place) -> String {
        match self.axes {
            Axes::Named => format!("{neuroid} in split {split}"),
            Axes::Unnamed => format!("value {neuroid} in split {split}"),
            Axes::Halvings => format!("halving {split}"),
            Axes::People if self.of > self.splits => format!("person {split}, condition {neuroid}"),
            Axes::People => format!("person {split}"),
        }
    }

    /// What a row is called, for one and for several.
    fn row(&self) -> (&'static str, &'static str) {
        match self.axes {
            Axes::Named | Axes::Unnamed => ("split", "splits"),
            Axes::Halvings => ("halving", "halvings"),
            Axes::People => ("person", "people"),
        }
    }
}

impl Undefined {
    /// Those of correlations with single features, whose median is the one value of each split; none of them is named.
    #[must_use]
    pub fn of_features(values: usize, of: usize, medians: &Array2<f64>, rule: UndefinedRule) -> Self {
        let empty = || (0..medians.nrows()).filter(|&split| medians.row(split).iter().all(|v| v.is_nan()));
        Self {
            values,
            of,
            places: Vec::new(),
            splits: medians.nrows(),
            empty_splits: empty().count(),
            first_empty: empty().take(MAX_PLACES).collect(),
            rule,
            axes: Axes::Unnamed,
        }
    }
}

fn listed<T: fmt::Display>(first: &[T], all: usize) -> String {
    let mut text = first.iter().map(T::to_string).collect::<Vec<_>>().join(", ");
    if all > first.len() {
        text.push_str(", ...");
    }
    text
}

/// "1 of 5 values are undefined (n1 in split 3): skipped, ...; split 3 has no value, the score is that of the other 4 of 5".
impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} values are undefined", self.values, self.of)?;
        let places: Vec<String> = self.places.iter().map(|place| self.place(place)).collect();
        if !places.is_empty() {
            write!(f, " ({})", listed(&places, self.values))?;
        }
        if self.axes == Axes::Halvings {
            write!(f, "; r is not where the d' of the model, or of the people, are all equal")?;
        }
        if self.rule == UndefinedRule::NotScored {
            return Ok(());
        }
        write!(f, ": skipped, as the reference's means and medians do (xarray)")?;
        match self.empty_splits {
            0 => Ok(()),
            empty => {
                let (one, several) = self.row();
                let (rows, verb) = if empty == 1 { (one, "has") } else { (several, "have") };
                let which = listed(&self.first_empty, empty);
                let left = self.splits.saturating_sub(empty);
                write!(
                    f,
                    "; {rows} {which} {verb} no value, the score is that of the other {left} of {}",
                    self.splits
                )
            }
        }
    }
}
