//! Benchmarks of behaviour: what models are asked, and what people said.

mod card;
mod load;
mod people;
mod rows;

use ventral_metrics::{
    CategoryMap, CategoryRule, ChoiceTrials, Panel, Pattern, Similarity, Summary, ThresholdScoring, Triplet,
};

pub use card::{BehaviorCard, DecisionsCard, DecoderCard, TrialsCard};
pub(super) use load::{ceiling, is_behavioral, load};

/// What is measured on choices.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub enum BehaviorMetric {
    /// Share of right choices.
    Accuracy,
    /// Nearness of the share of right choices to that of people.
    AccuracyDistance {
        /// Within each condition, then the mean.
        by_condition: bool,
    },
    /// Cohen's kappa of errors with each person.
    ErrorConsistency,
    /// Correlation of confusions with those of people.
    ConfusionSimilarity,
    /// Share of shape among choices for shape or texture.
    ShapeBias {
        /// Category of the texture of each tested stimulus.
        texture: Vec<usize>,
    },
    /// Agreement on the odd one of three.
    OddOneOut(Similarity),
    /// exp(-scale |share of right choices - that of people|).
    ValueDelta {
        /// Scale.
        scale: f64,
    },
    /// Nearness of the threshold to that of people.
    Threshold {
        /// Variable of each tested stimulus.
        variable: Vec<f64>,
        /// Tested stimuli that give the baseline; none unless it is the elevation that counts.
        baseline: Option<Vec<bool>>,
        /// Share of right choices at the threshold; half way along the curve unless given.
        level: Option<f64>,
        /// How it is compared.
        scoring: ThresholdScoring,
    },
    /// Correlation of patterns of d'.
    Pattern(Pattern),
}

impl BehaviorMetric {
    /// How its values become one score.
    pub fn summary(&self) -> Summary {
        match self {
            Self::ErrorConsistency | Self::AccuracyDistance { .. } => Summary::AbsoluteMean,
            // Images are the sample.
            Self::Accuracy => Summary::Sample,
            _ => Summary::Mean,
        }
    }
}

/// How a model chooses.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub enum Choices {
    /// The category with the highest score among the classes of its readout.
    Categories {
        /// Which classes belong to which label.
        map: CategoryMap,
        /// How they are combined.
        rule: CategoryRule,
    },
    /// Logistic regression on its readout.
    Decoder {
        /// Stimuli to learn from.
        fit: Vec<usize>,
        /// Their labels.
        labels: Vec<usize>,
        /// Inverse strength of the penalty.
        c: f64,
    },
    /// By the similarity of readouts alone.
    Similarity,
    /// As its given probabilities say: a model without them is not scored.
    Given,
}

/// What people did.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub enum People {
    /// Nothing that is needed.
    Nobody,
    /// They named what they saw.
    Panel(Panel),
    /// They chose between two objects.
    Choices(ChoiceTrials),
    /// They found the odd one of three.
    Triplets(Vec<Triplet>),
    /// They have thresholds.
    Thresholds(Vec<f64>),
}

/// A task for models and people.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Behavior {
    /// What is measured.
    pub metric: BehaviorMetric,
    /// Labels that can be chosen, ascending.
    pub labels: Vec<String>,
    /// Stimuli that are tested, by their row.
    pub tested: Vec<usize>,
    /// Position among the labels of what is shown, per tested stimulus; empty if nothing can be right.
    pub truth: Vec<usize>,
    /// How a model chooses.
    pub choices: Choices,
    /// What people did; stimuli are positions among the tested ones.
    pub people: People,
}

impl Behavior {
    /// What is peculiar about it.
    pub(super) fn note(&self) -> Option<String> {
        let note =
            "there is neither [decisions] nor [decoder]: only models with given probabilities are scored";
        (self.choices == Choices::Given).then(|| note.to_owned())
    }

    /// How many answers of people there are, or of stimuli without people.
    pub fn size(&self) -> usize {
        match &self.people {
            People::Nobody => self.tested.len(),
            People::Panel(panel) => panel.subjects.iter().map(Vec::len).sum(),
            People::Choices(choices) => choices.trials.len(),
            People::Triplets(triplets) => triplets.len(),
            People::Thresholds(thresholds) => thresholds.len(),
        }
    }
}
