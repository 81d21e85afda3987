//! The aggregator as a service: assembles a job's results from the scores its plan lists, once they are all there or given up.
//!
//! - [`assemble_job`]: from documents and scores to documents
//! - [`Assembler`]: takes assemblies from a queue

mod documents;
mod executor;

pub use documents::{RESULTS_DOCUMENT, assemble_job};
pub use executor::{ASSEMBLE_SECONDS, Assembler};
