//! Synthesised images of the models of a job: the best restart of each as a folder of images, tables, figures and a page.
//!
//! Everything is made before anything is written. What is missing or failed is named in the page and in [`Syntheses`].

mod collect;
mod document;
mod files;
mod measure;
mod natural;
mod report;
mod warnings;

pub use document::{
    NaturalSummary, SYNTHESIS_DOCUMENT, SetSummary, Syntheses, save_synthesis, synthesis_files,
};
