//! Scores and how per-split, per-neuroid values become one number (spec §1.2).

use ndarray::{Array2, ArrayView1};

use crate::statistics::{mean, nan_mean, nan_median, nan_standard_deviation, sem, standard_error};

/// Raw values of a metric, kept as long as the score itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitScores {
    /// Splits x neuroids; NaN where the metric is not defined (for example a constant neuroid).
    pub values: Array2<f64>,
    /// The regularisation chosen in each split; empty unless the metric chose one.
    pub alphas: Vec<f64>,
}

impl SplitScores {
    /// Median over neuroids in each split (NaN skipped), mean over splits (NaN skipped), and its standard error.
    #[must_use]
    pub fn score(&self) -> Score {
        let median = |neuroids: ArrayView1<'_, f64>| nan_median(&neuroids.to_vec());
        Score::from_splits(self.values.rows().into_iter().map(median).collect())
    }
}

/// How split x neuroid values become one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    /// Median over neuroids, mean over splits (NaN skipped), standard error over splits: neural metrics.
    #[default]
    Median,
    /// Mean over each row, mean over the rows (NaN skipped), deviation of all values: behaviour.
    Mean,
    /// The same without its sign.
    AbsoluteMean,
    /// Columns are a sample, of images or of subjects: mean over the columns, their standard error. No reference skips a NaN here: one makes
    /// the score NaN.
    Sample,
}

impl SplitScores {
    /// The score under a rule.
    #[must_use]
    pub fn summary(&self, rule: Summary) -> Score {
        let absolute = |value: f64| if rule == Summary::AbsoluteMean { value.abs() } else { value };
        let of_rows = |mean: fn(&[f64]) -> f64| -> Vec<f64> {
            self.values.rows().into_iter().map(|row| mean(&row.to_vec())).collect()
        };
        let (value, error, per_split) = match rule {
            Summary::Median => return self.score(),
            Summary::Mean | Summary::AbsoluteMean => {
                let per_split = of_rows(nan_mean);
                let all: Vec<f64> = self.values.iter().copied().collect();
                (absolute(nan_mean(&per_split)), nan_standard_deviation(&all), per_split)
            }
            Summary::Sample => {
                let columns = self.values.columns().into_iter().map(|column| mean(&column.to_vec()));
                let columns: Vec<f64> = columns.collect();
                (mean(&columns), standard_error(&columns), of_rows(mean))
            }
        };
        Score { value, error, per_split: if per_split.len() > 1 { per_split } else { Vec::new() } }
    }
}

/// One number with its error bar and the value of each split.
///
/// In serialised form NaN is `null` and infinities are `"inf"` and `"-inf"`, so that JSON keeps them apart.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// The score.
    #[serde(with = "float")]
    pub value: f64,
    /// Its error bar, in the units of the score.
    #[serde(with = "float")]
    pub error: f64,
    /// The value of each split; empty for a metric without splits.
    #[serde(with = "floats")]
    pub per_split: Vec<f64>,
}

impl Score {
    /// Mean (NaN skipped) of the splits' values, with the reference's standard error of the mean; a single split has none (NaN).
    #[must_use]
    pub fn from_splits(per_split: Vec<f64>) -> Self {
        let error = if per_split.len() > 1 { sem(&per_split) } else { f64::NAN };
        Self { value: nan_mean(&per_split), error, per_split }
    }

    /// A score without splits, and so without an error bar (NaN).
    #[must_use]
    pub fn single(value: f64) -> Self {
        Self { value, error: f64::NAN, per_split: Vec::new() }
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Float {
    Finite(f64),
    Infinite(Infinite),
    Nan(()),
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Infinite {
    #[serde(rename = "inf")]
    Positive,
    #[serde(rename = "-inf")]
    Negative,
}

impl From<f64> for Float {
    fn from(value: f64) -> Self {
        match value {
            v if v.is_nan() => Self::Nan(()),
            f64::INFINITY => Self::Infinite(Infinite::Positive),
            f64::NEG_INFINITY => Self::Infinite(Infinite::Negative),
            v => Self::Finite(v),
        }
    }
}

impl From<Float> for f64 {
    fn from(value: Float) -> Self {
        match value {
            Float::Finite(v) => v,
            Float::Infinite(Infinite::Positive) => Self::INFINITY,
            Float::Infinite(Infinite::Negative) => Self::NEG_INFINITY,
            Float::Nan(()) => Self::NAN,
        }
    }
}

/// `#[serde(with = "float")]` for an `f64` that may be NaN or infinite: NaN is `null`, infinities are `"inf"` and `"-inf"`.
pub mod float {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes one value.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        super::Float::from(*value).serialize(serializer)
    }

    /// Reads one value.
    ///
    /// # Errors
    /// Those of the deserializer, and anything that is not a number, `null`, `"inf"` or `"-inf"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        super::Float::deserialize(deserializer).map(f64::from)
    }
}

/// As [`float`], for a list.
pub mod floats {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the list.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|v| super::Float::from(*v)))
    }

    /// Reads the list.
    ///
    /// # Errors
    /// Those of [`float::deserialize`](super::float::deserialize).
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let values = Vec::<super::Float>::deserialize(deserializer)?;
        Ok(values.into_iter().map(f64::from).collect())
    }
}
