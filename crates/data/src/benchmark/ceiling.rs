//! The ceiling of a benchmark (spec §5).

use ventral_metrics::statistics::nan_median;
use ventral_metrics::{CeilingRule, Repeats, even_odd_consistency, internal_consistency, rsa_ceiling};

use super::card::{BenchmarkCard, CeilingCard, CeilingSource};
use super::locate::{ArrayFile, Roots};
use super::recording::{Recording, check_length};
use super::{CeilingEstimate, Target};
use crate::error::{Error, Result};

/// Halvings of the reference, and its seed (spec §5.1).
const DEFAULT_COUNT: usize = 10;
const DEFAULT_SEED: u32 = 1;

pub(super) fn resolve(
    card: &BenchmarkCard,
    roots: &Roots<'_>,
    target: &Target,
    recording: Option<&Recording>,
) -> Result<(Option<CeilingEstimate>, CeilingRule)> {
    let ceiling = &card.ceiling;
    check_fields(ceiling, roots)?;
    let rule = match (ceiling.source, ceiling.rule) {
        (CeilingSource::None, None | Some(CeilingRule::Raw)) => return Ok((None, CeilingRule::Raw)),
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
    let metric = |e| Error::metric(roots.card, "ceiling", e);
    let of_repeats = |c: ventral_metrics::Ceiling| CeilingEstimate {
        value: c.value,
        error: Some(c.error),
        per_neuroid: c.per_neuroid,
        lower: None,
    };
    let estimate = match ceiling.source {
        CeilingSource::None => return Ok((None, rule)),
        CeilingSource::Given => given(ceiling, roots)?,
        CeilingSource::InternalConsistency => {
            let (count, seed) =
                (ceiling.count.unwrap_or(DEFAULT_COUNT), ceiling.seed.unwrap_or(DEFAULT_SEED));
            of_repeats(internal_consistency(repeats(target, roots)?, count, seed).map_err(metric)?)
        }
        CeilingSource::EvenOdd => of_repeats(even_odd_consistency(repeats(target, roots)?).map_err(metric)?),
        CeilingSource::PerNeuroid => per_neuroid(card, roots, recording)?,
        CeilingSource::Rsa => rsa(target, roots)?,
    };
    if !(estimate.value.is_finite() && estimate.value != 0.0) {
        let problem = format!("comes out as {}, which no score can be divided by", estimate.value);
        return Err(roots.field("ceiling", &problem));
    }
    Ok((Some(estimate), rule))
}

fn check_fields(card: &CeilingCard, roots: &Roots<'_>) -> Result<()> {
    let is = |source| card.source == source;
    let (given, halves, file) =
        (is(CeilingSource::Given), is(CeilingSource::InternalConsistency), is(CeilingSource::PerNeuroid));
    let misplaced = [
        ("value", card.value.is_some() && !given),
        ("error", card.error.is_some() && !given),
        ("count", card.count.is_some() && !halves),
        ("seed", card.seed.is_some() && !halves),
        ("file", card.file.is_some() && !file),
        ("data", card.data.is_some() && !file),
        ("variable", card.variable.is_some() && !file),
        ("drop", card.drop.is_some() && !file),
    ];
    match misplaced.iter().find(|(_, wrong)| *wrong) {
        Some((name, _)) => {
            let problem = format!("does not belong to the source `{:?}`; remove it", card.source);
            Err(roots.field(&format!("ceiling.{name}"), &problem))
        }
        None => Ok(()),
    }
}

fn given(card: &CeilingCard, roots: &Roots<'_>) -> Result<CeilingEstimate> {
    let value = card.value.ok_or_else(|| roots.field("ceiling.value", "is missing; give the ceiling"))?;
    Ok(CeilingEstimate { value, error: card.error, per_neuroid: Vec::new(), lower: None })
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
    Ok(CeilingEstimate { value: nan_median(&per_neuroid), error: None, per_neuroid, lower: None })
}

fn rsa(target: &Target, roots: &Roots<'_>) -> Result<CeilingEstimate> {
    let Target::Rdm { subjects: Some(subjects), .. } = target else {
        return Err(
            roots.field("ceiling.source", "needs the dissimilarities of single subjects; add [subjects]")
        );
    };
    let ceiling = rsa_ceiling(subjects.view()).map_err(|e| Error::metric(roots.card, "ceiling", e))?;
    let lower = Some(ceiling.lower).filter(|l| !l.is_nan());
    Ok(CeilingEstimate { value: ceiling.upper, error: None, per_neuroid: ceiling.upper_per_subject, lower })
}
