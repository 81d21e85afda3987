//! Neighbourhoods that come from elsewhere, for instance discs on a surface.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Scan, load};
use crate::arrays::{NpyArray, Numbers, parse_npz};
use crate::error::{Error, ParseError, Result};
use crate::limits;
use crate::table::{Values, parse_table};

/// A list of voxels for each centre. Voxels are linear indices into the grid, x fastest, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourLists {
    /// The voxel that each map value is put at, ascending.
    pub centres: Vec<u32>,
    /// Where the list of each centre begins in `members`; one more than there are centres.
    pub starts: Vec<usize>,
    /// The voxels of each list, ascending and different; the centre itself only if the file has it.
    pub members: Vec<u32>,
}

impl NeighbourLists {
    /// The voxels around a centre, given by its position in `centres`.
    pub fn of(&self, centre: usize) -> &[u32] {
        match (self.starts.get(centre), self.starts.get(centre + 1)) {
            (Some(&start), Some(&end)) => self.members.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The lists as starts and members, with the members as positions in `voxels`, which ascend; others are left out. Every
    /// centre stays, perhaps with an empty list.
    pub fn among(&self, voxels: &[u32]) -> (Vec<usize>, Vec<u32>) {
        let (mut starts, mut members) = (vec![0], Vec::with_capacity(self.members.len()));
        for centre in 0..self.centres.len() {
            members.extend(self.of(centre).iter().filter_map(|m| Some(voxels.binary_search(m).ok()? as u32)));
            starts.push(members.len());
        }
        (starts, members)
    }

    fn new(lists: BTreeMap<u32, Vec<u32>>, voxels: usize) -> std::result::Result<Self, ParseError> {
        let mut found =
            Self { centres: Vec::with_capacity(lists.len()), starts: vec![0], members: Vec::new() };
        for (centre, mut members) in lists {
            members.sort_unstable();
            members.dedup();
            if let Some(outside) = members.iter().chain([&centre]).find(|&&voxel| voxel as usize >= voxels) {
                let problem = format!("voxel {outside} is outside of the grid, which has {voxels}");
                return Err(ParseError::Invalid(problem));
            }
            found.centres.push(centre);
            found.members.extend(members);
            found.starts.push(found.members.len());
        }
        if found.centres.is_empty() {
            return Err(ParseError::invalid("there is no centre in it"));
        }
        Ok(found)
    }
}

/// The neighbourhoods of a subject, if its card names a file of them.
///
/// # Errors
/// [`Error::Io`], [`Error::Parse`] as [`parse_neighbourhoods`], [`Error::Field`] for a subject that does not exist.
pub fn load_neighbourhoods(scan: &Scan, index: usize) -> Result<Option<NeighbourLists>> {
    let subject = load::subject(scan, index)?;
    let Some(source) = &subject.source.neighbourhoods else { return Ok(None) };
    let bytes = crate::files::read_file(&source.path, limits::MAX_FILE_BYTES, "MAX_FILE_BYTES")?;
    let parsed = parse_neighbourhoods(&bytes, &source.path, subject.grid.len());
    parsed.map(Some).map_err(|e| Error::parse(&source.path, "neighbourhoods", e))
}

/// Reads lists of voxels of a grid with so many voxels, by the extension of `path`:
///
/// - `.csv`, `.tsv`: the columns `centre` and `member`, a row per pair;
/// - `.npz`: `indptr` and `indices` of a sparse matrix (as SciPy saves CSR), and optionally `centres`; without these, row i is
///   centred on voxel i. Rows without members are left out.
///
/// # Errors
/// [`ParseError`] for another extension, missing columns or arrays, numbers that are no voxels of the grid, and sizes beyond
/// [`crate::limits::MAX_NEIGHBOURS`].
pub fn parse_neighbourhoods(
    bytes: &[u8],
    path: &Path,
    voxels: usize,
) -> std::result::Result<NeighbourLists, ParseError> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let lists = match extension.as_str() {
        "csv" | "tsv" => from_table(bytes, extension == "tsv")?,
        "npz" => from_sparse(bytes)?,
        _ => {
            let advice = "neighbourhoods are read from .csv, .tsv and .npz files";
            return Err(ParseError::Unsupported(format!("the extension `{extension}`"), advice));
        }
    };
    NeighbourLists::new(lists, voxels)
}

fn from_table(bytes: &[u8], tabs: bool) -> std::result::Result<BTreeMap<u32, Vec<u32>>, ParseError> {
    let text = std::str::from_utf8(bytes).map_err(|e| ParseError::Invalid(format!("not UTF-8: {e}")))?;
    // Numbers alone: no cell can have a comma of its own.
    let commas = if tabs { text.replace('\t', ",") } else { text.to_owned() };
    let table = parse_table(&commas)?;
    let column = |name: &str| match table.column(name) {
        Some(Values::Integer(cells)) => cells.iter().map(|&cell| index(cell)).collect(),
        Some(_) => Err(ParseError::Invalid(format!("the column `{name}` does not hold whole numbers"))),
        None => {
            Err(ParseError::Invalid(format!("there is no column `{name}`; the table has: {}", table.names())))
        }
    };
    let (centres, members): (Vec<u32>, Vec<u32>) = (column("centre")?, column("member")?);
    check_count(members.len())?;
    let mut lists: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (centre, member) in centres.into_iter().zip(members) {
        lists.entry(centre).or_default().push(member);
    }
    Ok(lists)
}

fn from_sparse(bytes: &[u8]) -> std::result::Result<BTreeMap<u32, Vec<u32>>, ParseError> {
    let arrays = parse_npz(bytes)?;
    let array = |name: &str| match arrays.iter().find(|(n, _)| n == name) {
        Some((_, NpyArray::Numeric(array))) => whole(array.numbers(), name).map(Some),
        Some(_) => Err(ParseError::Invalid(format!("`{name}` does not hold numbers"))),
        None => Ok(None),
    };
    let needed =
        |name: &str| array(name)?.ok_or_else(|| ParseError::Invalid(format!("there is no array `{name}`")));
    let (starts, members) = (needed("indptr")?, needed("indices")?);
    check_count(members.len())?;
    let rows = starts.len().saturating_sub(1);
    let centres = match array("centres")? {
        Some(centres) if centres.len() == rows => centres,
        Some(centres) => {
            return Err(ParseError::Invalid(format!(
                "{} `centres` for {rows} rows of `indptr`",
                centres.len()
            )));
        }
        None => (0..rows as i64).collect(),
    };
    let mut lists: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (row, &centre) in centres.iter().enumerate() {
        let list = usize::try_from(starts[row]).ok().zip(usize::try_from(starts[row + 1]).ok());
        let list = list.and_then(|(start, end)| members.get(start..end));
        let list = list
            .ok_or_else(|| ParseError::Invalid(format!("row {row} of `indptr` is no part of `indices`")))?;
        if list.is_empty() {
            continue;
        }
        let list = list.iter().map(|&member| index(member)).collect::<std::result::Result<_, _>>()?;
        if lists.insert(index(centre)?, list).is_some() {
            return Err(ParseError::Invalid(format!("`centres` has {centre} twice")));
        }
    }
    Ok(lists)
}

fn check_count(members: usize) -> std::result::Result<(), ParseError> {
    ParseError::check("number of neighbours", members as u64, limits::MAX_NEIGHBOURS, "MAX_NEIGHBOURS")
}

fn index(number: i64) -> std::result::Result<u32, ParseError> {
    u32::try_from(number).map_err(|_| ParseError::Invalid(format!("{number} is no index of a voxel")))
}

fn whole(numbers: &Numbers, name: &str) -> std::result::Result<Vec<i64>, ParseError> {
    match numbers {
        Numbers::I32(v) => Ok(v.iter().map(|&x| i64::from(x)).collect()),
        Numbers::U32(v) => Ok(v.iter().map(|&x| i64::from(x)).collect()),
        Numbers::I64(v) => Ok(v.clone()),
        Numbers::U64(v) => Ok(v.iter().map(|&x| i64::try_from(x).unwrap_or(i64::MAX)).collect()),
        _ => Err(ParseError::Invalid(format!("`{name}` holds no integers of 32 or 64 bits"))),
    }
}
