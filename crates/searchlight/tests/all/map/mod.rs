//! Maps of one subject: neighbourhoods, RSMs, comparisons, residuals, permutations.

mod neighbourhoods;
mod plain;
mod ranges;
