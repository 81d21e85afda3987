//! Behaviour: a model's readout, read tile by tile, becomes choices, or is the model's answer; choices are compared with those of people.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use ventral_data::{Behavior, BehaviorMetric, Benchmark, Choices, People, Target};
use ventral_metrics::{
    Error as MetricError, Feature, GramBuilder, Panel, Precision, SplitScores, StandardisedGram,
    TileConsumer, accuracy, confusion, confusion_similarity, correct, first_largest, logistic_probabilities,
    odd_one_out, shape_bias, threshold, threshold_nearness, value_delta,
};

/// A readout while it is read.
pub struct ReadoutReader {
    benchmark: Arc<Benchmark>,
    readout: Readout,
}

enum Readout {
    /// Everything; the category map says how many columns there may be.
    Values(Vec<Array2<f64>>),
    /// Given probabilities; for each label of the benchmark, the column.
    Answers(Vec<Array2<f64>>, Vec<usize>),
    Standardised(StandardisedGram),
    Gram(GramBuilder),
}

/// What a model chose on every tested stimulus.
struct Chosen {
    labels: Vec<usize>,
    /// Stimulus x label, from a decoder.
    probabilities: Option<Array2<f64>>,
}

impl ReadoutReader {
    /// A reader for a benchmark of behaviour; `labels` are those of the features, where these are probabilities. It is one layer, so its
    /// products are in 64 bit whatever the job asks for.
    pub fn new(benchmark: Arc<Benchmark>, labels: &[String]) -> Result<Self, MetricError> {
        let (rows, precision) = (benchmark.rows(), Precision::F64);
        let behavior = task(&benchmark)?;
        let readout = match &behavior.choices {
            _ if !labels.is_empty() => Readout::Answers(Vec::new(), columns(behavior, labels)?),
            Choices::Categories { .. } => Readout::Values(Vec::new()),
            Choices::Decoder { fit, .. } => {
                Readout::Standardised(StandardisedGram::new(rows, fit, precision)?)
            }
            Choices::Similarity => Readout::Gram(GramBuilder::new(rows, precision)?),
            Choices::Given => {
                return Err(MetricError::Parameter {
                    name: "decoder",
                    value: "none".to_owned(),
                    allowed: "this benchmark has neither [decisions] nor [decoder], so it needs given probabilities \
                              ([probabilities] on the card of the model)",
                });
            }
        };
        Ok(Self { benchmark, readout })
    }

    /// Takes the next tile.
    pub fn push<T: Feature>(&mut self, first: u64, tile: ArrayView2<'_, T>) -> Result<(), MetricError> {
        match &mut self.readout {
            Readout::Standardised(gram) => gram.push(first, tile),
            Readout::Gram(gram) => gram.push(first, tile),
            Readout::Answers(tiles, _) => {
                tiles.push(tile.mapv(Into::into));
                Ok(())
            }
            Readout::Values(tiles) => {
                let Choices::Categories { map, .. } = &task(&self.benchmark)?.choices else { return Ok(()) };
                let found = first as usize + tile.ncols();
                if found > map.classes {
                    let what = "outputs of the readout layer, against classes of the category map";
                    return Err(MetricError::Mismatch { what, expected: map.classes, found });
                }
                tiles.push(tile.mapv(Into::into));
                Ok(())
            }
        }
    }

    /// The scores, once all tiles are there.
    pub fn finish(self) -> Result<SplitScores, MetricError> {
        let behavior = task(&self.benchmark)?;
        match (self.readout, &behavior.choices) {
            (Readout::Answers(tiles, columns), _) => {
                let all = joined(&tiles)?.select(Axis(1), &columns);
                let probabilities = all.select(Axis(0), &behavior.tested);
                let none = probabilities.rows().into_iter().position(|row| row.iter().all(|p| *p == 0.0));
                if let Some(position) = none {
                    let id = self.benchmark.ids.get(behavior.tested[position]).cloned().unwrap_or_default();
                    return Err(MetricError::Parameter {
                        name: "stimulus",
                        value: format!("`{id}`"),
                        allowed: "has no given probabilities; every stimulus that people judged needs them",
                    });
                }
                let labels = probabilities.rows().into_iter().map(|row| first_largest(row.iter().copied()));
                let labels = labels.collect();
                compare(behavior, &Chosen { labels, probabilities: Some(probabilities) })
            }
            (Readout::Values(tiles), Choices::Categories { map, rule }) => {
                let all = joined(&tiles)?;
                let labels = map.decide(all.select(Axis(0), &behavior.tested).view(), *rule)?;
                compare(behavior, &Chosen { labels, probabilities: None })
            }
            (Readout::Standardised(gram), Choices::Decoder { fit, labels, c }) => {
                let classes = behavior.labels.len();
                let gram = gram.finish()?;
                let found = logistic_probabilities(&gram, fit, labels, &behavior.tested, classes, *c)?;
                let rows = found.probabilities.rows().into_iter();
                let labels = rows.map(|row| first_largest(row.iter().copied())).collect();
                compare(behavior, &Chosen { labels, probabilities: Some(found.probabilities) })
            }
            (Readout::Gram(gram), Choices::Similarity) => match (&behavior.metric, &behavior.people) {
                (BehaviorMetric::OddOneOut(similarity), People::Triplets(triplets)) => {
                    Ok(plain(odd_one_out(&gram.finish()?.select(&behavior.tested)?, triplets, *similarity)?))
                }
                _ => Err(mismatch()),
            },
            _ => Err(mismatch()),
        }
    }
}

fn joined(tiles: &[Array2<f64>]) -> Result<Array2<f64>, MetricError> {
    let views: Vec<_> = tiles.iter().map(|tile| tile.view()).collect();
    concatenate(Axis(1), &views).map_err(|_| mismatch())
}

/// The column of each label of a benchmark among those of given probabilities.
fn columns(behavior: &Behavior, labels: &[String]) -> Result<Vec<usize>, MetricError> {
    let wrong =
        |value: &str, allowed| MetricError::Parameter { name: "label", value: format!("`{value}`"), allowed };
    if matches!(behavior.choices, Choices::Similarity) {
        return Err(MetricError::Parameter {
            name: "metric",
            value: "odd_one_out".to_owned(),
            allowed: "compares readouts of a model, which given probabilities are not",
        });
    }
    if let Some(other) = labels.iter().find(|label| !behavior.labels.contains(label)) {
        return Err(wrong(
            other,
            "is given probabilities, and no stimulus of the benchmark shows it (behavior.truth)",
        ));
    }
    let of = |label: &String| {
        let found = labels.iter().position(|given| given == label);
        found.ok_or_else(|| {
            wrong(label, "is shown by the benchmark (behavior.truth), and has no given probabilities")
        })
    };
    behavior.labels.iter().map(of).collect()
}

fn task(benchmark: &Benchmark) -> Result<&Behavior, MetricError> {
    match &benchmark.target {
        Target::Behavior(behavior) => Ok(behavior),
        _ => Err(mismatch()),
    }
}

fn mismatch() -> MetricError {
    MetricError::Parameter {
        name: "metric",
        value: "of behaviour".to_owned(),
        allowed: "needs a benchmark whose sections fit it; `ventral benchmarks check CARD` checks the card",
    }
}

fn plain(values: Array2<f64>) -> SplitScores {
    SplitScores { values, alphas: Vec::new() }
}

fn column(values: Vec<f64>) -> SplitScores {
    plain(Array2::from_shape_fn((values.len(), 1), |(i, _)| values[i]))
}

fn compare(behavior: &Behavior, chosen: &Chosen) -> Result<SplitScores, MetricError> {
    let right = || correct(&chosen.labels, &behavior.truth);
    let panel = || match &behavior.people {
        People::Panel(panel) => Ok(panel),
        _ => Err(mismatch()),
    };
    Ok(match (&behavior.metric, &behavior.people) {
        (BehaviorMetric::Accuracy, _) => plain(accuracy(&right()?)?),
        (BehaviorMetric::ErrorConsistency, _) => plain(panel()?.error_consistency(&right()?)?),
        (BehaviorMetric::AccuracyDistance { by_condition }, _) => {
            plain(panel()?.accuracy_distance(&right()?, *by_condition)?)
        }
        (BehaviorMetric::ConfusionSimilarity, _) => column(vec![confusions(behavior, chosen, panel()?)?]),
        (BehaviorMetric::ShapeBias { texture }, _) => {
            column(vec![shape_bias(&chosen.labels, &behavior.truth, texture)?])
        }
        (BehaviorMetric::ValueDelta { scale }, _) => {
            let own = accuracy(&right()?)?.mean().unwrap_or(f64::NAN);
            column(vec![value_delta(own, panel()?.mean_accuracy()?, *scale)])
        }
        (BehaviorMetric::Threshold { .. }, People::Thresholds(people)) => {
            column(of_threshold(&behavior.metric, &right()?, people)?)
        }
        (BehaviorMetric::Pattern(pattern), People::Choices(choices)) => {
            let probabilities = chosen.probabilities.as_ref().ok_or_else(mismatch)?;
            column(choices.score(probabilities.slice(s![.., ..]), *pattern)?)
        }
        _ => return Err(mismatch()),
    })
}

fn confusions(behavior: &Behavior, chosen: &Chosen, panel: &Panel) -> Result<f64, MetricError> {
    let labels = behavior.labels.len();
    let own: Vec<(usize, usize)> =
        behavior.truth.iter().copied().zip(chosen.labels.iter().copied()).collect();
    confusion_similarity(confusion(&own, labels)?.view(), confusion(&panel.answers(), labels)?.view())
}

/// 0 for a model without a threshold, as the reference scores it.
fn of_threshold(metric: &BehaviorMetric, right: &[bool], people: &[f64]) -> Result<Vec<f64>, MetricError> {
    let BehaviorMetric::Threshold { variable, baseline, level, scoring } = metric else {
        return Err(mismatch());
    };
    let of = |wanted: &dyn Fn(usize) -> bool, level| {
        let rows: Vec<usize> = (0..right.len()).filter(|&row| wanted(row)).collect();
        let x: Vec<f64> = rows.iter().map(|&row| variable[row]).collect();
        let y: Vec<bool> = rows.iter().map(|&row| right[row]).collect();
        threshold(&x, &y, level)
    };
    let found = match baseline {
        None => of(&|_| true, *level)?.map(|found| found.value),
        Some(baseline) => match of(&|row| baseline[row], *level)? {
            None => None,
            // The level of the baseline counts for both.
            Some(base) => of(&|row| !baseline[row], Some(base.level))?.map(|found| found.value / base.value),
        },
    };
    match found {
        Some(found) => threshold_nearness(found, people, *scoring),
        None => Ok(vec![0.0]),
    }
}
