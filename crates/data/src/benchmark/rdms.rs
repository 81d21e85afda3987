//! Reading dissimilarities: `[assembly]` with `content = "rdm"`, and `[subjects]`.

use std::path::PathBuf;

use ndarray::{Array1, Array2};

use super::card::{ArrayFormat, BenchmarkCard, SubjectsCard};
use super::locate::{ArrayFile, Roots};
use crate::arrays::NumericArray;
use crate::error::{Error, Result};
use crate::mat::{numeric, read_mat};

/// Largest difference of two mirrored entries, relative to the largest entry, in a matrix that counts as symmetric.
const SYMMETRY_TOLERANCE: f64 = 1e-5;

/// Dissimilarities before they are matched with stimuli.
pub(super) struct Dissimilarities {
    /// The file, for messages.
    pub(super) path: PathBuf,
    /// Strict upper triangle, row by row.
    pub(super) mean: Array1<f64>,
    /// Subject x pair.
    pub(super) subjects: Option<Array2<f64>>,
}

impl Dissimilarities {
    /// Number of stimuli that the pairs come from.
    pub(super) fn stimuli(&self) -> usize {
        side(self.mean.len()).unwrap_or(0)
    }
}

pub(super) fn read(card: &BenchmarkCard, roots: &Roots<'_>) -> Result<Dissimilarities> {
    let path = roots.path("assembly", &card.assembly.file, &card.assembly.data)?;
    let field = "assembly.variable";
    if !matches!(card.assembly.format, ArrayFormat::Npy | ArrayFormat::Mat) {
        return Err(roots.field("assembly.format", "must be `npy` or `mat` for an RDM"));
    }
    let file = ArrayFile::open(&path)?;
    let mean =
        triangle(file.numeric(roots, field, &card.assembly.variable)?).map_err(|e| roots.field(field, &e))?;
    let subjects = card.subjects.as_ref().map(|s| read_subjects(s, mean.len(), roots)).transpose()?;
    Ok(Dissimilarities { path, mean: Array1::from_vec(mean), subjects })
}

fn read_subjects(card: &SubjectsCard, pairs: usize, roots: &Roots<'_>) -> Result<Array2<f64>> {
    let field = "subjects.variable";
    let path = roots.path("subjects", &card.file, &card.data)?;
    let mat = read_mat(&path)?;
    let values = mat.lookup(&card.variable).map_err(|e| roots.field(field, &e))?;
    let mut matrices = Vec::with_capacity(values.len());
    for value in values {
        let one = numeric(value).and_then(triangle).map_err(|e| roots.field(field, &e))?;
        super::recording::check_length(&path, "pairs of stimuli", one.len(), pairs, "the assembly")?;
        matrices.push(one);
    }
    let groups = card.groups.clone().unwrap_or_else(|| (0..matrices.len()).map(|i| vec![i]).collect());
    let mut subjects = Array2::zeros((groups.len(), pairs));
    for (group, mut row) in groups.iter().zip(subjects.rows_mut()) {
        for &index in group {
            let Some(matrix) = matrices.get(index) else {
                let problem = format!("names matrix {index}, the file has {}", matrices.len());
                return Err(roots.field("subjects.groups", &problem));
            };
            row.iter_mut().zip(matrix).for_each(|(sum, value)| *sum += value);
        }
        if group.is_empty() {
            return Err(roots.field("subjects.groups", "has an empty group; remove it"));
        }
        row /= group.len() as f64;
    }
    if subjects.nrows() == 0 {
        return Err(Error::field(&path, field, "there is no matrix in it"));
    }
    Ok(subjects)
}

/// Number of things with so many pairs.
fn side(pairs: usize) -> Option<usize> {
    let n = ((1.0 + (1.0 + 8.0 * pairs as f64).sqrt()) / 2.0).round() as usize;
    (n >= 2 && n * (n - 1) / 2 == pairs).then_some(n)
}

/// The strict upper triangle of a symmetric matrix, or the vector that is one.
pub(crate) fn triangle(array: &NumericArray) -> std::result::Result<Vec<f64>, String> {
    let shape: Vec<usize> = array.shape().iter().copied().filter(|&d| d != 1).collect();
    let values = array.numbers().to_f64();
    let pairs = match shape[..] {
        [pairs] if side(pairs).is_some() => values,
        [n, m] if n == m => {
            let largest = values.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let mirrored = |i: usize, j: usize| (values[i * n + j] - values[j * n + i]).abs();
            let upper = || (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
            if let Some((i, j)) = upper().find(|&(i, j)| mirrored(i, j) > SYMMETRY_TOLERANCE * largest) {
                return Err(format!("the matrix is not symmetric: entries ({i}, {j}) and ({j}, {i}) differ"));
            }
            upper().map(|(i, j)| values[i * n + j]).collect()
        }
        _ => {
            return Err(format!("the shape {:?} is neither a square nor a triangle of pairs", array.shape()));
        }
    };
    match pairs.iter().position(|v| !v.is_finite()) {
        Some(pair) => {
            Err(format!("pair {pair} is {}; leave the stimulus out or correct the file", pairs[pair]))
        }
        None => Ok(pairs),
    }
}
