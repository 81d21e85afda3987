//! Typed client of the cluster.
