//! Behaviour: choices of models and people, and how alike they are (spec §2.6, §3, §4).

mod discrimination;
mod labels;
mod logistic;
mod normal;
mod odd_one_out;
mod panel;
mod psychometric;
mod threshold;

pub use discrimination::*;
pub use labels::*;
pub use logistic::*;
pub use normal::*;
pub use odd_one_out::*;
pub use panel::*;
pub use psychometric::*;
pub use threshold::*;
