//! Dissimilarities: `[assembly]` with `content = "rdm"`, `[subjects]`, and those of the subjects of a recording.

use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD, Axis, IxDyn};
use ventral_metrics::rdm_of;

use super::card::{AssemblyCard, BenchmarkCard, CeilingSource, Content, SubjectScore, SubjectsCard};
use super::locate::Roots;
use super::{Metric, Target, TimeMode, parts};
use crate::arrays::{NpyArray, NumericArray, parse_npy};
use crate::error::{Error, Result};
use crate::mat::{numeric, parse_mat};
use crate::{hdf5, limits};

/// Largest difference of two mirrored entries, relative to the largest entry, in a matrix that counts as symmetric.
const SYMMETRY_TOLERANCE: f64 = 1e-5;
/// Largest entry on the diagonal, relative to the largest entry, of a matrix that counts as dissimilarities.
const DIAGONAL_TOLERANCE: f64 = 1e-3;

/// Dissimilarities before they are matched with stimuli.
pub(super) struct Dissimilarities {
    /// The file, for messages.
    pub(super) path: PathBuf,
    /// What is scored: subject x pair (strict upper triangles, row by row), or one row.
    pub(super) rdms: Array2<f64>,
    /// Names of the subjects; empty where one matrix stands for all.
    pub(super) subjects: Vec<String>,
    /// What is peculiar.
    pub(super) notes: Vec<String>,
}

impl Dissimilarities {
    /// Number of stimuli that the pairs come from.
    pub(super) fn stimuli(&self) -> usize {
        side(self.rdms.ncols()).unwrap_or(0)
    }
}

impl BenchmarkCard {
    /// Whether it is about dissimilarities rather than responses.
    pub(super) fn holds_rdms(&self) -> bool {
        let absent = self.assembly == AssemblyCard::absent();
        self.assembly.content == Content::Rdm || (absent && self.subjects.is_some())
    }
}

pub(super) fn read(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<Dissimilarities> {
    let subjects = card.subjects.as_ref().map(|section| read_subjects(section, roots)).transpose()?;
    let assembly = match card.assembly.content {
        Content::Rdm => Some(read_assembly(card, roots)?),
        Content::Responses => None,
    };
    if let (Some((path, rdms)), Some((_, whole))) = (&subjects, &assembly) {
        super::recording::check_length(path, "pairs of stimuli", rdms.ncols(), whole.len(), "the assembly")?;
    }
    let score = card.subjects.as_ref().map(|section| section.score).unwrap_or_default();
    let found = chosen(subjects, assembly, score, roots)?;
    check_vary(&found)?;
    Ok(found)
}

/// What is scored: the matrix of each subject, the given mean, or that of the subjects.
fn chosen(
    subjects: Option<(PathBuf, Array2<f64>)>,
    assembly: Option<(PathBuf, Vec<f64>)>,
    score: SubjectScore,
    roots: &Roots<'_>,
) -> Result<Dissimilarities> {
    let one = |path, whole: Vec<f64>| Dissimilarities {
        path,
        rdms: ndarray::Array1::from_vec(whole).insert_axis(Axis(0)),
        subjects: Vec::new(),
        notes: Vec::new(),
    };
    Ok(match (subjects, assembly, score) {
        (Some((path, rdms)), assembly, SubjectScore::Each) => {
            let unused =
                "each subject's dissimilarities are scored: the averaged ones of [assembly] are not used";
            Dissimilarities {
                path,
                subjects: (1..=rdms.nrows()).map(|number| format!("subject {number}")).collect(),
                rdms,
                notes: assembly.map(|_| unused.to_owned()).into_iter().collect(),
            }
        }
        (_, Some((path, whole)), _) => one(path, whole),
        (Some((path, rdms)), None, SubjectScore::Mean) => {
            let count = rdms.nrows() as f64;
            one(path, rdms.sum_axis(Axis(0)).iter().map(|sum| sum / count).collect())
        }
        (None, None, _) => return Err(roots.field("assembly", "is missing; name the dissimilarities")),
    })
}

/// Nothing correlates with a matrix whose dissimilarities are all the same.
fn check_vary(found: &Dissimilarities) -> Result<()> {
    let constant = |row: ndarray::ArrayView1<'_, f64>| row.len() > 1 && row.iter().all(|v| *v == row[0]);
    let Some(row) = found.rdms.rows().into_iter().position(constant) else { return Ok(()) };
    let whose = found.subjects.get(row).map_or("the matrix", String::as_str);
    let problem = format!(
        "all dissimilarities of {whose} are {}: no correlation with them is defined; leave it out (subjects.groups says which matrices \
         count) or correct the file",
        found.rdms[[row, 0]]
    );
    Err(Error::field(&found.path, "array", problem))
}

fn read_assembly(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<(PathBuf, Vec<f64>)> {
    let path = roots.path("assembly", &card.assembly.file, &card.assembly.data)?;
    let field = "assembly.variable";
    let found = matrices(&path, &card.assembly.variable, field, roots)?;
    match found.rows().into_iter().next() {
        Some(row) if found.nrows() == 1 => Ok((path, row.to_vec())),
        _ => {
            let problem =
                format!("names {} matrices, one is needed; for subjects use [subjects]", found.nrows());
            Err(roots.field(field, &problem))
        }
    }
}

/// Subject x pair: the matrices of a file, those of one group averaged.
fn read_subjects(card: &SubjectsCard, roots: &Roots<'_>) -> Result<(PathBuf, Array2<f64>)> {
    let path = roots.path("subjects", &card.file, &card.data)?;
    let matrices = matrices(&path, &card.variable, "subjects.variable", roots)?;
    let Some(groups) = &card.groups else { return Ok((path, matrices)) };
    let field = "subjects.groups";
    let mut subjects = Array2::zeros((groups.len(), matrices.ncols()));
    for (group, mut row) in groups.iter().zip(subjects.rows_mut()) {
        for &index in group {
            if index >= matrices.nrows() {
                let problem = format!("names matrix {index}, the file has {}", matrices.nrows());
                return Err(roots.field(field, &problem));
            }
            row += &matrices.row(index);
        }
        if group.is_empty() {
            return Err(roots.field(field, "has an empty group; remove it"));
        }
        row /= group.len() as f64;
    }
    if groups.is_empty() {
        return Err(roots.field(field, "is empty; leave it out for one matrix per subject"));
    }
    Ok((path, subjects))
}

/// The matrices of an npy, MATLAB or HDF5 (NetCDF-4, MATLAB 7.3) file, told apart by its first bytes: matrix x pair.
fn matrices(path: &Path, variable: &Option<String>, field: &str, roots: &Roots<'_>) -> Result<Array2<f64>> {
    let bytes = crate::files::read_file(path, limits::MAX_FILE_BYTES, "MAX_FILE_BYTES")?;
    let named = |format| roots.needed(field, variable, format);
    let arrays = if bytes.starts_with(b"\x93NUMPY") {
        match parse_npy(&bytes).map_err(|e| Error::parse(path, "npy", e))? {
            NpyArray::Numeric(array) => vec![array],
            NpyArray::Text(_) => return Err(Error::field(path, "array", "holds text, numbers are needed")),
        }
    } else if hdf5::is_hdf5(&bytes) {
        hdf5::arrays(bytes, named("HDF5")?)
            .map_err(|e| Error::parse(path, "HDF5 (NetCDF-4, MATLAB 7.3)", e))?
    } else {
        let variable = named("mat")?;
        let mat = parse_mat(&bytes).map_err(|e| Error::parse(path, "npy, HDF5 or MATLAB level-5 file", e))?;
        let values = mat.lookup(variable).map_err(|e| roots.field(field, &e))?;
        let numbers = values.into_iter().map(|value| numeric(value).cloned());
        numbers.collect::<std::result::Result<_, String>>().map_err(|e| roots.field(field, &e))?
    };
    let mut found = Vec::new();
    for array in &arrays {
        let place = variable.as_deref().unwrap_or("array");
        let number = (arrays.len() > 1).then_some(found.len());
        found.extend(triangles(array, number).map_err(|e| Error::field(path, place, e))?);
    }
    let Some(pairs) = found.first().map(Vec::len) else {
        return Err(Error::field(path, field, "there is no matrix in it"));
    };
    let mut all = Array2::zeros((found.len(), pairs));
    for (one, mut row) in found.iter().zip(all.rows_mut()) {
        super::recording::check_length(path, "pairs of stimuli", one.len(), pairs, "the first matrix")?;
        row.assign(&ndarray::ArrayView1::from(one));
    }
    Ok(all)
}

/// The triangles of one matrix, of a stack of square matrices (the subject first or last), or of rows of pairs.
/// `number` is that of the matrix where a file has each by itself.
fn triangles(array: &NumericArray, number: Option<usize>) -> std::result::Result<Vec<Vec<f64>>, String> {
    let squeezed: Vec<usize> = array.shape().iter().copied().filter(|&d| d != 1).collect();
    let values = array.to_f64();
    let stack = |axis: usize| -> std::result::Result<Vec<Vec<f64>>, String> {
        let of = |(number, matrix): (usize, ndarray::ArrayViewD<'_, f64>)| {
            triangle_of(matrix.to_owned(), false).map_err(|e| format!("matrix {number}: {e}"))
        };
        values.axis_iter(Axis(axis)).enumerate().map(of).collect()
    };
    match (array.shape(), &squeezed[..]) {
        // Where all three lengths agree, symmetry tells which axis the subjects are along.
        (&[s, n, m], _) if n == m && n > 1 && s == n => stack(0).or_else(|first| {
            stack(2).map_err(|second| if first.contains(ASYMMETRIC) { second } else { first })
        }),
        (&[_, n, m], _) if n == m && n > 1 => stack(0),
        (&[n, m, _], _) if n == m && n > 1 => stack(2),
        (&[_, pairs], &[_, _]) if number.is_none() && side(pairs).is_some() && array.shape()[0] != pairs => {
            stack(0)
        }
        _ => {
            let of = |e: String| number.map_or_else(String::new, |number| format!("matrix {number}: ")) + &e;
            Ok(vec![triangle(array, false).map_err(of)?])
        }
    }
}

/// Number of things with so many pairs.
fn side(pairs: usize) -> Option<usize> {
    let n = ((1.0 + (1.0 + 8.0 * pairs as f64).sqrt()) / 2.0).round() as usize;
    (n >= 2 && n * (n - 1) / 2 == pairs).then_some(n)
}

/// What to do about similarities.
pub(crate) const GIVE_DISTANCE: &str = "if these are similarities give 1 - similarity";
/// What is said of a matrix that is not symmetric.
const ASYMMETRIC: &str = "the matrix is not symmetric";

/// The strict upper triangle of a symmetric matrix, or the vector that is one.
pub(crate) fn triangle(array: &NumericArray, similarity: bool) -> std::result::Result<Vec<f64>, String> {
    triangle_of(array.to_f64(), similarity)
}

fn triangle_of(array: ArrayD<f64>, similarity: bool) -> std::result::Result<Vec<f64>, String> {
    let shape: Vec<usize> = array.shape().iter().copied().filter(|&d| d != 1).collect();
    let given = array.shape().to_vec();
    let wrong = || format!("the shape {given:?} is neither a square nor a triangle of pairs");
    let array = array.as_standard_layout().into_owned();
    let array = array.into_shape_with_order(IxDyn(&shape)).map_err(|_| wrong())?;
    let (pairs, n): (Vec<f64>, usize) = match shape[..] {
        [pairs] => (array.iter().copied().collect(), side(pairs).ok_or_else(wrong)?),
        [n, m] if n == m => {
            check_square(&array, n, similarity)?;
            (upper(n).map(|(i, j)| array[[i, j]]).collect(), n)
        }
        _ => return Err(wrong()),
    };
    match pairs.iter().zip(upper(n)).find(|(v, _)| !v.is_finite()) {
        Some((value, (i, j))) => Err(format!(
            "that of stimuli {i} and {j} (from 0) is {value}; leave one of them out or correct the file"
        )),
        None => Ok(pairs),
    }
}

/// Positions above the diagonal, row by row.
fn upper(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

/// Symmetric, and 0 where a stimulus meets itself; a diagonal of NaN says nothing.
fn check_square(array: &ArrayD<f64>, n: usize, similarity: bool) -> std::result::Result<(), String> {
    let largest = array.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let mirrored = |i: usize, j: usize| (array[[i, j]] - array[[j, i]]).abs();
    if let Some((i, j)) = upper(n).find(|&(i, j)| mirrored(i, j) > SYMMETRY_TOLERANCE * largest) {
        return Err(format!("{ASYMMETRIC}: entries ({i}, {j}) and ({j}, {i}) differ"));
    }
    let own = |i: &usize| array[[*i, *i]].abs() > DIAGONAL_TOLERANCE * largest;
    match (0..n).find(own).filter(|_| !similarity) {
        Some(i) => Err(format!(
            "stimulus {i} (from 0) differs from itself by {}, and no stimulus does; {GIVE_DISTANCE}",
            array[[i, i]]
        )),
        None => Ok(()),
    }
}

/// Responses whose ceiling is that of single subjects (`ceiling.subjects`) are scored subject by subject: their dissimilarities take
/// the place of the responses.
pub(super) fn apart(
    card: &BenchmarkCard,
    metric: &Metric,
    target: Target,
    ids: &[String],
    roots: &Roots<'_>,
) -> Result<Target> {
    if card.ceiling.source != CeilingSource::Rsa {
        return Ok(target);
    }
    if *metric != Metric::Rdm {
        let problem =
            format!("`rsa` is the ceiling of the metric `rdm`, not of `{}`; use another", card.metric.name);
        return Err(roots.field("ceiling.source", &problem));
    }
    let (averaged, neuroids, column) = match (&target, &card.ceiling.subjects) {
        (Target::Responses { averaged, neuroids, .. }, Some(column)) => (averaged, neuroids, column),
        (Target::Rdm { .. }, Some(_)) => {
            let problem =
                "names a column of the neuroids, and there are none beside dissimilarities; remove it";
            return Err(roots.field("ceiling.subjects", problem));
        }
        _ => return Ok(target),
    };
    if card.time.as_ref().is_some_and(|time| matches!(time.mode, TimeMode::Each | TimeMode::Span)) {
        let problem = "scores time bins apart, ceiling.subjects subjects; use the mode `mean` or `flatten`";
        return Err(roots.field("time.mode", problem));
    }
    let groups = parts::by_value("ceiling.subjects", column, neuroids, roots)?;
    let pairs = ids.len() * ids.len().saturating_sub(1) / 2;
    let mut rdms = Array2::zeros((groups.len(), pairs));
    for ((subject, columns), mut row) in groups.iter().zip(rdms.rows_mut()) {
        row.assign(&rdm_of(averaged.select(Axis(1), columns).view()));
        if row.iter().any(|v| !v.is_finite()) {
            let problem = format!(
                "the dissimilarities of `{subject}` ({} neuroids) are undefined: it has the same response in all of them to some stimulus, or \
                 fewer than two; exclude it with [neuroids]",
                columns.len()
            );
            return Err(roots.field("ceiling.subjects", &problem));
        }
    }
    Ok(Target::Rdm { rdms, subjects: groups.into_iter().map(|(subject, _)| subject).collect() })
}
