//! Layer scores to benchmark, region and brain scores, leaderboard, tables and report.
//!
//! [`assemble()`] reads a job's scores from the store. All else is pure functions: [`LayerScore`]s come in, a layer is
//! [selected](select) per region and model, the benchmark [tree](Node) turns reported scores into a [`Leaderboard`],
//! and tables and the HTML [report](Report) show it.
//! A score that is missing, one that failed, and zero stay three different things up to the last page.

mod assemble;
mod error;
mod export;
mod leaderboard;
mod maps;
mod names;
mod output;
mod parts;
mod picture;
mod report;
mod scores;
mod selection;
pub mod service;
pub mod site;
mod summary;
mod synthesis;
mod tree;
mod undefined;
mod value;

pub use assemble::{BRAIN_SCORE, MAX_NAMED, Results, assemble, raw_scores};
pub use error::Error;
pub use export::{
    RawRow, RawScores, layers_csv, layers_json, layers_markdown, leaderboard_csv, leaderboard_json,
    leaderboard_markdown, raw_csv, raw_rows,
};
pub use leaderboard::{Cell, Column, Leaderboard, Ranking, Row, leaderboard, ranks};
pub use maps::{LayerSummary, MAPS_DOCUMENT, Maps, SetsSummary, SourceSummary, map_files, save_maps};
pub use output::{FileEntry, JobFile};
pub use report::{BenchmarkInfo, Cost, Provenance, Report, TopOne, html, report_of};
pub use scores::{Ceiled, LayerScore};
pub use selection::{ChosenBy, Commitment, RegionRule, Reported, Selection, SkippedLayer, select};
pub use summary::error_bar;
pub use synthesis::{
    NaturalSummary, SYNTHESIS_DOCUMENT, SetSummary, Syntheses, save_synthesis, synthesis_files,
};
pub use tree::{
    BenchmarkRef, Leaf, LeafScore, MAX_TREE_DEPTH, Node, NodeContent, brain_score_2018, region_tree,
    region_tree_by,
};
pub use undefined::{MAX_PLACES, Place, UNDEFINED_MARK, Undefined, UndefinedRule};
pub use value::{Value, hundredths};
