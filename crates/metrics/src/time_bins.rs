//! Which time bins of a model fall into one of a recording (spec §2.3).

use crate::Error;

/// The source bins that overlap with `target`, each weighted by the share of it that does (the reference's mode `portion`); starts and
/// ends in ms, half open.
///
/// # Errors
/// [`Error::Parameter`] if a bin does not end after it begins, or the source bins do not reach from the start of `target` to its end.
pub fn align_time_bin(source: &[[f64; 2]], target: [f64; 2]) -> Result<Vec<(usize, f64)>, Error> {
    let fits = |[start, end]: [f64; 2]| start.is_finite() && end.is_finite() && start < end;
    if let Some(bin) = source.iter().chain([&target]).find(|bin| !fits(**bin)) {
        let allowed = "must end after it begins";
        return Err(Error::Parameter { name: "time bin", value: format!("{bin:?}"), allowed });
    }
    let first = source.iter().fold(f64::INFINITY, |min, bin| min.min(bin[0]));
    let last = source.iter().fold(f64::NEG_INFINITY, |max, bin| max.max(bin[1]));
    let portion =
        |bin: &[f64; 2]| (bin[1].min(target[1]) - bin[0].max(target[0])).max(0.0) / (bin[1] - bin[0]);
    let found: Vec<(usize, f64)> =
        source.iter().map(portion).enumerate().filter(|(_, portion)| *portion > 0.0).collect();
    if found.is_empty() || first > target[0] || last < target[1] {
        return Err(Error::Parameter {
            name: "time bin of the recording",
            value: format!("{target:?} ms"),
            allowed: "must lie within the time that the model's bins cover",
        });
    }
    Ok(found)
}
