//! What a scan is, as one number: everything that can change a map, and nothing else.

use std::path::Path;

use super::{Alignment, Scan, ScanSubject, load};
use crate::benchmark::digest::Parts;
use crate::error::{Error, Result};
use crate::files::sha256_file;

/// Name of the encoding below; a change of it changes every digest.
const ENCODING: &[u8] = b"ventral scan 1";

impl Scan {
    /// SHA-256 in lower-case hexadecimal over the conditions and all files of the subjects, images and given dissimilarities.
    /// Titles, citations, notes, anatomies and where the files lie do not count.
    ///
    /// # Errors
    /// Those of reading the files.
    pub fn digest(&self) -> Result<String> {
        let mut parts = self.begin()?;
        parts.add("space", self.space.as_deref().unwrap_or_default().as_bytes());
        if let Some(stimuli) = &self.stimuli {
            parts.add("stimuli", stimuli.digest()?.as_bytes());
        }
        self.pools.iter().for_each(|pool| parts.indices("pool", pool));
        for rdm in &self.rdms {
            parts.add("rdm", rdm.name.as_bytes());
            parts.add("similarity", &[u8::from(rdm.similarity)]);
            parts.numbers("values", &[rdm.values.len()], rdm.values.iter());
        }
        for index in 0..self.subjects.len() {
            parts.add("subject", self.subject_digest(index)?.as_bytes());
        }
        Ok(parts.finish())
    }

    /// The same over the files of one subject alone, which is what its local similarities depend on.
    ///
    /// # Errors
    /// Those of reading the files, and [`Error::Field`] for a subject that does not exist.
    pub fn subject_digest(&self, index: usize) -> Result<String> {
        let subject: &ScanSubject = load::subject(self, index)?;
        let mut parts = self.begin()?;
        parts.add("subject", subject.id.as_bytes());
        for name in &subject.runs {
            parts.add("run", name.as_bytes());
        }
        for (files, run) in subject.plan.iter().zip(&subject.source.runs) {
            for (plan, file) in files.iter().zip(&run.files) {
                add_file(&mut parts, "volumes", &file.path)?;
                let shown = plan.volumes.iter().flat_map(|volume| match volume {
                    Some((run, condition)) => [run + 1, condition + 1],
                    None => [0, 0],
                });
                parts.indices("shown", &shown.collect::<Vec<_>>());
            }
        }
        let source = &subject.source;
        for (name, file) in [("mask", &source.mask), ("neighbourhoods", &source.neighbourhoods)] {
            if let Some(file) = file {
                add_file(&mut parts, name, &file.path)?;
            }
        }
        for (name, file) in &source.regions {
            parts.add("region", name.as_bytes());
            add_file(&mut parts, "file", &file.path)?;
        }
        Ok(parts.finish())
    }

    fn begin(&self) -> Result<Parts> {
        let mut parts = Parts::new();
        parts.add("encoding", ENCODING);
        parts.add("identifier", self.card.identifier.as_bytes());
        parts.add("version", self.card.version.as_bytes());
        parts.add("alignment", if self.card.alignment == Alignment::Index { b"index" } else { b"affine" });
        parts.json("conditions", &self.conditions).map_err(|e| Error::parse(&self.path, "card", e))?;
        Ok(parts)
    }
}

fn add_file(parts: &mut Parts, name: &str, path: &Path) -> Result<()> {
    parts.add(name, sha256_file(path)?.0.as_bytes());
    Ok(())
}
