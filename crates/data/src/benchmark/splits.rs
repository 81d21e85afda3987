//! Training and test sets of a benchmark (spec §1.5).

use std::collections::HashMap;
use std::path::Path;

use ndarray::{ArrayView1, ArrayView2};
use ventral_metrics::{MIN_TEST_STIMULI, Regression, Share, Split, shuffle_split, stratified_shuffle_split};

use super::card::{BenchmarkCard, SplitScheme, SplitsCard};
use super::locate::Roots;
use super::recording::neuroid_ids;
use super::resolve::Rows;
use super::{Metric, TimeMode};
use crate::assembly::STIMULUS_ID;
use crate::error::{Error, Result, other_side};
use crate::mat::{MatValue, numeric, read_mat, texts};
use crate::table::{Table, Values, read_table};

const DEFAULT_COUNT: usize = 10;
const DEFAULT_TRAIN_SIZE: f64 = 0.9;
const DEFAULT_SEED: u32 = 1;
/// Nothing can be fitted to fewer presentations.
const MIN_TRAIN: usize = 2;
/// Column of a CSV file of folds.
const FOLD: &str = "fold";

pub(super) fn resolve(
    card: &BenchmarkCard,
    roots: &Roots<'_>,
    rows: &Rows,
    presentation: Option<&Table>,
    metric: &Metric,
) -> Result<Vec<Split>> {
    let splits = &card.splits;
    let fitted = matches!(metric, Metric::Regression(_) | Metric::NeuronToNeuron | Metric::Reverse(_));
    // Similarities may be computed on the test presentations of splits.
    let optional = matches!(metric, Metric::Rdm | Metric::Cka(_));
    if !optional && fitted != (splits.scheme != SplitScheme::None) {
        let problem = if fitted {
            "is `none`, but the metric is fitted; give `shuffle`, `stratified` or `folds`"
        } else {
            "is given, but the metric is not fitted; remove [splits]"
        };
        return Err(roots.field("splits.scheme", problem));
    }
    check_fields(splits, roots)?;
    let found = match splits.scheme {
        SplitScheme::None if rows.ids.len() < MIN_TEST_STIMULI => {
            let problem = format!(
                "are {}, a correlation needs at least {MIN_TEST_STIMULI} (MIN_TEST_STIMULI); add some",
                rows.ids.len()
            );
            return Err(roots.field("stimuli", &problem));
        }
        SplitScheme::None => return Ok(Vec::new()),
        SplitScheme::Folds => folds(splits, roots, &rows.ids)?,
        SplitScheme::Fixed => vec![fixed(splits, roots, rows, presentation)?],
        SplitScheme::Shuffle | SplitScheme::Stratified => random(splits, roots, rows, presentation)?,
    };
    let few = |s: &Split| s.test.len() < MIN_TEST_STIMULI || (fitted && s.train.len() < MIN_TRAIN);
    match found.iter().position(few) {
        // A fit over time has several rows per presentation.
        None if card.time.as_ref().is_some_and(|time| time.mode == TimeMode::Span) => Ok(found),
        None => check_components(metric, &found, roots).map(|()| found),
        Some(index) => {
            let Split { train, test } = &found[index];
            let (n, train, test) = (rows.ids.len(), train.len(), test.len());
            let problem = format!(
                "split {index} of {n} presentations has {train} to train and {test} to test on; a fit needs {MIN_TRAIN}, and a correlation \
                 {MIN_TEST_STIMULI} (MIN_TEST_STIMULI): over two it is 1 or -1 whatever they are; give more stimuli, or a larger test share"
            );
            Err(roots.field("splits", &problem))
        }
    }
}

/// PLS has fewer components than a split has presentations to train on.
fn check_components(metric: &Metric, splits: &[Split], roots: &Roots<'_>) -> Result<()> {
    let (Metric::Regression(Regression::Pls { components })
    | Metric::Reverse(Regression::Pls { components })) = metric
    else {
        return Ok(());
    };
    let fewest = splits.iter().map(|split| split.train.len()).enumerate().min_by_key(|(_, train)| *train);
    match fewest {
        Some((split, train)) if *components >= train => {
            let problem = format!(
                "is {components} (25 unless given), and split {split} trains on {train} presentations; give at most {}",
                train - 1
            );
            Err(roots.field("metric.components", &problem))
        }
        _ => Ok(()),
    }
}

/// What is to be said of neuroids that respond, but not differently to the test presentations of some split.
pub(super) fn silent(values: ArrayView2<'_, f64>, neuroid: &Table, splits: &[Split]) -> Option<String> {
    const MAX_NAMED: usize = 5;
    let names = neuroid_ids(neuroid);
    let constant = |column: ArrayView1<'_, f64>, rows: &[usize]| {
        rows.first().is_some_and(|&first| rows.iter().all(|&row| column[row] == column[first]))
    };
    let all: Vec<usize> = (0..values.nrows()).collect();
    let mut places = Vec::new();
    for (column, name) in values.columns().into_iter().zip(&names).filter(|(c, _)| !constant(*c, &all)) {
        let of = splits.iter().enumerate().filter(|(_, split)| constant(column, &split.test));
        places.extend(of.map(|(index, _)| format!("{name} in split {index}")));
    }
    let more = if places.len() > MAX_NAMED { ", ..." } else { "" };
    let shown = places.get(..MAX_NAMED).unwrap_or(&places).join(", ");
    (!places.is_empty()).then(|| {
        format!(
            "{} times a neuroid responds the same to all test presentations of a split, where its score is undefined: {shown}{more}",
            places.len()
        )
    })
}

fn check_fields(card: &SplitsCard, roots: &Roots<'_>) -> Result<()> {
    let random = matches!(card.scheme, SplitScheme::Shuffle | SplitScheme::Stratified);
    let folds = card.scheme == SplitScheme::Folds;
    let fixed = card.scheme == SplitScheme::Fixed;
    let misplaced = [
        ("count", card.count.is_some() && !random),
        ("train_size", card.train_size.is_some() && !random),
        ("test_size", card.test_size.is_some() && !random),
        ("seed", card.seed.is_some() && !random),
        ("column", card.column.is_some() && !fixed),
        ("test", card.test.is_some() && !fixed),
        ("stratify", card.stratify.is_some() && card.scheme != SplitScheme::Stratified),
        ("file", card.file.is_some() && !folds),
        ("data", card.data.is_some() && !folds),
        ("variable", card.variable.is_some() && !folds),
    ];
    if card.train_size.is_some() && card.test_size.is_some() {
        return Err(roots.field("splits.test_size", "and train_size exclude each other; keep one"));
    }
    match misplaced.iter().find(|(_, wrong)| *wrong) {
        Some((name, _)) => {
            let problem = format!("does not belong to the scheme `{}`; remove it", card.scheme);
            Err(roots.field(&format!("splits.{name}"), &problem))
        }
        None => Ok(()),
    }
}

fn random(
    card: &SplitsCard,
    roots: &Roots<'_>,
    rows: &Rows,
    presentation: Option<&Table>,
) -> Result<Vec<Split>> {
    let count = card.count.unwrap_or(DEFAULT_COUNT);
    let share = match card.test_size {
        Some(test_size) => Share::Test(test_size),
        None => Share::Train(card.train_size.unwrap_or(DEFAULT_TRAIN_SIZE)),
    };
    let seed = card.seed.unwrap_or(DEFAULT_SEED);
    let splits = if card.scheme == SplitScheme::Stratified {
        let column = roots.needed_for("splits.stratify", &card.stratify, "scheme", "stratified")?;
        let labels = labels("splits.stratify", column, roots, rows, presentation)?;
        stratified_shuffle_split(&labels, count, share, seed)
    } else {
        shuffle_split(rows.ids.len(), count, share, seed)
    };
    splits.map_err(|e| Error::metric(roots.card, "splits", e))
}

/// A column of the presentations, else of the stimuli; the label of a pool is that of its first stimulus.
fn labels(
    field: &str,
    column: &str,
    roots: &Roots<'_>,
    rows: &Rows,
    presentation: Option<&Table>,
) -> Result<Vec<String>> {
    if let Some(values) = presentation.and_then(|table| table.column(column)) {
        return Ok(values.to_text());
    }
    let Some(labels) = rows.stimuli.labels(column) else {
        let tables = presentation.into_iter().chain([&rows.stimuli.table]);
        let mut all = Table::new(0);
        for name in tables.flat_map(Table::columns).map(|column| &column.name) {
            // A name of both tables is there already.
            let _ = all.push(name.as_str(), Values::Text(Vec::new()));
        }
        let problem = format!("there is no column `{column}`; there are: {}", all.names());
        return Err(roots.field(field, &problem));
    };
    let first = |pool: &Vec<usize>| pool.first().and_then(|&i| labels.get(i)).cloned().unwrap_or_default();
    Ok(match &rows.pools {
        Some(pools) => pools.iter().map(first).collect(),
        None => labels,
    })
}

/// One split of the presentations by a column: those of one value to test on, all others to fit on.
fn fixed(card: &SplitsCard, roots: &Roots<'_>, rows: &Rows, presentation: Option<&Table>) -> Result<Split> {
    let column = roots.needed_for("splits.column", &card.column, "scheme", "fixed")?;
    let value = roots.needed_for("splits.test", &card.test, "scheme", "fixed")?;
    let labels = labels("splits.column", column, roots, rows, presentation)?;
    let (test, train): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&row| labels[row] == *value);
    if test.is_empty() {
        return Err(roots.field("splits.test", &format!("no presentation has {column} `{value}`")));
    }
    Ok(Split { train, test })
}

fn folds(card: &SplitsCard, roots: &Roots<'_>, ids: &[String]) -> Result<Vec<Split>> {
    let path = roots.path("splits", &card.file, &card.data)?;
    let tests = if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
        table_folds(&path, ids)?
    } else {
        let variable = roots.needed("splits.variable", &card.variable, "mat")?;
        matlab_folds(&path, variable, ids, roots)?
    };
    let split = |test: Vec<usize>| {
        let mut is_test = vec![false; ids.len()];
        test.iter().for_each(|&row| is_test[row] = true);
        Split { train: (0..ids.len()).filter(|&row| !is_test[row]).collect(), test }
    };
    Ok(tests.into_iter().map(split).collect())
}

fn rows_of(path: &Path, names: &[String], ids: &[String]) -> Result<Vec<usize>> {
    let positions: HashMap<&str, usize> =
        ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
    crate::stimuli::check_unique(path, "fold member", names)?;
    let found: Vec<Option<usize>> = names.iter().map(|name| positions.get(name.as_str()).copied()).collect();
    let absent: Vec<&String> =
        names.iter().zip(&found).filter(|(_, f)| f.is_none()).map(|(n, _)| n).collect();
    match absent.first() {
        None => Ok(found.into_iter().flatten().collect()),
        Some(first) => Err(Error::Missing {
            path: path.to_path_buf(),
            what: "members of a fold",
            other: "the presentations".into(),
            missing: absent.len(),
            total: names.len(),
            first: first.to_string(),
            there: other_side(names, ids),
        }),
    }
}

fn table_folds(path: &Path, ids: &[String]) -> Result<Vec<Vec<usize>>> {
    let table = read_table(path)?;
    let column = |names: &[&str]| {
        let missing =
            || Error::field(path, names[0], format!("no such column; the table has: {}", table.names()));
        table.first_of(names).map(Values::to_text).ok_or_else(missing)
    };
    let (names, folds) = (column(&STIMULUS_ID)?, column(&[FOLD])?);
    let mut order: Vec<&String> = Vec::new();
    for fold in &folds {
        if !order.contains(&fold) {
            order.push(fold);
        }
    }
    let members = |wanted: &String| -> Vec<String> {
        names.iter().zip(&folds).filter(|(_, fold)| *fold == wanted).map(|(name, _)| name.clone()).collect()
    };
    order.into_iter().map(|fold| rows_of(path, &members(fold), ids)).collect()
}

fn matlab_folds(path: &Path, variable: &str, ids: &[String], roots: &Roots<'_>) -> Result<Vec<Vec<usize>>> {
    let field = "splits.variable";
    let mat = read_mat(path)?;
    let MatValue::Cell(_, folds) = mat.one(variable).map_err(|e| roots.field(field, &e))? else {
        return Err(roots.field(field, "is no cell array with one cell per fold"));
    };
    let members = |fold: &MatValue| -> Result<Vec<usize>> {
        if let Ok(array) = numeric(fold) {
            let names = array.numbers().to_f64().into_iter().map(|p| position_id(p, ids, roots));
            return rows_of(path, &names.collect::<Result<Vec<String>>>()?, ids);
        }
        rows_of(path, &texts(fold).map_err(|e| roots.field(field, &e))?, ids)
    };
    folds.iter().map(members).collect()
}

fn position_id(position: f64, ids: &[String], roots: &Roots<'_>) -> Result<String> {
    let index = (position >= 1.0 && position.fract() == 0.0).then_some(position as usize - 1);
    let problem = || format!("position {position} is not one of 1 to {}", ids.len());
    index.and_then(|i| ids.get(i).cloned()).ok_or_else(|| roots.field("splits.variable", &problem()))
}
