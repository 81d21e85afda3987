//! Scans: brain volumes of subjects under named conditions, checked before anything is computed from them.

mod bids;
mod card;
mod digest;
mod labels;
mod listing;
mod load;
mod neighbourhoods;
mod orient;
mod rdms;
mod resolve;
mod sources;

use std::path::{Path, PathBuf};

use ventral_searchlight::Grid;

use crate::nifti::NiftiHeader;
use crate::stimuli::StimulusSet;

pub use bids::{BidsName, bids_label, dataset_description, write_json};
pub use card::{
    Alignment, BidsCard, ConditionsCard, FileCard, LabelsCard, RdmCard, RunCard, ScanCard, SubjectCard, Texts,
};
pub use listing::{scan_files, scan_references};
pub use load::{Removed, RunData, SubjectData, load_anatomy, load_subject};
pub use neighbourhoods::{NeighbourLists, load_neighbourhoods, parse_neighbourhoods};
pub use rdms::GivenRdm;
pub use resolve::load_scan;

use orient::Orientation;
use sources::SubjectSource;

/// Name of a card inside its folder.
pub const SCAN_FILE: &str = "scan.toml";

/// A card's path, given the file or its folder.
pub(crate) fn card_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(SCAN_FILE) } else { path.to_path_buf() }
}

/// A scan whose files are there and fit together; the volumes are not read yet.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The card.
    pub card: ScanCard,
    /// Where the card is.
    pub path: PathBuf,
    /// Name of the space that the volumes are in.
    pub space: Option<String>,
    /// The conditions in the order of all results.
    pub conditions: Vec<String>,
    /// The images, if the card names any.
    pub stimuli: Option<StimulusSet>,
    /// Images of each condition, as positions in `stimuli`; empty without images.
    pub pools: Vec<Vec<usize>>,
    /// Given dissimilarities, their pairs in the order of `conditions`.
    pub rdms: Vec<GivenRdm>,
    /// The subjects.
    pub subjects: Vec<ScanSubject>,
    /// What is peculiar about the data, one sentence each.
    pub notes: Vec<String>,
}

/// What is known of a subject before its volumes are read.
#[derive(Debug, Clone)]
pub struct ScanSubject {
    /// Label.
    pub id: String,
    /// Grid of the first volume, on which everything lies.
    pub grid: Grid,
    /// Header of the first volume.
    pub header: NiftiHeader,
    /// Voxels inside the mask; all of them without one.
    pub mask_voxels: usize,
    /// Names of the runs.
    pub runs: Vec<String>,
    /// Volumes that show a condition, over all runs.
    pub volumes: usize,
    source: SubjectSource,
    /// By run of the card, by file.
    plan: Vec<Vec<FilePlan>>,
    mask: Option<Orientation>,
    regions: Vec<Orientation>,
}

/// What a file of volumes is read for.
#[derive(Debug, Clone)]
struct FilePlan {
    orientation: Orientation,
    /// Run and condition that each volume shows; nothing for a volume that is left out.
    volumes: Vec<Option<(usize, usize)>>,
}

impl Scan {
    /// The card's identifier.
    pub fn identifier(&self) -> &str {
        &self.card.identifier
    }
}
