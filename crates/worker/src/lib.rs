//! Takes units, computes, stores
