//! From the card of a benchmark of behaviour to what is measured.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;
use ventral_metrics::{
    CategoryMap, GUESS_RATE, LOGISTIC_C, Pattern, Similarity, SplitScores, ThresholdScoring,
    threshold_ceiling,
};

use super::super::card::{AssemblyCard, BenchmarkCard, MetricName, NeuroidsCard};
use super::super::locate::Roots;
use super::super::resolve::open_stimuli;
use super::super::{CeilingEstimate, Target};
use super::people::{Lookup, Trials};
use super::{Behavior, BehaviorCard, BehaviorMetric, Choices, People};
use crate::error::{Error, Result};
use crate::stimuli::StimulusSet;
use crate::table::{Values, read_table};

/// Classes of ImageNet.
const IMAGENET_CLASSES: usize = 1000;

/// Whether a metric is one of behaviour.
pub(in super::super) fn is_behavioral(name: MetricName) -> bool {
    use MetricName as M;
    matches!(
        name,
        M::Accuracy
            | M::AccuracyDistance
            | M::ErrorConsistency
            | M::ConfusionSimilarity
            | M::ShapeBias
            | M::OddOneOut
            | M::ValueDelta
            | M::Threshold
            | M::ThresholdElevation
    ) || pattern(name).is_some()
}

fn pattern(name: MetricName) -> Option<Pattern> {
    Some(match name {
        MetricName::I1 => Pattern::I1,
        MetricName::I1n => Pattern::I1n,
        MetricName::I2 => Pattern::I2,
        MetricName::I2n => Pattern::I2n,
        MetricName::O1 => Pattern::O1,
        MetricName::O2 => Pattern::O2,
        _ => return None,
    })
}

/// Stimuli and task of a benchmark of behaviour.
pub(in super::super) fn load(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<(StimulusSet, Behavior)> {
    let task = Task { card, options: card.behavior.clone().unwrap_or_default(), roots };
    task.check()?;
    let stimuli = open_stimuli(card, roots)?;
    let trials = card.trials.as_ref().map(|section| Trials::read(section, roots)).transpose()?;
    let (stimuli, fit) = task.used(stimuli, trials.as_ref())?;
    let tested: Vec<usize> = (0..stimuli.len()).filter(|row| !fit.contains(row)).collect();
    let names = task.truth(&stimuli)?;
    let labels: Vec<String> = names.iter().flatten().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let of_row = |row: usize| names.as_ref().map(|names| labels.binary_search(&names[row]).unwrap_or(0));
    let truth: Vec<usize> = tested.iter().filter_map(|&row| of_row(row)).collect();
    let fit_labels: Vec<usize> = fit.iter().filter_map(|&row| of_row(row)).collect();
    let choices = task.choices(&labels, fit.into_iter().collect(), fit_labels)?;
    let metric = task.metric(&stimuli, &tested, &labels)?;
    let lookup = Lookup::of(&stimuli, &tested);
    let people = match (&trials, &metric) {
        (None, _) => People::Nobody,
        (Some(trials), BehaviorMetric::Pattern(_)) => {
            People::Choices(trials.choices(&lookup, &truth, &labels)?)
        }
        (Some(trials), BehaviorMetric::OddOneOut(_)) => People::Triplets(trials.triplets(&lookup)?),
        (Some(trials), BehaviorMetric::Threshold { baseline, .. }) => {
            People::Thresholds(trials.thresholds(baseline.is_some())?)
        }
        (Some(trials), _) => People::Panel(trials.panel(&lookup, &truth, &labels)?.0),
    };
    Ok((stimuli, Behavior { metric, labels, tested, truth, choices, people }))
}

struct Task<'a> {
    card: &'a BenchmarkCard,
    options: BehaviorCard,
    roots: &'a Roots<'a>,
}

impl Task<'_> {
    fn name(&self) -> MetricName {
        self.card.metric.name
    }

    /// Sections that the metric needs, and those that it has no use for.
    fn check(&self) -> Result<()> {
        use MetricName as M;
        let (card, name) = (self.card, self.name());
        let similarity = name == M::OddOneOut;
        let people = !matches!(name, M::Accuracy | M::ShapeBias);
        let sections = [
            ("trials", card.trials.is_some(), people, people),
            ("assembly", card.assembly != AssemblyCard::absent(), false, false),
            ("neuroids", card.neuroids != NeuroidsCard::default(), false, false),
            ("time", card.time.is_some(), false, false),
            ("pca", card.pca.is_some(), false, false),
            ("pools", card.pools.is_some(), false, false),
            ("repeats", card.repeats.is_some(), false, false),
            ("subjects", card.subjects.is_some(), false, false),
            ("decisions", card.decisions.is_some(), false, !similarity && pattern(name).is_none()),
            ("decoder", card.decoder.is_some(), false, !similarity),
        ];
        for (section, given, needed, allowed) in sections {
            if needed && !given {
                return Err(self.field(section, &format!("is missing; the metric `{name}` needs it")));
            }
            if given && !allowed {
                return Err(
                    self.field(section, &format!("has no meaning for the metric `{name}`; remove it"))
                );
            }
        }
        if card.decisions.is_some() && card.decoder.is_some() {
            return Err(self.field("decisions", "and [decoder] exclude each other: how does a model choose?"));
        }
        self.check_fields()
    }

    /// Fields of `[behavior]` and `[trials]` that the metric has no use for, and values that mean nothing.
    fn check_fields(&self) -> Result<()> {
        use MetricName as M;
        let (options, name) = (&self.options, self.name());
        let trials = self.card.trials.clone().unwrap_or_default();
        let (similarity, pattern) = (name == M::OddOneOut, pattern(name).is_some());
        let threshold = matches!(name, M::Threshold | M::ThresholdElevation);
        let by_stimulus = !similarity && !threshold;
        let given = [
            ("behavior.by_condition", options.by_condition, name == M::AccuracyDistance),
            ("behavior.texture", options.texture.is_some(), name == M::ShapeBias),
            ("behavior.similarity", options.similarity.is_some(), similarity),
            ("behavior.scale", options.scale.is_some(), name == M::ValueDelta),
            ("behavior.variable", options.variable.is_some(), threshold),
            ("behavior.baseline", options.baseline.is_some(), name == M::ThresholdElevation),
            ("behavior.level", options.level.is_some(), threshold),
            ("behavior.scoring", options.scoring.is_some(), threshold),
            ("trials.stimulus", trials.stimulus.is_some(), by_stimulus),
            ("trials.skip", trials.skip.is_some(), by_stimulus),
            ("trials.choice", trials.choice.is_some(), by_stimulus),
            ("trials.subject", trials.subject.is_some(), by_stimulus && !pattern),
            ("trials.objects", trials.objects.is_some(), pattern),
            ("trials.triplet", trials.triplet.is_some(), similarity),
            ("trials.threshold", trials.threshold.is_some(), threshold),
            ("trials.baseline", trials.baseline.is_some(), name == M::ThresholdElevation),
        ];
        if let Some((field, ..)) = given.iter().find(|(_, given, allowed)| *given && !allowed) {
            return Err(self.field(field, &format!("has no meaning for the metric `{name}`; remove it")));
        }
        if options.by_condition && trials.condition.is_none() {
            let problem = "is missing; behavior.by_condition needs the column with the condition";
            return Err(self.field("trials.condition", problem));
        }
        if let Some(scale) = options.scale.filter(|scale| !(scale.is_finite() && *scale > 0.0)) {
            let problem = format!("is {scale}; give a number above zero");
            return Err(self.field("behavior.scale", &problem));
        }
        if let Some(level) = options.level.filter(|level| !(*level > GUESS_RATE && *level < 1.0)) {
            let problem = format!(
                "is {level}; give a share of right answers between {GUESS_RATE} (a guess) and 1, both excluded"
            );
            return Err(self.field("behavior.level", &problem));
        }
        Ok(())
    }

    fn field(&self, field: &str, problem: &str) -> Error {
        self.roots.field(field, problem)
    }

    fn labels_of(&self, stimuli: &StimulusSet, field: &str, column: &str) -> Result<Vec<String>> {
        stimuli.labels(column).ok_or_else(|| {
            let problem =
                format!("the stimuli have no column `{column}`; they have: {}", stimuli.table.names());
            self.field(field, &problem)
        })
    }

    /// Whether a decoder learns from each stimulus.
    fn fit(&self, stimuli: &StimulusSet) -> Result<Vec<bool>> {
        const MAX_SHOWN: usize = 10;
        let Some(decoder) = &self.card.decoder else { return Ok(vec![false; stimuli.len()]) };
        let values = self.labels_of(stimuli, "decoder.column", &decoder.column)?;
        let fit: Vec<bool> = values.iter().map(|value| *value == decoder.fit).collect();
        if !fit.contains(&true) {
            let found: BTreeSet<&str> = values.iter().map(String::as_str).collect();
            let shown = found.iter().take(MAX_SHOWN).copied().collect::<Vec<_>>().join(", ");
            let more = if found.len() > MAX_SHOWN { ", ..." } else { "" };
            let (value, column) = (&decoder.fit, &decoder.column);
            let problem =
                format!("is `{value}`, which no stimulus has in `{column}`; there are: {shown}{more}");
            return Err(self.field("decoder.fit", &problem));
        }
        Ok(fit)
    }

    /// The stimuli that are learnt from or judged, and the rows to learn from.
    fn used(
        &self,
        stimuli: StimulusSet,
        trials: Option<&Trials<'_>>,
    ) -> Result<(StimulusSet, BTreeSet<usize>)> {
        let fit = self.fit(&stimuli)?;
        let by_stimulus = !matches!(
            self.name(),
            MetricName::Threshold | MetricName::ThresholdElevation | MetricName::OddOneOut
        );
        let mut judged = fit.iter().map(|fit| !fit).collect::<Vec<bool>>();
        if let (Some(trials), true) = (trials, by_stimulus) {
            let rows: Vec<usize> = (0..stimuli.len()).filter(|&row| !fit[row]).collect();
            let lookup = Lookup::of(&stimuli, &rows);
            let named = trials.named()?;
            judged = vec![false; stimuli.len()];
            named
                .iter()
                .filter_map(|name| lookup.get(name))
                .for_each(|position| judged[rows[position]] = true);
            let unused: Vec<usize> = rows.iter().copied().filter(|&row| !judged[row]).collect();
            if let (Some(&first), false) = (unused.first(), self.card.stimuli.allow_unused) {
                return Err(Error::Missing {
                    path: self.roots.card.to_path_buf(),
                    what: "stimuli",
                    other: "the trials (see trials.stimulus and trials.skip, or set stimuli.allow_unused)"
                        .into(),
                    missing: unused.len(),
                    total: rows.len(),
                    first: stimuli.ids[first].clone(),
                    there: named
                        .iter()
                        .find(|name| lookup.get(name).is_none())
                        .map(|name| name.as_str().into()),
                });
            }
        }
        let keep: Vec<usize> = (0..stimuli.len()).filter(|&row| fit[row] || judged[row]).collect();
        if keep.iter().all(|&row| fit[row]) {
            return Err(self.field("stimuli", "are all for the decoder to learn from; none is left to test"));
        }
        let fit = keep.iter().enumerate().filter(|(_, row)| fit[**row]).map(|(new, _)| new).collect();
        let stimuli = stimuli
            .select(&keep)
            .ok_or_else(|| self.field("stimuli", "refer to images that do not exist"))?;
        Ok((stimuli, fit))
    }

    fn truth(&self, stimuli: &StimulusSet) -> Result<Option<Vec<String>>> {
        match &self.options.truth {
            Some(column) => self.labels_of(stimuli, "behavior.truth", column).map(Some),
            None if self.name() == MetricName::OddOneOut => Ok(None),
            None => Err(self
                .field("behavior.truth", "is missing; name the column of the stimuli with the true label")),
        }
    }

    fn choices(&self, labels: &[String], fit: Vec<usize>, fit_labels: Vec<usize>) -> Result<Choices> {
        if let Some(decoder) = &self.card.decoder {
            let c = decoder.c.unwrap_or(LOGISTIC_C);
            if !(c > 0.0 && c.is_finite()) {
                return Err(self.field("decoder.c", &format!("{c} is not a number above zero")));
            }
            if labels.len() < 2 {
                return Err(
                    self.field("behavior.truth", "has one value for all stimuli; there is nothing to choose")
                );
            }
            return Ok(Choices::Decoder { fit, labels: fit_labels, c });
        }
        let Some(section) = &self.card.decisions else {
            let similarity = self.name() == MetricName::OddOneOut;
            return Ok(if similarity { Choices::Similarity } else { Choices::Given });
        };
        let classes = section.classes.unwrap_or(IMAGENET_CLASSES);
        if classes == 0 {
            return Err(self.field("decisions.classes", "is 0; give the number of classes of the readout"));
        }
        let path = self.roots.path("decisions", &section.file, &section.data)?;
        let table = read_table(&path)?;
        let column = |name: &str| {
            table.column(name).ok_or_else(|| {
                Error::field(&path, name, format!("no such column; the table has: {}", table.names()))
            })
        };
        let Values::Integer(indices) = column("index")? else {
            return Err(Error::field(&path, "index", "must hold whole numbers"));
        };
        let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (&index, category) in indices.iter().zip(column("category")?.to_text()) {
            let class = usize::try_from(index).ok().filter(|&class| class < classes);
            let problem = || format!("{index} is none of the classes 0 to {}", classes - 1);
            members
                .entry(category)
                .or_default()
                .push(class.ok_or_else(|| Error::field(&path, "index", problem()))?);
        }
        let of_label = |label: &String| {
            let problem = || format!("no class belongs to the label `{label}`; add one");
            members.get(label).cloned().ok_or_else(|| Error::field(&path, "category", problem()))
        };
        let categories = labels.iter().map(of_label).collect::<Result<_>>()?;
        Ok(Choices::Categories { map: CategoryMap { classes, categories }, rule: section.rule })
    }

    fn metric(&self, stimuli: &StimulusSet, tested: &[usize], labels: &[String]) -> Result<BehaviorMetric> {
        let options = &self.options;
        let pick =
            |values: Vec<String>| tested.iter().map(|&row| values[row].clone()).collect::<Vec<String>>();
        Ok(match self.name() {
            MetricName::AccuracyDistance => {
                BehaviorMetric::AccuracyDistance { by_condition: options.by_condition }
            }
            MetricName::ErrorConsistency => BehaviorMetric::ErrorConsistency,
            MetricName::ConfusionSimilarity => BehaviorMetric::ConfusionSimilarity,
            MetricName::OddOneOut => BehaviorMetric::OddOneOut(options.similarity.unwrap_or(Similarity::Dot)),
            MetricName::ValueDelta => BehaviorMetric::ValueDelta { scale: options.scale.unwrap_or(1.0) },
            MetricName::ShapeBias => {
                let problem = "is missing; name the column of the stimuli with the category of the texture";
                let column =
                    options.texture.as_ref().ok_or_else(|| self.field("behavior.texture", problem))?;
                let names = pick(self.labels_of(stimuli, "behavior.texture", column)?);
                let label = |name: &String| {
                    let problem = format!("`{name}` is no true label");
                    labels.binary_search(name).map_err(|_| self.field("behavior.texture", &problem))
                };
                BehaviorMetric::ShapeBias { texture: names.iter().map(label).collect::<Result<_>>()? }
            }
            name @ (MetricName::Threshold | MetricName::ThresholdElevation) => {
                let problem = "is missing; name the column of the stimuli with the variable";
                let column =
                    options.variable.as_ref().ok_or_else(|| self.field("behavior.variable", problem))?;
                let number = |text: String| {
                    let found = text.parse::<f64>().ok().filter(|v| v.is_finite());
                    found.ok_or_else(|| self.field("behavior.variable", &format!("`{text}` is not a number")))
                };
                let variable = pick(self.labels_of(stimuli, "behavior.variable", column)?);
                let baseline = match (&options.baseline, name) {
                    (Some([column, value]), _) => {
                        let values = pick(self.labels_of(stimuli, "behavior.baseline", column)?);
                        let flags: Vec<bool> = values.iter().map(|v| v == value).collect();
                        if flags.iter().all(|f| *f) || !flags.contains(&true) {
                            let problem = "does not tell baseline and other stimuli apart";
                            return Err(self.field("behavior.baseline", problem));
                        }
                        Some(flags)
                    }
                    (None, MetricName::Threshold) => None,
                    (None, _) => {
                        return Err(self.field("behavior.baseline", "is missing; give column and value"));
                    }
                };
                BehaviorMetric::Threshold {
                    variable: variable.into_iter().map(number).collect::<Result<_>>()?,
                    baseline,
                    level: options.level,
                    scoring: options.scoring.unwrap_or(ThresholdScoring::Pool),
                }
            }
            name => pattern(name).map_or(BehaviorMetric::Accuracy, BehaviorMetric::Pattern),
        })
    }
}

/// How well people predict each other.
pub(in super::super) fn ceiling(target: &Target, roots: &Roots<'_>) -> Result<CeilingEstimate> {
    let Target::Behavior(behavior) = target else {
        return Err(roots.field("ceiling.source", "is `people`, but nobody's behaviour is in this benchmark"));
    };
    let failed = |e| Error::metric(roots.card, "ceiling", e);
    let column = |values: Vec<f64>| Array2::from_shape_fn((values.len(), 1), |(i, _)| values[i]);
    let values = match (&behavior.metric, &behavior.people) {
        (BehaviorMetric::ErrorConsistency, People::Panel(panel)) => panel.error_consistency_ceiling(),
        (BehaviorMetric::AccuracyDistance { by_condition }, People::Panel(panel)) => {
            panel.accuracy_distance_ceiling(*by_condition)
        }
        (BehaviorMetric::Pattern(pattern), People::Choices(choices)) => choices.ceiling(*pattern).map(column),
        (BehaviorMetric::Threshold { scoring, .. }, People::Thresholds(people)) => {
            threshold_ceiling(people, *scoring).map(column)
        }
        _ => {
            let problem =
                "is `people`, but this metric has no ceiling from people; give a number (`given`) or `none`";
            return Err(roots.field("ceiling.source", problem));
        }
    };
    let values = values.map_err(failed)?;
    let per_split = match &behavior.metric {
        BehaviorMetric::Pattern(_) => values.column(0).to_vec(),
        _ => Vec::new(),
    };
    let score = SplitScores { values, alphas: Vec::new() }.summary(behavior.metric.summary());
    Ok(CeilingEstimate {
        value: score.value,
        error: Some(score.error),
        per_neuroid: Vec::new(),
        lower: None,
        per_split,
    })
}
