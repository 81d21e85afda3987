//! What can be wrong with a file, and where.

use std::path::{Path, PathBuf};

/// Why bytes could not be decoded; the reader adds the file (see [`Error::Parse`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The data end before what a header or tag announces.
    #[error(
        "the data end in the middle of {what}: {needed} bytes needed, {found} left; the file is truncated, fetch it again"
    )]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes announced.
        needed: u64,
        /// Bytes there.
        found: u64,
    },
    /// Something is larger than the named bound in [`crate::limits`].
    #[error("{what} is {found}, the limit is {limit} ({name})")]
    Limit {
        /// What was measured.
        what: String,
        /// What the file asks for.
        found: u64,
        /// The bound.
        limit: u64,
        /// Name of the bound in [`crate::limits`].
        name: &'static str,
    },
    /// The bytes contradict the format.
    #[error("{0}")]
    Invalid(String),
    /// A valid file that uses a feature this program does not read.
    #[error("{0} is not supported; {1}")]
    Unsupported(String, &'static str),
}

/// Anything that can go wrong between a file and a checked array.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes of a file could not be decoded.
    #[error("{}: cannot be read as {format}: {source}", path.display())]
    Parse {
        /// The file; for a part of an archive, archive and part joined by `!`.
        path: PathBuf,
        /// The format it was read as.
        format: &'static str,
        /// The reason.
        source: ParseError,
    },
    /// A field of a card or manifest, or a variable of a data file, is missing or unusable.
    #[error("{}: `{field}`: {problem}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Dotted name of the field or variable.
        field: String,
        /// What was found and what to do.
        problem: String,
    },
    /// A card or manifest has a field that does not exist.
    #[error("{}: unknown field `{field}`{}", path.display(), suggestion(nearest))]
    UnknownField {
        /// The card.
        path: PathBuf,
        /// Dotted name as written.
        field: String,
        /// The known field closest in spelling.
        nearest: Option<String>,
    },
    /// The same identifier names two rows.
    #[error(
        "{}: {what} `{id}` appears twice (rows {first} and {second}); {remedy}", path.display()
    )]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// What is identified.
        what: &'static str,
        /// The identifier.
        id: String,
        /// Row of its first appearance.
        first: usize,
        /// Row of its second appearance.
        second: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// Identifiers of one side have no partner on the other.
    #[error(
        "{}: {missing} of {total} {what} are not in {other}, {}; add them or correct the identifiers",
        path.display(), of_both(first, there.as_deref())
    )]
    Missing {
        /// The file that names them.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
        /// Where it was looked for.
        other: String,
        /// How many are missing.
        missing: usize,
        /// Out of how many.
        total: usize,
        /// The first of them.
        first: String,
        /// One of the other side, if possible without a partner, too: it shows how the identifiers differ.
        there: Option<Box<str>>,
    },
    /// A response that is NaN or infinite where a number is needed.
    #[error(
        "{}: {count} responses are not finite, the first is {value} at presentation `{presentation}`, neuroid `{neuroid}`; leave the neuroid out or correct the file", path.display()
    )]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// Identifier of the presentation.
        presentation: String,
        /// Identifier or column of the neuroid.
        neuroid: String,
        /// What was found.
        value: f64,
        /// How many there are.
        count: usize,
    },
    /// Sizes that must agree do not.
    #[error("{}: {what} has {found}, {expected} expected ({reason})", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The array or axis.
        what: String,
        /// Size found.
        found: usize,
        /// Size expected.
        expected: usize,
        /// Where the expectation comes from.
        reason: String,
    },
    /// The bytes of a file are not those that its manifest names.
    #[error(
        "{}: {algorithm} is {found}, the manifest says {expected}; delete the file and fetch it again", path.display()
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// `sha256` or `sha1`.
        algorithm: &'static str,
        /// The manifest's digest.
        expected: String,
        /// The file's digest.
        found: String,
    },
    /// A download failed.
    #[error("{url}: {problem}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// The server's answer or the network's failure, and what to do.
        problem: String,
    },
    /// A data set's file is neither here nor fetchable.
    #[error("{}: {problem}", path.display())]
    NotAvailable {
        /// Where the file belongs.
        path: PathBuf,
        /// Why it cannot be fetched, and what to do.
        problem: String,
    },
    /// The benchmark asks the metrics for something impossible.
    #[error("{}: {field}: {source}", path.display())]
    Metric {
        /// The card.
        path: PathBuf,
        /// Section of the card.
        field: &'static str,
        /// The reason.
        source: ventral_metrics::Error,
    },
}

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;

fn suggestion(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; remove it".to_string(),
    }
}

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Error::Io { path: path.to_path_buf(), source }
    }

    pub(crate) fn parse(path: &Path, format: &'static str, source: ParseError) -> Self {
        Error::Parse { path: path.to_path_buf(), format, source }
    }

    pub(crate) fn field(path: &Path, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Field { path: path.to_path_buf(), field: field.into(), problem: problem.into() }
    }

    pub(crate) fn metric(path: &Path, field: &'static str, source: ventral_metrics::Error) -> Self {
        Error::Metric { path: path.to_path_buf(), field, source }
    }
}

impl ParseError {
    pub(crate) fn invalid(problem: impl Into<String>) -> Self {
        ParseError::Invalid(problem.into())
    }

    /// An error unless `found <= limit`.
    pub(crate) fn check(
        what: &str,
        found: u64,
        limit: u64,
        name: &'static str,
    ) -> std::result::Result<(), Self> {
        if found <= limit {
            Ok(())
        } else {
            Err(ParseError::Limit { what: what.to_string(), found, limit, name })
        }
    }
}

/// Identifiers of both sides that belong to nothing.
fn of_both(first: &str, there: Option<&str>) -> String {
    match there {
        Some(there) => format!("the first is `{first}` here, `{there}` there"),
        None => format!("the first is `{first}`"),
    }
}

/// One of `there` that is none of `here`; if all are, the first.
pub(crate) fn other_side<'a>(
    here: &[String],
    there: impl IntoIterator<Item = &'a String> + Clone,
) -> Option<Box<str>> {
    let known: std::collections::HashSet<&str> = here.iter().map(String::as_str).collect();
    let stranger = there.clone().into_iter().find(|name| !known.contains(name.as_str()));
    stranger.or_else(|| there.into_iter().next()).map(|name| name.as_str().into())
}
