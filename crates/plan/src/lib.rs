//! Spec to units, digests, cost and memory
