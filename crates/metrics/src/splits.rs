//! Cross-validation splits, equal to scikit-learn's index by index (spec §1.5, §1.6).

use std::collections::BTreeMap;

use crate::{Error, RandomState};

/// The most splits that may be asked for at once.
pub const MAX_SPLITS: usize = 100_000;
/// The fewest stimuli that a correlation over them may have: two points always lie on a line, so that r is 1 or -1 whatever they are.
pub const MIN_TEST_STIMULI: usize = 3;

/// Rows of the stimuli to fit on and to test on, in the order the generator emitted them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Split {
    /// Rows to fit on.
    pub train: Vec<usize>,
    /// Rows to test on.
    pub test: Vec<usize>,
}

/// Which of the two shares of a random split is given; the other one takes the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Share {
    /// Share of the rows to fit on, rounded down.
    Train(f64),
    /// Share of the rows to test on, rounded up.
    Test(f64),
}

impl From<f64> for Share {
    /// A share to fit on.
    fn from(train_size: f64) -> Self {
        Self::Train(train_size)
    }
}

/// Number of training and test rows.
fn sizes(n: usize, splits: usize, share: Share) -> Result<(usize, usize), Error> {
    let (name, value) = match share {
        Share::Train(value) => ("train_size", value),
        Share::Test(value) => ("test_size", value),
    };
    if !(value > 0.0 && value < 1.0) {
        return Err(Error::Parameter {
            name,
            value: value.to_string(),
            allowed: "must be larger than 0 and smaller than 1",
        });
    }
    if splits == 0 {
        return Err(Error::TooFew { what: "splits", needed: 1, found: 0 });
    }
    if splits > MAX_SPLITS {
        return Err(Error::TooMany { what: "splits", limit: MAX_SPLITS, found: splits });
    }
    let train = match share {
        Share::Train(value) => (value * n as f64).floor() as usize,
        Share::Test(value) => n.saturating_sub((value * n as f64).ceil() as usize),
    };
    let test = n.saturating_sub(train);
    if train == 0 {
        return Err(Error::TooFew { what: "stimuli to fit on in a split", needed: 1, found: 0 });
    }
    if test == 0 {
        return Err(Error::TooFew { what: "stimuli to test on in a split", needed: 1, found: 0 });
    }
    Ok((train, test))
}

/// Random splits of `n` rows (scikit-learn `ShuffleSplit(splits, train_size=share, random_state=seed)`, or `test_size`).
///
/// # Errors
/// A share outside of (0, 1), no or more than [`MAX_SPLITS`] splits, or a split with an empty half.
pub fn shuffle_split(
    n: usize,
    splits: usize,
    share: impl Into<Share>,
    seed: u32,
) -> Result<Vec<Split>, Error> {
    let (_, n_test) = sizes(n, splits, share.into())?;
    let mut rng = RandomState::new(seed);
    let split = |_| {
        let mut test = rng.permutation(n);
        let train = test.split_off(n_test);
        Split { train, test }
    };
    Ok((0..splits).map(split).collect())
}

/// Rows of each class in ascending order; classes sorted by label (code point order, as `numpy.unique`).
fn class_rows(labels: &[String]) -> BTreeMap<&str, Vec<usize>> {
    let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(row);
    }
    classes
}

/// How many of `draws` fall on each class: the mode of the multivariate hypergeometric, ties broken by the generator
/// (scikit-learn `_approximate_mode`). The order of operations decides which remainders are equal, so it is kept.
fn approximate_mode(counts: &[usize], draws: usize, rng: &mut RandomState) -> Result<Vec<usize>, Error> {
    let total = counts.iter().sum::<usize>() as f64;
    let continuous: Vec<f64> = counts.iter().map(|&c| c as f64 / total * draws as f64).collect();
    let mut chosen: Vec<usize> = continuous.iter().map(|c| c.floor() as usize).collect();
    let mut missing = draws.saturating_sub(chosen.iter().sum());
    let remainders: Vec<f64> = continuous.iter().map(|c| c - c.floor()).collect();
    let mut distinct = remainders.clone();
    distinct.sort_by(|a, b| b.total_cmp(a));
    distinct.dedup();
    for value in distinct {
        if missing == 0 {
            break;
        }
        let tied: Vec<usize> = (0..counts.len()).filter(|&i| remainders[i] == value).collect();
        // Consumes a permutation even when every tied class gets one more.
        for class in rng.choice(&tied, tied.len().min(missing))? {
            chosen[class] += 1;
            missing -= 1;
        }
    }
    Ok(chosen)
}

/// `rng.permutation(rows)` of numpy.
fn permuted(mut rows: Vec<usize>, rng: &mut RandomState) -> Vec<usize> {
    rng.shuffle(&mut rows);
    rows
}

fn one_stratified_split(
    classes: &[Vec<usize>],
    n_train: usize,
    n_test: usize,
    rng: &mut RandomState,
) -> Result<Split, Error> {
    let counts: Vec<usize> = classes.iter().map(Vec::len).collect();
    let train_counts = approximate_mode(&counts, n_train, rng)?;
    let remaining: Vec<usize> = counts.iter().zip(&train_counts).map(|(c, t)| c.saturating_sub(*t)).collect();
    let test_counts = approximate_mode(&remaining, n_test, rng)?;
    let (mut train, mut test) = (Vec::with_capacity(n_train), Vec::with_capacity(n_test));
    for (rows, (n_i, t_i)) in classes.iter().zip(train_counts.into_iter().zip(test_counts)) {
        let mut order = rng.permutation(rows.len()).into_iter().map(|i| rows[i]);
        train.extend(order.by_ref().take(n_i));
        test.extend(order.take(t_i));
    }
    Ok(Split { train: permuted(train, rng), test: permuted(test, rng) })
}

/// Random splits in which each label keeps its share
/// (scikit-learn `StratifiedShuffleSplit(splits, train_size=share, random_state=seed)`, or `test_size`).
///
/// # Errors
/// Those of [`shuffle_split`]; [`Error::ClassTooSmall`] for a label with a single row;
/// [`Error::TooFew`] if one half has fewer rows than there are labels.
pub fn stratified_shuffle_split(
    labels: &[String],
    splits: usize,
    share: impl Into<Share>,
    seed: u32,
) -> Result<Vec<Split>, Error> {
    let (n_train, n_test) = sizes(labels.len(), splits, share.into())?;
    let classes = class_rows(labels);
    if let Some((class, rows)) = classes.iter().find(|(_, rows)| rows.len() < 2) {
        return Err(Error::ClassTooSmall { class: (*class).to_owned(), members: rows.len() });
    }
    let needed = classes.len();
    if n_train < needed {
        return Err(Error::TooFew {
            what: "stimuli to fit on in a stratified split (one per class)",
            needed,
            found: n_train,
        });
    }
    if n_test < needed {
        return Err(Error::TooFew {
            what: "stimuli to test on in a stratified split (one per class)",
            needed,
            found: n_test,
        });
    }
    let classes: Vec<Vec<usize>> = classes.into_values().collect();
    let mut rng = RandomState::new(seed);
    (0..splits).map(|_| one_stratified_split(&classes, n_train, n_test, &mut rng)).collect()
}
