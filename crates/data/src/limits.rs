//! The bounds on everything that is decoded from a file. Each is checked before memory is taken for what it bounds.

/// Largest file that is read into memory whole (assemblies, arrays, MATLAB files).
pub const MAX_FILE_BYTES: u64 = 8 << 30;
/// Largest text file: tables (cards have [`ventral_input::MAX_CARD_BYTES`]).
pub const MAX_TEXT_BYTES: u64 = 256 << 20;
/// Most elements of one decoded array.
pub const MAX_ELEMENTS: u64 = 1 << 30;
/// Most axes of one decoded array.
pub const MAX_AXES: usize = 8;
/// Largest encoded image.
pub const MAX_IMAGE_BYTES: u64 = 64 << 20;
/// Most pixels of one image (10,000 x 8,000).
pub const MAX_IMAGE_PIXELS: u64 = 80_000_000;
/// Most scans of a progressive JPEG; a hostile file repeats scans to cost hours.
pub const MAX_JPEG_SCANS: usize = 200;
/// Most images of a stimulus set.
pub const MAX_STIMULI: usize = 1_000_000;
/// Most entries of a zip archive.
pub const MAX_ARCHIVE_ENTRIES: usize = 2_000_000;
/// Most bytes that the compressed parts of one MATLAB file may inflate to, and that an npz archive may inflate by.
pub const MAX_INFLATED_BYTES: u64 = 2 << 30;
/// Deepest nesting of cells and structs in a MATLAB file.
pub const MAX_NESTING: usize = 16;
/// Most elements of all cells and structs of a MATLAB file together.
pub const MAX_NESTED_VALUES: u64 = 1 << 22;
/// Most groups of a NetCDF file, one that has several names counted as often.
pub const MAX_GROUPS: u64 = 1_000;
/// Most variables of a NetCDF file, counted in the same way.
pub const MAX_VARIABLES: u64 = 100_000;
/// Longest header of an npy file.
pub const MAX_NPY_HEADER_BYTES: usize = 64 << 10;
/// Most columns of a table.
pub const MAX_COLUMNS: usize = 100_000;
/// Most cells of a table, its head included.
pub const MAX_CELLS: u64 = 1 << 25;
/// Longest cell of a table.
pub const MAX_CELL_BYTES: u64 = 1 << 20;
/// Longest axis of a brain volume.
pub const MAX_VOLUME_AXIS: u64 = 1 << 20;
/// Most voxels of one brain volume (0.2 mm isotropic over a head); indices of voxels have 32 bits.
pub const MAX_VOXELS: u64 = 1 << 30;
/// Most bytes of one brain volume.
pub const MAX_VOLUME_BYTES: u64 = 4 << 30;
/// Most volumes of one NIfTI file.
pub const MAX_VOLUMES: usize = 1 << 20;
/// Largest header of a NIfTI file with its extensions.
pub const MAX_NIFTI_OFFSET: u64 = 64 << 20;
/// Most numbers (voxels x conditions x runs) that one subject of a scan may need in memory.
pub const MAX_SCAN_VALUES: u64 = 4 << 30;
/// Most subjects of a scan.
pub const MAX_SUBJECTS: usize = 10_000;
/// Most conditions of a scan.
pub const MAX_CONDITIONS: usize = 100_000;
/// Most files that a BIDS directory is searched through.
pub const MAX_BIDS_FILES: usize = 1_000_000;
/// Most members of all neighbourhoods of a file together.
pub const MAX_NEIGHBOURS: u64 = 1 << 30;
