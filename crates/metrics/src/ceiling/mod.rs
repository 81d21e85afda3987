//! How well a perfect model could do: ceilings from repeated measurements or subjects, and the rules that apply them.

mod consistency;
mod predictor;
mod rsa;
mod rule;

pub use consistency::{
    Ceiling, Repeats, even_odd_consistency, internal_consistency, spearman_brown, split_half_even_odd,
};
pub use predictor::predictor_consistency;
pub use rsa::{RsaCeiling, rsa_ceiling};
pub use rule::{CeilingRule, bounded};
