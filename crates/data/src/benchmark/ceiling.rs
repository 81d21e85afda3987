//! The ceiling of a benchmark (spec §5).

use ndarray::{Array3, Axis};
use ventral_metrics::statistics::nan_median;
use ventral_metrics::{
    CeilingRule, Repeats, RsaCeiling, Score, Split, even_odd_consistency, internal_consistency,
    predictor_consistency, rsa_ceiling,
};

use super::card::{BenchmarkCard, Bound, CeilingCard, CeilingSource};
use super::locate::{ArrayFile, Roots};
use super::parts::Found;
use super::recording::{Recording, check_length};
use super::{CeilingEstimate, Target};
use crate::error::{Error, Result};

/// Halvings of the reference, and its seed (spec §5.1).
const DEFAULT_COUNT: usize = 10;
const DEFAULT_SEED: u32 = 1;
/// Seed of the reference where halves are drawn for each stimulus (spec §5.2).
const PREDICTOR_SEED: u32 = 0;

pub(super) fn resolve(
    card: &BenchmarkCard,
    roots: &Roots<'_>,
    target: &Target,
    recording: Option<&Recording>,
    ids: &[String],
    splits: &[Split],
) -> Result<(Found, CeilingRule)> {
    let ceiling = &card.ceiling;
    check_fields(ceiling, roots)?;
    let rule = match (ceiling.source, ceiling.rule) {
        (CeilingSource::None, None | Some(CeilingRule::Raw)) => {
            return Ok((Found { estimate: None, splits: None }, CeilingRule::Raw));
        }
        (CeilingSource::None, Some(_)) => {
            return Err(roots.field(
                "ceiling.source",
                "is `none`, but the rule needs a ceiling; say where it comes from",
            ));
        }
        (_, Some(rule)) => rule,
        (_, None) => {
            return Err(roots.field("ceiling.rule", "is missing; say how the ceiling normalises scores"));
        }
    };
    let mut by_split = None;
    let estimate = match ceiling.source {
        CeilingSource::None => return Ok((Found { estimate: None, splits: None }, rule)),
        CeilingSource::Given => given(ceiling, &rule, roots)?,
        CeilingSource::InternalConsistency | CeilingSource::PredictorConsistency | CeilingSource::EvenOdd => {
            let found = of_repeats(ceiling, target, ids, splits, roots)?;
            by_split = Some(found.splits);
            CeilingEstimate {
                value: found.value,
                error: Some(found.error),
                per_neuroid: found.per_neuroid,
                lower: None,
                per_split: Vec::new(),
            }
        }
        CeilingSource::PerNeuroid => per_neuroid(card, roots, recording)?,
        CeilingSource::Rsa => rsa(card, target, roots)?,
        CeilingSource::People => super::behavior::ceiling(target, roots)?,
        CeilingSource::Resampled => super::units::ceiling(target, roots)?,
    };
    if !(estimate.value.is_finite() && estimate.value != 0.0) {
        let problem = format!("comes out as {}, which no score can be divided by", estimate.value);
        return Err(roots.field("ceiling", &problem));
    }
    Ok((Found { estimate: Some(estimate), splits: by_split }, rule))
}

fn check_fields(card: &CeilingCard, roots: &Roots<'_>) -> Result<()> {
    let is = |source| card.source == source;
    let (given, halves, file) =
        (is(CeilingSource::Given), is(CeilingSource::InternalConsistency), is(CeilingSource::PerNeuroid));
    let drawn = halves || is(CeilingSource::PredictorConsistency);
    let repeated = drawn || is(CeilingSource::EvenOdd);
    let misplaced = [
        ("value", card.value.is_some() && !given),
        ("error", card.error.is_some() && !given),
        ("count", card.count.is_some() && !drawn),
        ("seed", card.seed.is_some() && !drawn),
        ("test_only", card.test_only.is_some() && !repeated),
        ("subjects", card.subjects.is_some() && !is(CeilingSource::Rsa)),
        ("bound", card.bound.is_some() && !is(CeilingSource::Rsa)),
        ("file", card.file.is_some() && !file),
        ("data", card.data.is_some() && !file),
        ("variable", card.variable.is_some() && !file),
        ("drop", card.drop.is_some() && !file),
    ];
    match misplaced.iter().find(|(_, wrong)| *wrong) {
        Some((name, _)) => {
            let problem = format!("does not belong to the source `{}`; remove it", card.source);
            Err(roots.field(&format!("ceiling.{name}"), &problem))
        }
        None => Ok(()),
    }
}

/// Reliability from the repetitions, if wanted of those presentations only that are tested on.
fn of_repeats(
    card: &CeilingCard,
    target: &Target,
    ids: &[String],
    splits: &[Split],
    roots: &Roots<'_>,
) -> Result<ventral_metrics::Ceiling> {
    let all = repeats(target, roots)?;
    let mut order: Vec<usize> = (0..ids.len()).collect();
    let kept: Option<Array3<f64>> = match (card.test_only.unwrap_or(false), splits) {
        (false, _) => None,
        (true, [split]) => {
            order = (0..split.test.len()).collect();
            order.sort_by_key(|&i| &ids[split.test[i]]);
            Some(shown(all.values.select(Axis(1), &split.test)))
        }
        (true, _) => {
            let problem = "needs a single split (scheme `fixed`), so that what is tested on is one set";
            return Err(roots.field("ceiling.test_only", problem));
        }
    };
    if kept.is_none() {
        order.sort_by_key(|&i| &ids[i]);
    }
    let repeats = kept.as_ref().map_or(all, |kept| Repeats { values: kept.view() });
    let (count, seed) = (card.count.unwrap_or(DEFAULT_COUNT), card.seed);
    let found = match card.source {
        CeilingSource::EvenOdd => even_odd_consistency(repeats),
        CeilingSource::PredictorConsistency => {
            predictor_consistency(repeats, &order, count, seed.unwrap_or(PREDICTOR_SEED))
        }
        _ => internal_consistency(repeats, count, seed.unwrap_or(DEFAULT_SEED)),
    };
    found.map_err(|e| Error::metric(roots.card, "ceiling", e))
}

/// Without the repetitions in which nothing was shown.
fn shown(cube: Array3<f64>) -> Array3<f64> {
    let some = |&repetition: &usize| cube.index_axis(Axis(0), repetition).iter().any(|v| !v.is_nan());
    let kept: Vec<usize> = (0..cube.len_of(Axis(0))).filter(some).collect();
    cube.select(Axis(0), &kept)
}

fn given(card: &CeilingCard, rule: &CeilingRule, roots: &Roots<'_>) -> Result<CeilingEstimate> {
    let field = "ceiling.value";
    let value = card.value.ok_or_else(|| roots.field(field, "is missing; give the ceiling"))?;
    rule.apply(&Score::single(0.0), Some(value)).map_err(|problem| {
        roots.field(field, &format!("is {value}, which no score can be divided by: {problem}"))
    })?;
    Ok(CeilingEstimate {
        value,
        error: card.error,
        per_neuroid: Vec::new(),
        lower: None,
        per_split: Vec::new(),
    })
}

fn repeats<'t>(target: &'t Target, roots: &Roots<'_>) -> Result<Repeats<'t>> {
    match target {
        Target::Responses { repeats: Some(values), .. } => Ok(Repeats { values: values.view() }),
        _ => Err(roots.field("ceiling.source", "needs repetitions, and there are none; add [repeats]")),
    }
}

fn per_neuroid(
    card: &BenchmarkCard,
    roots: &Roots<'_>,
    recording: Option<&Recording>,
) -> Result<CeilingEstimate> {
    let field = "ceiling.variable";
    let Some(recording) = recording else {
        return Err(roots.field("ceiling.source", "is per neuroid, but the assembly holds dissimilarities"));
    };
    let own = roots.optional("ceiling", &card.ceiling.file, &card.ceiling.data)?;
    let path = own.unwrap_or_else(|| recording.path.clone());
    let file = ArrayFile::open(&path)?;
    let mut values = file.numeric(roots, field, &card.ceiling.variable)?.numbers().to_f64();
    if let Some(drop) = card.ceiling.drop {
        values.retain(|v| *v != drop);
    }
    check_length(
        &path,
        "ceilings",
        values.len(),
        recording.in_file,
        "there are neuroids (see ceiling.drop)",
    )?;
    let per_neuroid: Vec<f64> = recording.kept.iter().filter_map(|&i| values.get(i).copied()).collect();
    Ok(CeilingEstimate {
        value: nan_median(&per_neuroid),
        error: None,
        per_neuroid,
        lower: None,
        per_split: Vec::new(),
    })
}

/// Nili's bounds: of the dissimilarities that are scored, subject by subject.
fn rsa(card: &BenchmarkCard, target: &Target, roots: &Roots<'_>) -> Result<CeilingEstimate> {
    let (subjects, names) = match target {
        Target::Rdm { rdms, subjects } if !subjects.is_empty() => (rdms, subjects),
        Target::Rdm { .. } if card.subjects.is_some() => {
            let problem = "is `rsa`, the ceiling of single subjects, but subjects.score = \"mean\" scores their averaged dissimilarities: \
                           no model's score may be divided by it; score each subject (leave subjects.score out), or give another ceiling or none";
            return Err(roots.field("ceiling.source", problem));
        }
        Target::Rdm { .. } => {
            let problem = "needs the dissimilarities of single subjects; add [subjects]";
            return Err(roots.field("ceiling.source", problem));
        }
        _ => {
            let problem = "names the column of the neuroids with the subject; it is needed for responses";
            return Err(roots.field("ceiling.subjects", problem));
        }
    };
    let wants_lower = card.ceiling.bound == Some(Bound::Lower);
    if wants_lower && subjects.nrows() == 1 {
        let section = card.subjects.as_ref();
        let file = section.and_then(|s| s.file.as_ref().or(s.data.as_ref())).map(|f| f.display().to_string());
        let whence = file.map_or_else(String::new, |file| format!(" in {file}"));
        let problem = format!(
            "is `lower`, each subject against the others, and there is one subject{whence}; give the matrices of more, or another ceiling"
        );
        return Err(roots.field("ceiling.bound", &problem));
    }
    let ceiling = rsa_ceiling(subjects.view()).map_err(|e| Error::metric(roots.card, "ceiling", e))?;
    let RsaCeiling { upper, lower, upper_per_subject, lower_per_subject } = ceiling;
    let (value, per_neuroid) =
        if wants_lower { (lower, lower_per_subject) } else { (upper, upper_per_subject) };
    if let Some(index) = per_neuroid.iter().position(|v| v.is_nan()) {
        let name = names.get(index).map_or("", String::as_str);
        let problem = format!(
            "is undefined for `{name}`: its dissimilarities, or those it is compared with, are all the same; leave the subject out"
        );
        return Err(roots.field("ceiling", &problem));
    }
    Ok(CeilingEstimate {
        value,
        error: None,
        per_neuroid,
        lower: Some(lower).filter(|l| !l.is_nan()),
        per_split: Vec::new(),
    })
}
