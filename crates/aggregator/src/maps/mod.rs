//! Brain maps of layers: records of ranges become whole maps, statistics over subjects, files and a page.
//!
//! Everything is made before anything is written. What is missing or failed is named in the page and in [`Maps`].

mod collect;
mod design;
pub(crate) mod files;
mod group;
mod layers;
mod report;
mod sets;
mod stage;
mod subject;
mod summary;

pub use summary::{LayerSummary, MAPS_DOCUMENT, Maps, SetsSummary, SourceSummary, map_files, save_maps};
