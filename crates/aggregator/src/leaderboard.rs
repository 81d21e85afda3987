//! Rows of models, columns of the benchmark tree, ranks (spec §6).

use serde::{Deserialize, Serialize};

use crate::undefined::marked;
use crate::{ChosenBy, Error, LayerScore, Leaf, LeafScore, Node, NodeContent, Selection, Value, hundredths};

/// Which averages share a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranking {
    /// Averages that agree after rounding half up to two decimals, as on the reference's site.
    #[default]
    TwoDecimals,
    /// Equal averages only, as in 2018.
    Exact,
}

/// A column: a node of the tree, parents before children.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Identifier of the node.
    pub identifier: String,
    /// Levels below the root.
    pub depth: usize,
    /// Version, for a benchmark.
    pub version: Option<String>,
}

/// An entry: one model at one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The score.
    pub value: Value,
    /// Error bar of a benchmark's score. A parent takes it over from an only child and has none otherwise: the benchmarks'
    /// errors are not independent, and the reference does not propagate them.
    pub error: Option<f64>,
    /// Raw score of a benchmark.
    pub raw: Option<f64>,
    /// Layer reported, for a benchmark; a parent takes it over if all its children agree.
    pub layer: Option<String>,
    /// Why this layer, for a benchmark.
    pub chosen_by: Option<ChosenBy>,
    /// Undefined values that a benchmark's score passes over; of a parent, the benchmarks below it that do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Place, standard competition ranking; none for a model without any score.
    pub rank: Option<usize>,
    /// Identifier of the model.
    pub model: String,
    /// One per column.
    pub cells: Vec<Cell>,
}

/// The table of all models, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaderboard {
    /// How ranks were given.
    pub ranking: Ranking,
    /// The nodes of the tree; the first is the root, whose value is the brain score.
    pub columns: Vec<Column>,
    /// The models.
    pub rows: Vec<Row>,
}

impl Cell {
    /// The value as it is shown: with a mark if undefined values were passed over.
    #[must_use]
    pub fn text(&self) -> String {
        marked(&self.value, self.note.as_ref())
    }
}

impl Row {
    /// The value of the root.
    #[must_use]
    pub fn brain_score(&self) -> &Value {
        self.cells.first().map_or(&Value::Missing, |cell| &cell.value)
    }
}

impl Leaderboard {
    /// Benchmarks whose score passes over undefined values: the model, the column, and what was passed over.
    pub fn notes(&self) -> impl Iterator<Item = (&str, &Column, &Cell, &str)> {
        self.rows.iter().flat_map(|row| {
            let benchmarks =
                self.columns.iter().zip(&row.cells).filter(|(column, _)| column.version.is_some());
            benchmarks
                .filter_map(|(column, cell)| Some((row.model.as_str(), column, cell, cell.note.as_deref()?)))
        })
    }

    /// The cell of a model at a node.
    #[must_use]
    pub fn cell(&self, model: &str, node: &str) -> Option<&Cell> {
        let column = self.columns.iter().position(|c| c.identifier == node)?;
        self.rows.iter().find(|row| row.model == model)?.cells.get(column)
    }
}

/// Larger is better, equal is tied.
fn rank_key(number: f64, ranking: Ranking) -> f64 {
    match ranking {
        Ranking::TwoDecimals => hundredths(number) as f64,
        Ranking::Exact => number,
    }
}

/// Standard competition ranks (1, 2, 2, 4) of values in any order: failures tie for last, missing values have none.
#[must_use]
pub fn ranks(values: &[Value], ranking: Ranking) -> Vec<Option<usize>> {
    let keys: Vec<Option<f64>> =
        values.iter().map(|v| v.number().map(|number| rank_key(number, ranking))).collect();
    // `None` is smaller than any number, so a failure has every number before it.
    let rank = |(value, own): (&Value, &Option<f64>)| match value {
        Value::Missing => None,
        _ => Some(1 + keys.iter().filter(|other| *other > own).count()),
    };
    values.iter().zip(&keys).map(rank).collect()
}

/// Of a model's scores on one version of a benchmark, the one that counts: a score before a failure, then the highest raw.
fn counted<'a>(selections: &'a [&Selection], benchmark: &str, leaf: &Leaf) -> Option<&'a Selection> {
    let same = |s: &&&Selection| s.benchmark.identifier == benchmark && s.benchmark.version == leaf.version;
    let raw = |s: &Selection| s.layer_score().and_then(|score| score.raw.as_ref()).map(|raw| raw.value);
    let mut best: Option<&Selection> = None;
    for &candidate in selections.iter().filter(same) {
        let better = match best {
            None => true,
            Some(held) => {
                let numbers = (candidate.value(leaf.score).number(), held.value(leaf.score).number());
                match numbers {
                    (Some(_), None) => true,
                    (Some(_), Some(_)) => raw(candidate) > raw(held),
                    _ => false,
                }
            }
        };
        if better {
            best = Some(candidate);
        }
    }
    best
}

fn leaf_cell(selection: Option<&Selection>, leaf: &Leaf, value: Value) -> Cell {
    let scored = selection.and_then(Selection::layer_score);
    let raw = scored.and_then(|score| score.raw.as_ref());
    let shown = match leaf.score {
        LeafScore::Ceiled => scored.and_then(|score| score.ceiled_score()),
        LeafScore::Raw => raw,
    };
    Cell {
        value,
        error: shown.map(|score| score.error).filter(|error| error.is_finite()),
        raw: raw.map(|score| score.value).filter(|value| value.is_finite()),
        layer: selection.and_then(|s| s.layer.clone()),
        chosen_by: selection.map(|s| s.chosen_by.clone()),
        note: scored.and_then(LayerScore::note),
    }
}

/// The cell of a node followed by those of all below it.
fn cells_below(
    node: &Node,
    selections: &[&Selection],
    values: &mut impl Iterator<Item = Value>,
) -> Vec<Cell> {
    let value = values.next().unwrap_or(Value::Missing);
    if let NodeContent::Leaf(leaf) = &node.content {
        return vec![leaf_cell(counted(selections, &node.identifier, leaf), leaf, value)];
    }
    let below: Vec<Vec<Cell>> = node.children().map(|child| cells_below(child, selections, values)).collect();
    let children: Vec<&Cell> = below.iter().filter_map(|cells| cells.first()).collect();
    let layer = children.first().and_then(|cell| cell.layer.clone());
    let noted: Vec<&str> = node
        .children()
        .zip(&children)
        .filter(|(_, cell)| cell.note.is_some())
        .map(|(n, _)| n.identifier.as_str())
        .collect();
    let agreed = children.iter().all(|cell| cell.layer == layer);
    let own = Cell {
        value,
        error: if let [only] = children[..] { only.error } else { None },
        raw: None,
        layer: layer.filter(|_| agreed),
        chosen_by: None,
        note: (!noted.is_empty()).then(|| format!("undefined values in {}", noted.join(", "))),
    };
    std::iter::once(own).chain(below.into_iter().flatten()).collect()
}

fn columns(tree: &Node) -> Vec<Column> {
    let column = |(depth, node): (usize, &Node)| Column {
        identifier: node.identifier.clone(),
        depth,
        version: match &node.content {
            NodeContent::Leaf(leaf) => Some(leaf.version.clone()),
            NodeContent::Branch(_) => None,
        },
    };
    tree.nodes().into_iter().map(column).collect()
}

/// The leaderboard of the models: their selections put through the tree, ranked by the root's value.
///
/// Rows are ordered by rank, then name; models without any score come last.
///
/// # Errors
/// Those of [`Node::check`].
pub fn leaderboard(
    tree: &Node,
    models: &[String],
    selections: &[Selection],
    ranking: Ranking,
) -> Result<Leaderboard, Error> {
    tree.check()?;
    let row = |model: &String| {
        let own: Vec<&Selection> = selections.iter().filter(|s| s.model == *model).collect();
        let value = |benchmark: &str, leaf: &Leaf| {
            counted(&own, benchmark, leaf).map_or(Value::Missing, |s| s.value(leaf.score))
        };
        let cells = cells_below(tree, &own, &mut tree.values(&value).into_iter());
        Row { rank: None, model: model.clone(), cells }
    };
    let mut rows: Vec<Row> = models.iter().map(row).collect();
    let scores: Vec<Value> = rows.iter().map(|row| row.brain_score().clone()).collect();
    for (row, rank) in rows.iter_mut().zip(ranks(&scores, ranking)) {
        row.rank = rank;
    }
    rows.sort_by(|a, b| (a.rank.is_none(), a.rank, &a.model).cmp(&(b.rank.is_none(), b.rank, &b.model)));
    Ok(Leaderboard { ranking, columns: columns(tree), rows })
}
