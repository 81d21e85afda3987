//! Decodes untrusted files into checked, labelled arrays: recordings, images, activations, benchmark cards.
//!
//! Every reader bounds what it takes from a file ([`limits`]) before it takes memory for it, never panics on bytes,
//! and says in its [`Error`] which file and field is wrong, what was found, and what to do.

mod activations;
mod arrays;
mod assembly;
mod benchmark;
mod csv;
mod dataset;
mod error;
mod files;
mod hdf5;
mod image;
pub mod limits;
mod mat;
mod netcdf;
mod nifti;
mod probabilities;
mod scan;
mod stimuli;
mod table;

pub use activations::{Activations, parse_activations, read_activations};
pub use arrays::{NpyArray, Numbers, NumericArray, Tensors, parse_npy, parse_npz, parse_safetensors};
pub use assembly::{Assembly, REPETITION, STIMULUS_ID};
pub use benchmark::{
    ArrayAxis, ArrayFormat, AssemblyCard, Behavior, BehaviorCard, BehaviorMetric, Benchmark, BenchmarkCard,
    Bound, CARD_FILE, CardFile, CardFiles, CeilingCard, CeilingEstimate, CeilingSource, Choices, Components,
    Content, DecisionsCard, DecoderCard, Kind, Metric, MetricCard, MetricName, NeuroidsCard, PairsCard, Part,
    PcaCard, People, PoolsCard, PropertyCard, PropertyKind, RepeatsCard, SplitScheme, SplitsCard,
    StimuliCard, StimulusFormat, SubjectScore, SubjectsCard, Target, Time, TimeCard, TimeMode, TrialsCard,
    UnitTask, Visibility, benchmark_files, benchmark_references, load_benchmark,
};
pub use benchmark::{CardProblem, Checked, MAX_PROBLEMS, check_benchmark};
pub use dataset::{
    DatasetFile, DatasetFolder, DatasetManifest, FetchFrom, FetchProgress, FetchReport, FileState,
    FileStatus, MAX_DATASET_FILE_BYTES, tree_digest,
};
pub use error::{Error, ParseError, Result};
pub use files::sha256_file;
pub use image::Image;
pub use mat::{MatFile, MatStruct, MatValue, parse_mat, read_mat};
pub use netcdf::{assembly_to_bytes, parse_assembly, read_assembly, write_assembly};
pub use nifti::{
    Intent, MapValues, NiftiHeader, NiftiMap, NiftiReader, NiftiType, NiftiVolume, Placement, read_header,
    read_volume,
};
pub use probabilities::{Probabilities, read_probabilities};
pub use scan::{
    Alignment, BidsCard, BidsName, ConditionsCard, FileCard, GivenRdm, LabelsCard, NeighbourLists, RdmCard,
    Removed, RunCard, RunData, SCAN_FILE, Scan, ScanCard, ScanSubject, SubjectCard, SubjectData, Texts,
    bids_label, dataset_description, load_anatomy, load_neighbourhoods, load_scan, load_subject,
    parse_neighbourhoods, scan_files, scan_references, write_json,
};
pub use stimuli::StimulusSet;
pub use table::{Column, Table, Values, parse_table, read_table};
