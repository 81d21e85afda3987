//! The limits that the contract names; server and client share them.

/// Largest request message in bytes.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Largest message of an upload in bytes.
pub const MAX_UPLOAD_MESSAGE_BYTES: usize = 2 << 20;
/// Largest response message in bytes: a page of units or rows.
pub const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// Most bytes of data in one upload message.
pub const MAX_UPLOAD_DATA_BYTES: usize = 1 << 20;
/// Most bytes of data in one [`DataChunk`](crate::v1::DataChunk).
pub const MAX_CHUNK_BYTES: usize = 256 << 10;
/// Largest blob in bytes.
pub const MAX_BLOB_BYTES: u64 = 64 << 30;
/// Most digests of one `FindMissing`.
pub const MAX_DIGESTS: usize = 1_000;
/// Entries of a page when the request names none.
pub const DEFAULT_PAGE: usize = 100;
/// Most entries of a page.
pub const MAX_PAGE: usize = 1_000;
/// Longest page or resume token in bytes.
pub const MAX_TOKEN_BYTES: usize = 1_024;
/// Longest request id in characters.
pub const MAX_REQUEST_ID_CHARS: usize = 64;
/// Longest name of a job in characters.
pub const MAX_JOB_NAME_CHARS: usize = 64;
/// Longest id of a job in characters: a name, a dash and twelve hexadecimal ones.
pub const MAX_JOB_ID_CHARS: usize = MAX_JOB_NAME_CHARS + 13;
/// Longest numeric profile in bytes.
pub const MAX_PROFILE_BYTES: usize = 64;
/// Longest name of a worker in bytes.
pub const MAX_WORKER_NAME_BYTES: usize = 200;
/// Fewest characters of a unit that is to be explained.
pub const MIN_UNIT_PREFIX: usize = 4;
/// Most units of a drill.
pub const MAX_DRILL_UNITS: u32 = 1_000_000;
/// Longest unit of a drill in milliseconds.
pub const MAX_DRILL_MS: u64 = 3_600_000;
/// Most units that are explained at once.
pub const MAX_EXPLAINED: usize = 100;
/// Most jobs or benchmarks that an entry of the catalog names.
pub const MAX_NAMED: usize = 100;
