//! What people did, matched with the stimuli.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ventral_metrics::{ChoiceTrial, ChoiceTrials, Judgement, Panel, Triplet};

use super::super::locate::Roots;
use super::TrialsCard;
use crate::error::{Error, Result};
use crate::stimuli::StimulusSet;
use crate::table::{Table, Values};

/// All trials, with the names of columns resolved.
pub(super) struct Trials<'a> {
    card: &'a TrialsCard,
    roots: &'a Roots<'a>,
    tables: Vec<Table>,
}

impl<'a> Trials<'a> {
    pub(super) fn read(card: &'a TrialsCard, roots: &'a Roots<'a>) -> Result<Self> {
        Ok(Self { card, roots, tables: super::rows::read(card, roots)? })
    }

    fn columns(&self, field: &str, name: &str) -> Result<Vec<&Values>> {
        let of = |table: &'_ Table| {
            let problem = format!("there is no column `{name}`; there are: {}", table.names());
            self.roots.field(&format!("trials.{field}"), &problem)
        };
        self.tables.iter().map(|table| table.column(name).ok_or_else(|| of(table))).collect()
    }

    fn text(&self, field: &str, name: &str) -> Result<Vec<String>> {
        Ok(self.columns(field, name)?.into_iter().flat_map(Values::to_text).collect())
    }

    /// Numbers of the rows that count.
    fn numbers(&self, field: &str, name: &str, counts: &[bool]) -> Result<Vec<f64>> {
        let mut all = Vec::new();
        for values in self.columns(field, name)? {
            match values {
                Values::Real(v) => all.extend(v.iter().copied()),
                Values::Integer(v) => all.extend(v.iter().map(|&x| x as f64)),
                _ => {
                    return Err(self
                        .roots
                        .field(&format!("trials.{field}"), &format!("`{name}` holds no numbers")));
                }
            }
        }
        let mut rows = counts.iter();
        all.retain(|_| rows.next().is_some_and(|counts| *counts));
        match all.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
            Some(bad) => Err(self.roots.field(
                &format!("trials.{field}"),
                &format!("`{name}` holds {bad}; thresholds are above zero"),
            )),
            None => Ok(all),
        }
    }

    fn stimulus_column(&self) -> &str {
        self.card.stimulus.as_deref().unwrap_or("stimulus_id")
    }

    /// Identifier or file name of the stimulus of each row.
    fn stimuli(&self) -> Result<Vec<String>> {
        let skip = self.card.skip.unwrap_or(0);
        let cut = |text: String| match text.splitn(skip + 1, '_').nth(skip) {
            Some(rest) => Ok(rest.to_owned()),
            None => {
                Err(self.roots.field("trials.skip", &format!("`{text}` has fewer than {skip} underscores")))
            }
        };
        self.text("stimulus", self.stimulus_column())?.into_iter().map(cut).collect()
    }

    /// Rows that count: those of conditions that are not left out, and the condition of each row.
    fn conditions(&self) -> Result<(Vec<String>, Vec<bool>)> {
        let rows = self.tables.iter().map(Table::len).sum();
        let Some(column) = &self.card.condition else {
            if !self.card.exclude.is_empty() {
                return Err(self
                    .roots
                    .field("trials.exclude", "names conditions, but no column of conditions is given"));
            }
            return Ok((vec![String::new(); rows], vec![true; rows]));
        };
        let found = self.text("condition", column)?;
        if let Some(absent) = self.card.exclude.iter().find(|c| !found.contains(c)) {
            let known: BTreeSet<&String> = found.iter().collect();
            let problem = format!("there is no condition `{absent}`; there are: {known:?}");
            return Err(self.roots.field("trials.exclude", &problem));
        }
        let counts = found.iter().map(|c| !self.card.exclude.contains(c)).collect();
        Ok((found, counts))
    }

    /// Stimuli that are judged in conditions that count, as the trials name them.
    pub(super) fn named(&self) -> Result<BTreeSet<String>> {
        let (_, counts) = self.conditions()?;
        let stimuli = self.stimuli()?.into_iter().zip(counts);
        Ok(stimuli.filter_map(|(name, counts)| counts.then_some(name)).collect())
    }

    /// Judgements of a panel; stimuli are positions in `lookup`.
    pub(super) fn panel(
        &self,
        lookup: &Lookup,
        truth: &[usize],
        labels: &[String],
    ) -> Result<(Panel, Vec<String>)> {
        let (condition, counts) = self.conditions()?;
        let stimuli = self.stimuli()?;
        let choices = self.text("choice", self.card.choice.as_deref().unwrap_or("choice"))?;
        let subjects = self.text("subject", self.card.subject.as_deref().unwrap_or("subject"))?;
        let names: Vec<String> =
            condition.iter().zip(&counts).filter(|(_, counts)| **counts).map(|(c, _)| c.clone()).collect();
        let names: Vec<String> = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let positions: HashMap<&String, usize> = names.iter().enumerate().map(|(i, c)| (c, i)).collect();
        let known: HashMap<&String, usize> = labels.iter().enumerate().map(|(i, l)| (l, i)).collect();
        let mut panel: BTreeMap<&String, Vec<Judgement>> = BTreeMap::new();
        for row in (0..stimuli.len()).filter(|&row| counts[row]) {
            let stimulus = lookup.find(&stimuli[row], self.roots)?;
            let choice = known.get(&choices[row]).copied();
            let condition = positions.get(&condition[row]).copied().unwrap_or(0);
            panel.entry(&subjects[row]).or_default().push(Judgement {
                stimulus,
                condition,
                truth: truth[stimulus],
                choice,
            });
        }
        let conditions = names.len();
        Ok((Panel { subjects: panel.into_values().collect(), conditions }, names))
    }

    /// Choices between two objects.
    pub(super) fn choices(
        &self,
        lookup: &Lookup,
        truth: &[usize],
        labels: &[String],
    ) -> Result<ChoiceTrials> {
        let names = self.card.objects.clone().unwrap_or_else(|| ["sample_obj".into(), "dist_obj".into()]);
        let (_, counts) = self.conditions()?;
        let stimuli = self.stimuli()?;
        let samples = self.text("objects", &names[0])?;
        let distractors = self.text("objects", &names[1])?;
        let choices = self.text("choice", self.card.choice.as_deref().unwrap_or("choice"))?;
        let object = |name: &String| {
            let problem =
                || format!("`{name}` is no true label of a stimulus; the labels are: {}", labels.join(", "));
            labels.binary_search(name).map_err(|_| self.roots.field("trials", &problem()))
        };
        let refuse = |field: &str, row: usize, problem: String| {
            self.roots.field(&format!("trials.{field}"), &format!("row {} {problem}", row + 1))
        };
        let mut trials = Vec::new();
        for row in (0..stimuli.len()).filter(|&row| counts[row]) {
            if ![&samples[row], &distractors[row]].contains(&&choices[row]) {
                let problem = format!(
                    "has the choice `{}`, which is neither `{}` nor `{}`; correct or exclude it",
                    choices[row], samples[row], distractors[row]
                );
                return Err(refuse("choice", row, problem));
            }
            let trial = ChoiceTrial {
                image: lookup.find(&stimuli[row], self.roots)?,
                sample: object(&samples[row])?,
                distractor: object(&distractors[row])?,
                choice: object(&choices[row])?,
            };
            if truth[trial.image] != trial.sample {
                let problem =
                    format!("shows `{}`, the stimulus is `{}`", samples[row], labels[truth[trial.image]]);
                return Err(refuse("objects", row, problem));
            }
            if trial.distractor == trial.sample {
                let problem = format!("has `{}` as both objects; correct or exclude it", samples[row]);
                return Err(refuse("objects", row, problem));
            }
            trials.push(trial);
        }
        Ok(ChoiceTrials { truth: truth.to_vec(), objects: labels.len(), trials })
    }

    pub(super) fn triplets(&self, lookup: &Lookup) -> Result<Vec<Triplet>> {
        let names = self.card.triplet.clone().unwrap_or_else(|| ["odd".into(), "a".into(), "b".into()]);
        let [odd, a, b] = [0, 1, 2].map(|i| self.text("triplet", &names[i]));
        let (odd, a, b) = (odd?, a?, b?);
        let (_, counts) = self.conditions()?;
        let at = |name: &String| lookup.find(name, self.roots);
        let rows = (0..odd.len()).filter(|&row| counts[row]);
        rows.map(|i| Ok(Triplet { odd: at(&odd[i])?, alike: [at(&a[i])?, at(&b[i])?] })).collect()
    }

    /// Thresholds of people, or with `elevation` how many times that without flankers.
    pub(super) fn thresholds(&self, elevation: bool) -> Result<Vec<f64>> {
        let (_, counts) = self.conditions()?;
        let column = self.card.threshold.as_deref().unwrap_or("threshold");
        let thresholds = self.numbers("threshold", column, &counts)?;
        if !elevation {
            return Ok(thresholds);
        }
        let column = self.card.baseline.as_deref().unwrap_or("baseline");
        let baselines = self.numbers("baseline", column, &counts)?;
        Ok(thresholds.iter().zip(baselines).map(|(threshold, baseline)| threshold / baseline).collect())
    }
}

/// Positions of stimuli by identifier, by file name, and by file name without folders; with and without extension.
pub(super) struct Lookup(HashMap<String, Option<usize>>);

impl Lookup {
    pub(super) fn of(stimuli: &StimulusSet, rows: &[usize]) -> Self {
        let files = stimuli.labels("filename");
        let mut found: HashMap<String, Option<usize>> = HashMap::new();
        for (position, &row) in rows.iter().enumerate() {
            let mut names = BTreeSet::from([stimuli.ids[row].clone()]);
            let file = files.as_ref().map(|files| files[row].clone());
            for name in [Some(stimuli.ids[row].clone()), file].into_iter().flatten() {
                let last = name.rsplit('/').next().unwrap_or_default().to_owned();
                names.extend([name, last]);
            }
            for name in names {
                // A name of two stimuli is a name of neither.
                found.entry(name).and_modify(|at| *at = None).or_insert(Some(position));
            }
        }
        // What an identifier names is never in doubt.
        for (position, &row) in rows.iter().enumerate() {
            found.insert(stimuli.ids[row].clone(), Some(position));
        }
        Self(found)
    }

    pub(super) fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied().flatten()
    }

    fn find(&self, name: &str, roots: &Roots<'_>) -> Result<usize> {
        self.get(name).ok_or_else(|| Error::Missing {
            path: roots.card.to_path_buf(),
            what: "stimuli of trials",
            other: "the tested stimuli (see trials.stimulus and trials.skip)".into(),
            missing: 1,
            total: self.0.len(),
            first: name.to_owned(),
            there: self.0.keys().min().map(|name| name.as_str().into()),
        })
    }
}
