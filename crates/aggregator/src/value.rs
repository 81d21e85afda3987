//! One entry of a leaderboard, and how it is shown (spec §6).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A score in a table. Zero is a number; a benchmark that was never run, and one that went wrong, are not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Not run.
    Missing,
    /// Run, and failed.
    Failed {
        /// Why, in words.
        reason: String,
    },
    /// A finite number.
    Number(f64),
}

impl Value {
    /// The number, or a failure that says that there is none.
    #[must_use]
    pub fn of(number: f64) -> Self {
        if number.is_finite() {
            return Self::Number(number);
        }
        Self::Failed { reason: format!("the score is {number}, not a finite number") }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Numbers clamped to \[0, 1\].
    #[must_use]
    pub fn clipped(self) -> Self {
        match self {
            Self::Number(number) => Self::Number(number.clamp(0.0, 1.0)),
            other => other,
        }
    }

    /// Mean over siblings in which what is missing or failed counts as 0, except where nothing is a number:
    /// all missing stays missing, and otherwise the parent has failed.
    pub(crate) fn mean(children: &[(&str, &Self)]) -> Self {
        if children.iter().all(|(_, value)| matches!(value, Self::Missing)) {
            return Self::Missing;
        }
        let numbers: Vec<f64> = children.iter().filter_map(|(_, value)| value.number()).collect();
        if !numbers.is_empty() {
            return Self::Number(numbers.iter().sum::<f64>() / children.len() as f64);
        }
        let reasons = children.iter().filter_map(|(identifier, value)| match value {
            Self::Failed { reason } => Some(format!("{identifier}: {reason}")),
            _ => None,
        });
        Self::Failed { reason: reasons.collect::<Vec<_>>().join("; ") }
    }
}

/// `".549"`, `"1.0"` from 1 on, `"X"` for a failure, nothing for a missing score.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Missing => String::new(),
            Self::Failed { .. } => "X".to_owned(),
            Self::Number(number) if *number >= 1.0 => format!("{number:.1}"),
            Self::Number(number) => format!("{number:.3}").trim_start_matches('0').to_owned(),
        };
        f.pad(&text)
    }
}

/// The number in hundredths, rounded half up (away from zero) on its shortest decimal form, so that .285 gives 29.
///
/// Saturates for numbers beyond the range of `i64`.
#[must_use]
pub fn hundredths(number: f64) -> i64 {
    let decimal = format!("{}", number.abs());
    let (whole, fraction) = decimal.split_once('.').unwrap_or((&decimal, ""));
    let digit = |place: usize| fraction.as_bytes().get(place).map_or(0, |d| i64::from(d - b'0'));
    let whole = whole.parse::<i64>().unwrap_or(i64::MAX);
    let carry = i64::from(digit(2) >= 5);
    let magnitude = whole.saturating_mul(100).saturating_add(10 * digit(0) + digit(1) + carry);
    if number < 0.0 { -magnitude } else { magnitude }
}
