//! Synthesised images: from records of restarts to files and the page.

mod files;
mod judgement;
mod made;
