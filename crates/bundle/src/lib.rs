//! The files of a job as a content-addressed manifest, and back.
