//! Content-addressed, create-only objects, verified on every read
