//! Maps of one subject: neighbourhoods, RSMs, comparisons, residuals, permutations.

mod ceilings;
mod factored;
mod goldens;
mod neighbourhoods;
mod patterns;
mod permutations;
mod plain;
mod ranges;
mod real;
mod residuals;
