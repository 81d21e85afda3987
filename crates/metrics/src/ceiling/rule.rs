//! How a ceiling normalises a score (spec §5.3).

use crate::statistics::{nan_mean, nan_standard_deviation};
use crate::{Error, Score};

/// The rule is part of a benchmark's version: the same raw score gives different ceiled scores under each.
///
/// In cards: `"r2_over_c"`, `"ratio"`, ... and `{ chance_ratio = { chance = 0.333 } }`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CeilingRule {
    /// r² / c: explained variance over explainable variance; neural benchmarks since 2026. A negative r keeps its sign, which the
    /// reference squares away.
    R2OverC,
    /// (r / c)²: neural benchmarks before 2026. A negative r keeps its sign, as under [`R2OverC`](Self::R2OverC).
    RatioSquared,
    /// Each split's r / √c, then the mean; its error is the splits' standard deviation. For a half-versus-half ceiling (i2n).
    PerSplitOverSqrtC,
    /// r / c: representational similarity and behaviour.
    Ratio,
    /// (r - chance) / (c - chance), clamped to \[0, 1\].
    ChanceRatio {
        /// The score of a guess.
        chance: f64,
    },
    /// r as it is; the ceiling is only shown beside it. The 2018 site and engineering benchmarks.
    Raw,
}

/// The score with its value and splits clamped to \[0, 1\], as behavioural benchmarks report it; NaN stays NaN.
#[must_use]
pub fn bounded(score: &Score) -> Score {
    Score {
        value: score.value.clamp(0.0, 1.0),
        error: score.error,
        per_split: score.per_split.iter().map(|v| v.clamp(0.0, 1.0)).collect(),
    }
}

impl CeilingRule {
    /// The name in cards and tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::R2OverC => "r2_over_c",
            Self::RatioSquared => "ratio_squared",
            Self::PerSplitOverSqrtC => "per_split_over_sqrt_c",
            Self::Ratio => "ratio",
            Self::ChanceRatio { .. } => "chance_ratio",
            Self::Raw => "raw",
        }
    }

    /// The ceiled score.
    ///
    /// The raw error bar is copied unchanged, neither scaled nor squared, as the reference does, except for
    /// [`PerSplitOverSqrtC`](Self::PerSplitOverSqrtC). The rule is also applied to each split's value, for plots;
    /// under the two squared rules the mean of these differs from the score.
    ///
    /// # Errors
    /// [`Error::CeilingMissing`] if the rule needs a ceiling and there is none; [`Error::Parameter`] if it is not a finite
    /// number above 0 (or above chance).
    pub fn apply(&self, raw: &Score, ceiling: Option<f64>) -> Result<Score, Error> {
        if matches!(self, Self::Raw) {
            return Ok(raw.clone());
        }
        let c = self.usable(ceiling)?;
        if matches!(self, Self::PerSplitOverSqrtC) {
            return Ok(per_split_over_sqrt(raw, c));
        }
        Ok(Score {
            value: self.of(raw.value, c),
            error: raw.error,
            per_split: raw.per_split.iter().map(|&r| self.of(r, c)).collect(),
        })
    }

    /// As [`apply`](Self::apply), for a ceiling that was found split by split: under [`PerSplitOverSqrtC`](Self::PerSplitOverSqrtC) each
    /// split is divided by its own (spec §4.3). Where the numbers of splits differ, and under other rules, the one ceiling counts.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), also for the ceiling of a split.
    pub fn apply_per_split(&self, raw: &Score, ceiling: f64, per_split: &[f64]) -> Result<Score, Error> {
        let own = matches!(self, Self::PerSplitOverSqrtC) && !per_split.is_empty();
        if !own || raw.per_split.len() != per_split.len() {
            return self.apply(raw, Some(ceiling));
        }
        let ceiled = raw.per_split.iter().zip(per_split).map(|(r, &c)| Ok(r / self.usable(Some(c))?.sqrt()));
        let per_split = ceiled.collect::<Result<Vec<f64>, Error>>()?;
        Ok(Score { value: nan_mean(&per_split), error: nan_standard_deviation(&per_split), per_split })
    }

    fn usable(&self, ceiling: Option<f64>) -> Result<f64, Error> {
        let c = ceiling.ok_or(Error::CeilingMissing { rule: self.name() })?;
        let floor = if let Self::ChanceRatio { chance } = self { *chance } else { 0.0 };
        if c.is_finite() && c > floor {
            return Ok(c);
        }
        let allowed = "must be a finite number larger than 0, and larger than chance where the rule has one";
        Err(Error::Parameter { name: "ceiling", value: c.to_string(), allowed })
    }

    fn of(&self, r: f64, c: f64) -> f64 {
        match self {
            Self::R2OverC => r * r.abs() / c,
            Self::RatioSquared => (r / c) * (r / c).abs(),
            Self::PerSplitOverSqrtC => r / c.sqrt(),
            Self::Ratio => r / c,
            Self::ChanceRatio { chance } => ((r - chance) / (c - chance)).clamp(0.0, 1.0),
            Self::Raw => r,
        }
    }
}

/// A metric without splits has its value alone to divide.
fn per_split_over_sqrt(raw: &Score, c: f64) -> Score {
    let root = c.sqrt();
    if raw.per_split.is_empty() {
        return Score { value: raw.value / root, error: raw.error / root, per_split: Vec::new() };
    }
    let per_split: Vec<f64> = raw.per_split.iter().map(|r| r / root).collect();
    Score { value: nan_mean(&per_split), error: nan_standard_deviation(&per_split), per_split }
}
