//! Given dissimilarities, brought into the order of the scan's conditions.

use std::collections::HashMap;
use std::path::Path;

use super::card::{RdmCard, ScanCard};
use crate::arrays::NumericArray;
use crate::benchmark::locate::{ArrayFile, Roots};
use crate::benchmark::{GIVE_DISTANCE, triangle};
use crate::error::{Error, Result};
use crate::mat::{numeric, read_mat};
use crate::table::{Values, read_table};

/// A matrix of pairs of conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenRdm {
    /// Name of the layer.
    pub name: String,
    /// Strict upper triangle, row by row, in the order of the scan's conditions.
    pub values: Vec<f64>,
    /// Whether larger numbers mean more alike; otherwise they mean more different.
    pub similarity: bool,
}

/// Reads all `[[rdm]]` of a card.
pub(super) fn read(card: &ScanCard, conditions: &[String], roots: &Roots<'_>) -> Result<Vec<GivenRdm>> {
    let mut rdms: Vec<GivenRdm> = Vec::new();
    for (index, rdm) in card.rdms.iter().enumerate() {
        let section = format!("rdm[{index}]");
        for found in read_one(rdm, &section, conditions, roots)? {
            if rdms.iter().any(|other| other.name == found.name) {
                let problem = format!("`{}` is the name of two layers; rename one", found.name);
                return Err(roots.field(&format!("{section}.name"), &problem));
            }
            rdms.push(found);
        }
    }
    Ok(rdms)
}

fn read_one(
    card: &RdmCard,
    section: &str,
    conditions: &[String],
    roots: &Roots<'_>,
) -> Result<Vec<GivenRdm>> {
    let path = roots.path(section, &card.file, &card.data)?;
    let is = |extension: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
    let (own, triangles) = if is("csv") {
        let (names, triangle) = from_table(&path, card)?;
        (Some(names), vec![triangle])
    } else if is("mat") {
        let field = format!("{section}.variable");
        let variable = roots.needed(&field, &card.variable, "mat")?;
        let mat = read_mat(&path)?;
        let values = mat.lookup(variable).map_err(|e| roots.field(&field, &e))?;
        let matrix = |(number, value)| {
            let own = |e| format!("matrix {number}: {e}");
            numeric(value).and_then(|array| given(array, card)).map_err(own)
        };
        let matrices = values.into_iter().enumerate().map(matrix);
        let matrices = matrices.collect::<std::result::Result<_, String>>();
        (None, matrices.map_err(|e| Error::field(&path, variable, e))?)
    } else {
        let file = ArrayFile::open(&path)?;
        let array: &NumericArray = file.numeric(roots, &format!("{section}.variable"), &card.variable)?;
        (None, vec![given(array, card).map_err(|e| Error::field(&path, "array", e))?])
    };
    let field = format!("{section}.conditions");
    let own = card
        .conditions
        .clone()
        .or(own)
        .ok_or_else(|| roots.field(&field, "is missing; name the conditions in the order of the rows"))?;
    let order = order(&own, conditions).map_err(|problem| roots.field(&field, &problem))?;
    let names = card.name.as_slice();
    if names.len() != triangles.len() {
        let problem = format!("{} names for {} matrices", names.len(), triangles.len());
        return Err(roots.field(&format!("{section}.name"), &problem));
    }
    let pairs = own.len() * (own.len() - 1) / 2;
    let ordered = |(name, values): (&String, Vec<f64>)| {
        if values.len() != pairs {
            let problem = format!(
                "names {} conditions, which have {pairs} pairs; {} has {}",
                own.len(),
                path.display(),
                values.len()
            );
            return Err(roots.field(&field, &problem));
        }
        let values = reorder(&values, own.len(), &order);
        Ok(GivenRdm { name: name.clone(), values, similarity: card.similarity })
    };
    names.iter().zip(triangles).map(ordered).collect()
}

/// The triangle of a matrix; similarities may have anything on their diagonal.
fn given(array: &NumericArray, card: &RdmCard) -> std::result::Result<Vec<f64>, String> {
    let advice = |e: String| if e.ends_with(GIVE_DISTANCE) { e + ", or set `similarity = true`" } else { e };
    triangle(array, card.similarity).map_err(advice)
}

/// Row of the matrix that belongs to each condition of the scan.
fn order(own: &[String], conditions: &[String]) -> std::result::Result<Vec<usize>, String> {
    let mut rows = HashMap::with_capacity(own.len());
    for (row, name) in own.iter().enumerate() {
        if rows.insert(name.as_str(), row).is_some() {
            return Err(format!("has `{name}` twice; remove one"));
        }
    }
    let row = |name: &String| {
        rows.get(name.as_str()).copied().ok_or_else(|| format!("lacks the condition `{name}`"))
    };
    conditions.iter().map(row).collect()
}

/// The triangle of the matrix whose rows are those at `order`.
fn reorder(values: &[f64], side: usize, order: &[usize]) -> Vec<f64> {
    let pair = |a: usize, b: usize| {
        let (i, j) = (a.min(b), a.max(b));
        values[i * side - i * (i + 1) / 2 + j - i - 1]
    };
    let rows = order.iter().enumerate();
    rows.flat_map(|(i, &a)| order[i + 1..].iter().map(move |&b| pair(a, b))).collect()
}

/// A square of numbers under the names of the conditions, perhaps behind a column with the same names.
fn from_table(path: &Path, card: &RdmCard) -> Result<(Vec<String>, Vec<f64>)> {
    let table = read_table(path)?;
    let square = |problem: String| Error::field(path, "table", problem);
    let mut columns = table.columns();
    if let [first, rest @ ..] = columns
        && let Values::Text(rows) = &first.values
    {
        if rest.iter().map(|column| &column.name).ne(rows) {
            return Err(square("its rows do not have the names of its columns, in their order".into()));
        }
        columns = rest;
    }
    let side = columns.len();
    if table.len() != side {
        return Err(square(format!("it has {} rows and {side} columns, a square is needed", table.len())));
    }
    let mut values = vec![0.0; side * side];
    for (column, cells) in columns.iter().enumerate() {
        let numbers: Vec<f64> = match &cells.values {
            Values::Integer(v) => v.iter().map(|&x| x as f64).collect(),
            Values::Real(v) => v.clone(),
            _ => return Err(square(format!("the column `{}` does not hold numbers", cells.name))),
        };
        numbers.iter().enumerate().for_each(|(row, number)| values[row * side + column] = *number);
    }
    let array = NumericArray::new(vec![side, side], false, crate::arrays::Numbers::F64(values))
        .map_err(|e| Error::parse(path, "table", e))?;
    let names = columns.iter().map(|column| column.name.clone()).collect();
    Ok((names, given(&array, card).map_err(square)?))
}
