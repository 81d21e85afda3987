use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::TILE_FEATURES;
use crate::Error;

/// Number type in which the features of a tile are multiplied. Sums over tiles are always 64-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 64-bit products: equal to the reference up to rounding.
    F64,
    /// 32-bit products over at most 1,024 features, added up in 64 bit: about twice as fast.
    F32,
}

/// Stimuli of which [`LayerGram::noise_share`](super::LayerGram::noise_share) leaves too few directions to tell anything.
const FEW_STIMULI: usize = 64;

impl Precision {
    /// The number type in which a layer is multiplied, for metrics that solve with the Gram matrix (`solves`: ridge, least squares) or
    /// only multiply by it.
    ///
    /// 64 bit whatever is asked where a metric solves: the smallest eigenvalues decide, and the rounding of 32 bit is larger. Likewise
    /// where products are cheap: for fewer features than stimuli, no more than one tile of them, or few stimuli.
    #[must_use]
    pub fn needed(self, solves: bool, stimuli: usize, features: u64) -> Self {
        let cheap = features < stimuli as u64 || features <= TILE_FEATURES as u64 || stimuli <= FEW_STIMULI;
        if solves || cheap { Self::F64 } else { self }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "f64" => Ok(Self::F64),
            "f32" => Ok(Self::F32),
            other => Err(Error::Parameter {
                name: "precision",
                value: other.to_owned(),
                allowed: "one of \"f64\", \"f32\"",
            }),
        }
    }
}
